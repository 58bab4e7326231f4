use super::*;
use crate::node::redact::SecretUrl;
use crate::node::transport::{connect, tls_config_of};
use futures_util::SinkExt;
use std::cell::RefCell;
use tokio::net::TcpListener;

const ROUNDS: usize = 8;

/// What it was brought, in order.
#[derive(Default)]
struct Log(RefCell<Vec<&'static str>>);

impl Reader for Log {
    const MAX_NESTING: usize = 4;

    async fn recognise(&self, frame: Bytes, _: Arrival) -> Result<Option<Bytes>, Closed> {
        if frame.starts_with(b"announced") {
            self.0.borrow_mut().push("announced");
            return Ok(None);
        }
        Ok(Some(frame))
    }

    async fn take(
        &self,
        _: Bytes,
        message: Result<Message, String>,
        _: Arrival,
    ) -> Result<(), Closed> {
        assert!(matches!(message, Ok(Message::Answers(_))), "{message:?}");
        self.0.borrow_mut().push("read");
        Ok(())
    }
}

/// Sends large answers, each followed by an announcement, and breaks off.
async fn serve(listener: TcpListener) {
    let (tcp, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
    let answer = format!(r#"{{"id":1,"result":[{}1]}}"#, "1,".repeat(2 << 20));
    for _ in 0..ROUNDS {
        socket.feed(Frame::text(answer.clone())).await.unwrap();
        socket.feed(Frame::text("announced")).await.unwrap();
    }
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn what_is_announced_does_not_wait_for_a_large_answer_to_be_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let url = SecretUrl::parse(&url, &["ws"]).unwrap();
    let node = tokio::spawn(serve(listener));
    let tls = tls_config_of(None).unwrap();
    let socket = connect(&url, tls, 64 << 20).await.unwrap();
    let (_questions, outgoing) = mpsc::channel(1);
    let log = Log::default();
    let lost = converse(socket, outgoing, Duration::from_secs(20), &log).await;
    assert!(lost.is_ok_and(|lost| lost.reason.contains("closed by the node")));
    node.await.unwrap();
    let log = log.0.take();
    let count = |what, log: &[&str]| log.iter().filter(|entry| **entry == what).count();
    assert_eq!(count("announced", &log), ROUNDS);
    // Where this thread is held up by others meanwhile, an answer may be read first; not each time.
    let overtaken = |upto| count("announced", &log[..upto]) > count("read", &log[..upto]);
    assert!((1..=log.len()).any(overtaken), "{log:?}");
}
