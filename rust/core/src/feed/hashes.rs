//! The hashes that nodes announce without contents: each is asked for once, of whoever announced it first.

use alloy_primitives::B256;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use tokio::sync::mpsc;

/// Hashes that wait at one endpoint.
const WAITING: usize = 1 << 14;

#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub hash: B256,
    /// How often it was asked for.
    pub tries: u8,
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

    /// What is announced by `endpoint` from now on comes here.
    pub fn open(&self, endpoint: u16) -> mpsc::Receiver<Wanted> {
        let (sender, queue) = mpsc::channel(WAITING);
        self.queues.borrow_mut().insert(endpoint, sender);
        queue
    }

    pub fn close(&self, endpoint: u16) {
        self.queues.borrow_mut().remove(&endpoint);
    }

    /// Whoever announces it next may have it.
    pub fn forget(&self, hash: &B256) {
        self.asked.borrow_mut().remove(hash);
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
    pub fn hand_over(&self, from: u16, wanted: Wanted) -> bool {
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
