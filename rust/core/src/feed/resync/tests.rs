use super::*;
use crate::config::Limits;
use crate::feed::deliver::Deliver;
use crate::feed::endpoint::Seen;
use crate::inbox::queue::{ItemSender, queue};
use crate::node::message::{Reply, ReplyTo};
use crate::node::redact::SecretUrl;
use crate::node::report::Reporter;
use crate::node::standing::Standing;
use crate::stats::Stats;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

fn endpoint(items: ItemSender, stats: Arc<Stats>) -> Endpoint {
    let reporter = Rc::new(Reporter::new(Rc::default(), stats.clone(), "test".into()));
    Endpoint {
        index: 0,
        url: SecretUrl::parse("ws://127.0.0.1", &["ws"]).unwrap(),
        stats: Arc::default(),
        reporter: reporter.clone(),
        deliver: Deliver {
            endpoint: 0,
            frame_bytes: 1 << 20,
            items,
            stats,
            reporter,
        },
        standing: Standing::new(1),
        seen: Seen::default(),
    }
}

#[tokio::test]
async fn a_large_pool_does_not_hold_up_its_thread() {
    let stats = Arc::new(Stats::default());
    let (items, inbox) = queue(&Limits::default(), stats.clone());
    let endpoint = endpoint(items, stats);
    // What precedes the transactions takes a while to pass over.
    let other = "1,".repeat(4 << 20);
    let pool =
        format!(r#"{{"other":[{other}1],"pending":{{"0xaa":{{"0":{{}},"1":{{}},"2":{{}}}}}}}}"#);
    let raw = Bytes::from(pool);
    // Where this thread is held up by others meanwhile, the pool may be read before it looks: then again.
    let held_up = async || {
        let (rpc, mut outgoing) = WsRpc::new();
        let mut reading = pin!(catch_up(&endpoint, &rpc));
        let answer = Answer {
            raw: raw.clone(),
            arrival: Arrival::now(),
        };
        let asked = tokio::select! {
            biased;
            _ = &mut reading => panic!("before the answer"),
            asked = outgoing.recv() => asked.unwrap(),
        };
        assert!(asked.contains("txpool_content"));
        let reply = Reply {
            to: ReplyTo::Question(1),
            outcome: Ok(answer),
        };
        rpc.settle(reply).unwrap();
        let polled = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await;
        let held_up = polled.is_ready() || !inbox.is_empty();
        if polled.is_pending() {
            assert_eq!(reading.await, Ok(()));
        }
        assert_eq!(inbox.len(), 3);
        while inbox.try_recv().is_some() {}
        held_up
    };
    for _ in 0..10 {
        if !held_up().await {
            return;
        }
    }
    panic!("the pool was read by the thread that asked for it");
}
