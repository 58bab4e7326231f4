//! First seen wins: hashes of the last transactions, in bounded memory.

use alloy_primitives::B256;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::time::Instant;

/// Who announced a transaction first, and when.
#[derive(Debug, Clone, Copy)]
pub struct FirstSeen {
    pub endpoint: u16,
    pub at: Instant,
}

/// Two generations of at most `capacity` hashes: when the young one is full, the old one is forgotten. A hash is
/// remembered for at least `capacity` later ones, and memory is allocated once.
#[derive(Debug)]
pub struct Dedup {
    young: HashMap<B256, FirstSeen>,
    old: HashMap<B256, FirstSeen>,
    capacity: usize,
}

impl Dedup {
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            young: HashMap::with_capacity(capacity),
            old: HashMap::with_capacity(capacity),
            capacity,
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
}
