//! Where a node announces hashes only: their transactions are asked for in batches.

use super::endpoint::Endpoint;
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use crate::node::rpc::{Answer, RpcError, TIMEOUT, WsRpc};
use crate::wire::json;
use alloy_primitives::B256;
use futures_util::future::join_all;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// Hashes asked for in one message.
pub const MAX_BATCH: usize = 100;
/// How long a hash waits for company.
const LINGER: Duration = Duration::from_millis(2);
/// A node that has announced a hash may need a moment to know its transaction.
const RETRY_AFTER: Duration = Duration::from_millis(150);
/// Batches under way on one connection.
const WORKERS: usize = 4;
/// Hashes that wait for a worker.
const WAITING: usize = 1 << 14;

#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    hash: B256,
    /// How often it was asked for.
    tries: u8,
}

/// The hashes asked for, of all endpoints together: each is asked for once, wherever it is announced.
pub struct Lookups {
    asked: RefCell<Recent>,
    queues: RefCell<BTreeMap<u16, mpsc::Sender<Wanted>>>,
}

impl Lookups {
    /// Remembers up to twice `limit` hashes.
    pub fn new(limit: usize) -> Self {
        Self {
            asked: RefCell::new(Recent::new(limit)),
            queues: RefCell::default(),
        }
    }

    /// Whether it was new and had no place: lost.
    pub fn announce(&self, endpoint: u16, hash: B256) -> bool {
        let new = self.asked.borrow_mut().insert(hash);
        new && !self.enqueue(endpoint, Wanted { hash, tries: 0 })
    }

    fn enqueue(&self, endpoint: u16, wanted: Wanted) -> bool {
        let sent = self
            .queues
            .borrow()
            .get(&endpoint)
            .is_some_and(|queue| queue.try_send(wanted).is_ok());
        if !sent {
            self.asked.borrow_mut().remove(&wanted.hash);
        }
        sent
    }

    /// To another endpoint that is up, or forgotten, so that the next who announces it is asked.
    fn hand_over(&self, from: u16, wanted: Wanted) -> bool {
        let other = self
            .queues
            .borrow()
            .keys()
            .copied()
            .find(|endpoint| *endpoint != from);
        self.enqueue(other.unwrap_or(from), wanted)
    }
}

/// The last `limit` to `2·limit` hashes.
struct Recent {
    young: HashSet<B256>,
    old: HashSet<B256>,
    limit: usize,
}

impl Recent {
    fn new(limit: usize) -> Self {
        Self {
            young: HashSet::new(),
            old: HashSet::new(),
            limit: limit.max(1),
        }
    }

    fn insert(&mut self, hash: B256) -> bool {
        if self.old.contains(&hash) || !self.young.insert(hash) {
            return false;
        }
        if self.young.len() >= self.limit {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }

    fn remove(&mut self, hash: &B256) {
        self.young.remove(hash);
        self.old.remove(hash);
    }
}

/// One connection's queue; what is left in it when the connection ends goes to another endpoint.
pub struct Desk {
    endpoint: Rc<Endpoint>,
    rpc: Rc<WsRpc>,
    queue: Mutex<mpsc::Receiver<Wanted>>,
}

impl Desk {
    pub fn open(endpoint: Rc<Endpoint>, rpc: Rc<WsRpc>) -> Self {
        let (sender, queue) = mpsc::channel(WAITING);
        endpoint
            .shared
            .lookups
            .queues
            .borrow_mut()
            .insert(endpoint.index, sender);
        Self {
            endpoint,
            rpc,
            queue: Mutex::new(queue),
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
        if params.len() > 1 && !self.endpoint.batches_refused.get() {
            let outcomes = self.rpc.batch(METHOD, &params).await;
            if !outcomes
                .iter()
                .all(|outcome| matches!(outcome, Err(RpcError::Refused { .. })))
            {
                return outcomes;
            }
            self.endpoint.batches_refused.set(true);
            self.endpoint.reporter.tell(
                AnomalyKind::NodeError,
                "refuses batches: asked one by one".into(),
            );
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
                return self.endpoint.offer_object(answer.raw, answer.arrival).await;
            }
            Ok(answer) if answer.is_null() => RpcError::Null.to_string(),
            Ok(_) => "not an object".into(),
            Err(error) => error.to_string(),
        };
        if wanted.tries == 0 {
            let endpoint = self.endpoint.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(RETRY_AFTER).await;
                let lookups = &endpoint.shared.lookups;
                if !lookups.hand_over(endpoint.index, Wanted { tries: 1, ..wanted }) {
                    endpoint.reporter.report(
                        AnomalyKind::NodeError,
                        "an announced transaction could not be asked for",
                    );
                }
            });
        } else {
            // Whoever announces it next may have it.
            let lookups = &self.endpoint.shared.lookups;
            lookups.asked.borrow_mut().remove(&wanted.hash);
            let said = format!(
                "announced {}, but eth_getTransactionByHash: {reason}",
                json::short(&wanted.hash)
            );
            self.endpoint
                .reporter
                .report(AnomalyKind::NodeError, &self.endpoint.url.scrub(&said));
        }
        Ok(())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let lookups = &self.endpoint.shared.lookups;
        lookups.queues.borrow_mut().remove(&self.endpoint.index);
        while let Ok(wanted) = self.queue.get_mut().try_recv() {
            lookups.hand_over(self.endpoint.index, wanted);
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
        let endpoint = &self.desk.endpoint;
        for wanted in self.wanted.drain(..) {
            endpoint.shared.lookups.hand_over(endpoint.index, wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_at_least_the_limit_and_at_most_twice_that() {
        let mut recent = Recent::new(100);
        let hash = |n: u64| B256::from(alloy_primitives::U256::from(n));
        for n in 0..10_000 {
            assert!(recent.insert(hash(n)));
            assert!(!recent.insert(hash(n)), "just inserted");
            assert!(
                !recent.insert(hash(n.saturating_sub(99))),
                "within the limit"
            );
            assert!(recent.young.len() + recent.old.len() <= 200);
        }
        assert!(recent.insert(hash(0)), "long forgotten");
        recent.remove(&hash(9_999));
        assert!(recent.insert(hash(9_999)));
    }

    #[test]
    fn a_hash_is_asked_for_once_among_endpoints_and_again_after_its_asker_is_gone() {
        let lookups = Lookups::new(10);
        let (first, mut first_queue) = mpsc::channel(1);
        let (second, mut second_queue) = mpsc::channel(1);
        lookups
            .queues
            .borrow_mut()
            .extend([(0, first), (1, second)]);
        let hash = B256::repeat_byte(7);
        assert!(!lookups.announce(0, hash) && !lookups.announce(1, hash));
        let wanted = first_queue.try_recv().unwrap();
        assert!(second_queue.try_recv().is_err());
        lookups.queues.borrow_mut().remove(&0);
        assert!(lookups.hand_over(0, wanted));
        assert_eq!(second_queue.try_recv().unwrap().hash, hash);
        lookups.queues.borrow_mut().remove(&1);
        assert!(!lookups.hand_over(1, wanted), "nobody left");
        assert!(
            lookups.announce(0, hash),
            "new again, and lost since nobody is up"
        );
    }
}
