//! First seen wins: hashes of the last transactions, in bounded memory.

use crate::tx::PendingTransaction;
use alloy_primitives::B256;
use hashbrown::hash_map::Entry;
use hashbrown::{DefaultHashBuilder, HashMap};
use std::hash::BuildHasher;
use std::time::Instant;

/// Who announced a transaction first, when, and what it said.
#[derive(Debug, Clone, Copy)]
pub struct FirstSeen {
    pub endpoint: u16,
    pub at: Instant,
    /// Of the fields, see [`Dedup::fingerprint`]; 0 where nobody compares.
    pub fingerprint: u64,
}

/// Two generations of at most `capacity` hashes: when the young one is full, the old one is forgotten. A hash is
/// remembered for at least `capacity` later ones, and memory is allocated once.
#[derive(Debug)]
pub struct Dedup {
    young: HashMap<B256, FirstSeen>,
    old: HashMap<B256, FirstSeen>,
    capacity: usize,
    seeded: DefaultHashBuilder,
}

impl Dedup {
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            young: HashMap::with_capacity(capacity),
            old: HashMap::with_capacity(capacity),
            capacity,
            seeded: DefaultHashBuilder::default(),
        }
    }

    /// Remembers `hash`; answers who was first where it was seen before.
    pub fn insert(&mut self, hash: B256, seen: FirstSeen) -> Option<FirstSeen> {
        if let Some(first) = self.old.get(&hash) {
            return Some(*first);
        }
        if self.young.len() >= self.capacity && !self.young.contains_key(&hash) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        match self.young.entry(hash) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(slot) => {
                slot.insert(seen);
                None
            }
        }
    }

    /// A seeded hash of what a transaction does. Two that share a transaction hash and differ here cannot both be true:
    /// one of the nodes lies.
    pub fn fingerprint(&self, tx: &PendingTransaction) -> u64 {
        self.seeded
            .hash_one((&tx.from, &tx.to, &tx.value, tx.nonce, &tx.input))
    }
}
