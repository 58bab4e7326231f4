//! Where a node announces hashes only: their transactions are asked for in batches.

use super::endpoint::Endpoint;
use super::hashes::{Lookups, Wanted};
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use crate::node::message::{Answer, RpcError, TIMEOUT};
use crate::node::rpc::WsRpc;
use crate::wire::json;
use futures_util::future::join_all;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// Hashes asked for in one message.
const MAX_BATCH: usize = 100;
/// How long a hash waits for company.
const LINGER: Duration = Duration::from_millis(2);
/// A node that has announced a hash may need a moment to know its transaction.
const RETRY_AFTER: Duration = Duration::from_millis(150);
/// Batches under way on one connection.
const WORKERS: usize = 4;

/// One connection's queue; what is left in it when the connection ends goes to another endpoint.
pub struct Desk {
    endpoint: Rc<Endpoint>,
    rpc: Rc<WsRpc>,
    lookups: Rc<Lookups>,
    queue: Mutex<mpsc::Receiver<Wanted>>,
}

impl Desk {
    pub fn open(endpoint: Rc<Endpoint>, rpc: Rc<WsRpc>, lookups: Rc<Lookups>) -> Self {
        let queue = Mutex::new(lookups.open(endpoint.index));
        Self {
            endpoint,
            rpc,
            lookups,
            queue,
        }
    }

    /// Runs until the pipeline is gone.
    pub async fn serve(&self) -> Closed {
        let workers = (0..WORKERS).map(|_| async { while self.serve_batch().await.is_ok() {} });
        join_all(workers).await;
        Closed
    }

    async fn serve_batch(&self) -> Result<(), Closed> {
        let mut batch = Batch {
            desk: self,
            wanted: Vec::new(),
        };
        {
            let mut queue = self.queue.lock().await;
            batch.wanted.extend(queue.recv().await);
            tokio::time::sleep(LINGER).await;
            while batch.wanted.len() < MAX_BATCH
                && let Ok(wanted) = queue.try_recv()
            {
                batch.wanted.push(wanted);
            }
        }
        let outcomes = self.fetch(&batch.wanted).await;
        // Done from the end, so that what is not done yet is what the batch still holds.
        for outcome in outcomes.into_iter().rev() {
            let Some(wanted) = batch.wanted.last().copied() else {
                break;
            };
            if matches!(outcome, Err(RpcError::Lost)) {
                break;
            }
            batch.wanted.pop();
            self.settle(wanted, outcome).await?;
        }
        Ok(())
    }

    async fn fetch(&self, wanted: &[Wanted]) -> Vec<Result<Answer, RpcError>> {
        const METHOD: &str = "eth_getTransactionByHash";
        let params: Vec<_> = wanted
            .iter()
            .map(|wanted| format!(r#"["{}"]"#, wanted.hash))
            .collect();
        if params.len() > 1 && !self.endpoint.seen.batches_refused.get() {
            let outcomes = self.rpc.batch(METHOD, &params).await;
            if !outcomes
                .iter()
                .all(|outcome| matches!(outcome, Err(RpcError::Refused { .. })))
            {
                return outcomes;
            }
            self.endpoint.seen.batches_refused.set(true);
            let said = "refuses batches: asked one by one";
            let reporter = &self.endpoint.reporter;
            reporter.tell(AnomalyKind::NodeError, said.into());
        }
        join_all(
            params
                .iter()
                .map(|params| self.rpc.call(METHOD, params, TIMEOUT)),
        )
        .await
    }

    async fn settle(
        &self,
        wanted: Wanted,
        outcome: Result<Answer, RpcError>,
    ) -> Result<(), Closed> {
        let reason = match outcome {
            Ok(answer) if answer.raw.starts_with(b"{") => {
                let deliver = &self.endpoint.deliver;
                return deliver.offer_object(answer.raw, answer.arrival).await;
            }
            Ok(answer) if answer.is_null() => RpcError::Null.to_string(),
            Ok(_) => "not an object".into(),
            Err(error) => error.to_string(),
        };
        if wanted.tries == 0 {
            let (endpoint, lookups) = (self.endpoint.clone(), self.lookups.clone());
            tokio::task::spawn_local(async move {
                tokio::time::sleep(RETRY_AFTER).await;
                if !lookups.hand_over(endpoint.index, Wanted { tries: 1, ..wanted }) {
                    let said = "an announced transaction could not be asked for";
                    endpoint.reporter.report(AnomalyKind::NodeError, said);
                }
            });
        } else {
            self.lookups.forget(&wanted.hash);
            let hash = json::short(&wanted.hash);
            let said = format!("announced {hash}, but eth_getTransactionByHash: {reason}");
            self.endpoint.report(AnomalyKind::NodeError, &said);
        }
        Ok(())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.lookups.close(self.endpoint.index);
        while let Ok(wanted) = self.queue.get_mut().try_recv() {
            self.lookups.hand_over(self.endpoint.index, wanted);
        }
    }
}

/// Hashes under way; what is not settled when it is dropped goes to another endpoint.
struct Batch<'a> {
    desk: &'a Desk,
    wanted: Vec<Wanted>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let Desk {
            endpoint, lookups, ..
        } = self.desk;
        for wanted in self.wanted.drain(..) {
            lookups.hand_over(endpoint.index, wanted);
        }
    }
}
