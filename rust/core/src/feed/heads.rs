//! The heads of one connection: passed on as they are announced, asked for where they are not.

use super::endpoint::{Ended, Endpoint};
use super::handshake::Heads;
use crate::chain::Head;
use crate::evidence::AnomalyKind;
use crate::node::heads::Announced;
use crate::node::message::{RpcError, TIMEOUT};
use crate::node::routes::Routes;
use crate::node::rpc::WsRpc;
use crate::wire::json;
use std::cell::Cell;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often the head is asked for where the node refuses `newHeads`.
const POLL_HEADS: Duration = Duration::from_secs(2);
/// An announcement may come this much later than an answer that knows the same head.
const OVERTAKEN: Duration = Duration::from_secs(5);
/// Between two looks at whether it still announces heads, at the least.
const MIN_WATCH: Duration = Duration::from_secs(1);

/// The heads of one connection.
pub struct HeadWatch<'a> {
    endpoint: &'a Endpoint,
    rpc: &'a WsRpc,
    routes: &'a Routes,
    heads: &'a mpsc::Sender<Announced>,
    /// How many the node announced on this connection.
    announced: Cell<u64>,
}

/// A node that announces no heads.
enum Silent {
    /// It did before: it answers, but has forgotten what we subscribed to.
    Forgotten,
    /// It never did on this connection.
    Always,
}

impl<'a> HeadWatch<'a> {
    /// `heads` takes them all, to be followed.
    pub fn new(
        endpoint: &'a Endpoint,
        rpc: &'a WsRpc,
        routes: &'a Routes,
        heads: &'a mpsc::Sender<Announced>,
    ) -> Self {
        Self {
            endpoint,
            rpc,
            routes,
            heads,
            announced: Cell::new(0),
        }
    }

    /// The node has announced one.
    pub fn announced(&self, head: Head) {
        self.announced.set(self.announced.get() + 1);
        self.pass_on(head);
    }

    fn pass_on(&self, head: Head) {
        let endpoint = self.endpoint;
        // A block mined while nobody listened may hold what was pending then and is in no pool any more.
        let missed = endpoint.is_behind() && !self.routes.others_up(endpoint.index);
        let announced = Announced {
            head,
            endpoint: endpoint.index,
            missed,
        };
        if self.heads.try_send(announced).is_err() {
            let said = "heads come faster than they can be followed: one left out";
            endpoint.reporter.report(AnomalyKind::NodeError, said);
        }
    }

    /// The head now: the base fee at the start, and after a cut the blocks that were missed. Answers its number.
    pub async fn latest(&self) -> Option<u64> {
        let said = match self
            .rpc
            .call("eth_getBlockByNumber", r#"["latest",false]"#, TIMEOUT)
            .await
        {
            Ok(answer) => {
                let head = answer.read(|answer| json::head(answer.text(), answer.arrival.unix_ms));
                if let Some(head) = head.await {
                    let number = head.number;
                    self.pass_on(head);
                    return Some(number);
                }
                "a block that cannot be read".to_owned()
            }
            Err(RpcError::Lost) => return None,
            Err(error) => error.to_string(),
        };
        let said = format!("eth_getBlockByNumber latest: {said}");
        self.endpoint.report(AnomalyKind::NodeError, &said);
        None
    }

    /// Sees to it that heads come. Returns where that takes a new connection.
    pub async fn keep(&self, heads: Heads, stall_timeout: Duration) -> Ended {
        if heads == Heads::Announced {
            match self.watch(stall_timeout).await {
                Silent::Forgotten => {
                    let said = "announces no heads any more, though its chain goes on: the subscriptions are lost";
                    return Ended::Lost(said.into());
                }
                Silent::Always => {
                    let said = "announces no heads, though it agreed to: its head is asked for";
                    let reporter = &self.endpoint.reporter;
                    reporter.report(AnomalyKind::NodeError, said);
                }
            }
        }
        loop {
            tokio::time::sleep(POLL_HEADS).await;
            self.latest().await;
        }
    }

    /// Ends where the node's chain goes on and it announces none of it.
    async fn watch(&self, stall_timeout: Duration) -> Silent {
        let interval = stall_timeout.max(MIN_WATCH);
        let mut announced = self.announced.get();
        // Its head as it answered, since it last announced one.
        let mut answered = None;
        loop {
            tokio::time::sleep(interval).await;
            let mut head = None;
            if self.announced.get() == announced {
                head = self.latest().await;
            }
            if head.is_some_and(|head| answered.is_some_and(|before| head > before)) {
                // The answer may have overtaken the announcement.
                tokio::time::sleep(interval.min(OVERTAKEN)).await;
                if self.announced.get() == announced {
                    return match announced {
                        0 => Silent::Always,
                        _ => Silent::Forgotten,
                    };
                }
            }
            answered = answered.or(head);
            if self.announced.get() != announced {
                (announced, answered) = (self.announced.get(), None);
            }
        }
    }
}
