//! A WebSocket connection that nothing is subscribed on, kept up for questions.

use super::backoff::Backoff;
use super::connection::{Reader, converse};
use super::message::{Message, TIMEOUT};
use super::redact::SecretUrl;
use super::report::Reporter;
use super::routes::Routes;
use super::rpc::WsRpc;
use super::standing::{Standing, Unfit};
use super::transport;
use super::transport::{Arrival, Socket};
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use bytes::Bytes;
use rustls::ClientConfig;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Traces nest two levels a call, and calls as deep as the EVM allows: a block that has one such is no answer to do without.
pub const MAX_NESTING: usize = 2 * 1_026 + 8;

pub struct Line {
    pub index: u16,
    pub url: SecretUrl,
    pub tls: Arc<ClientConfig>,
    pub message_bytes: usize,
    pub stall_timeout: Duration,
    pub standing: Standing,
    pub routes: Rc<Routes>,
    pub reporter: Reporter,
}

impl Line {
    /// One connection after another. Returns where the node must not be used.
    pub async fn keep_connected(&self, mut backoff: Backoff) {
        loop {
            let connected =
                transport::connect(&self.url, self.tls.clone(), self.message_bytes).await;
            let reason = match connected {
                Ok(socket) => match self.serve(socket, &mut backoff).await {
                    Unfit::Now(reason) => reason,
                    Unfit::Forever => return,
                },
                Err(reason) => reason,
            };
            let said = self.url.scrub(&format!("no state: {reason}"));
            self.reporter.report(AnomalyKind::NodeError, &said);
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Until the connection is lost, or the node shows that it cannot be used.
    async fn serve(&self, socket: Socket, backoff: &mut Backoff) -> Unfit {
        let (rpc, outgoing) = WsRpc::new();
        let rpc = Rc::new(rpc);
        let introduce = async {
            let answered = rpc.call("eth_chainId", "[]", TIMEOUT).await;
            if let Err(unfit) = self.standing.check(answered, &self.reporter) {
                return unfit;
            }
            self.routes.add(self.index, rpc.clone());
            // One that breaks off right away is connected to ever more seldom.
            tokio::time::sleep(backoff.ceiling()).await;
            backoff.reset();
            std::future::pending().await
        };
        let answers = Answers(&rpc);
        let ended = tokio::select! {
            lost = converse(socket, outgoing, self.stall_timeout, &answers) => match lost {
                Ok(lost) => Unfit::Now(lost.reason),
                Err(Closed) => Unfit::Forever,
            },
            unfit = introduce => unfit,
        };
        self.routes.remove(self.index);
        rpc.close();
        ended
    }
}

/// Brings answers to who asked; what is no answer is left.
struct Answers<'a>(&'a WsRpc);

impl Reader for Answers<'_> {
    const MAX_NESTING: usize = MAX_NESTING;

    async fn recognise(&self, frame: Bytes, _: Arrival) -> Result<Option<Bytes>, Closed> {
        Ok(Some(frame))
    }

    async fn take(
        &self,
        _: Bytes,
        message: Result<Message, String>,
        _: Arrival,
    ) -> Result<(), Closed> {
        if let Ok(Message::Answers(replies)) = message {
            for reply in replies.into_iter().flatten() {
                self.0.settle(reply).ok();
            }
        }
        Ok(())
    }
}
