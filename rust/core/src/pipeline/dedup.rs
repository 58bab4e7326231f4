//! First seen wins: what was known first of the last keys, in bounded memory.

use crate::tx::PendingTransaction;
use alloy_primitives::B256;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hash};

/// The last `capacity` keys, each with what was first known of it, in a ring that is overwritten in order, and a table of
/// their places: small, since every transaction looks into it at random.
#[derive(Debug)]
pub struct Dedup<V, K = B256> {
    ring: Vec<(K, V)>,
    /// The place that is overwritten next, once the ring is full.
    oldest: usize,
    places: HashTable<u32>,
    capacity: usize,
    seeded: DefaultHashBuilder,
}

impl<V: Copy, K: Copy + Eq + Hash> Dedup<V, K> {
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, u32::MAX as usize);
        Self {
            ring: Vec::new(),
            oldest: 0,
            places: HashTable::new(),
            capacity,
            seeded: DefaultHashBuilder::default(),
        }
    }

    /// What was first known of `key`, where it is remembered.
    pub fn get(&self, key: &K) -> Option<V> {
        self.place(key).map(|place| self.ring[place].1)
    }

    fn place(&self, key: &K) -> Option<usize> {
        let same = |place: &u32| self.ring[*place as usize].0 == *key;
        let place = self.places.find(self.seeded.hash_one(key), same)?;
        Some(*place as usize)
    }

    /// Remembers `value` of `key`, whatever was known of it.
    pub fn replace(&mut self, key: K, value: V) {
        match self.place(&key) {
            Some(place) => self.ring[place].1 = value,
            None => _ = self.insert(key, value),
        }
    }

    /// Remembers `value` of `key`; answers the first one where there was one before, which stays.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(first) = self.get(&key) {
            return Some(first);
        }
        let place = if self.ring.len() < self.capacity {
            self.ring.push((key, value));
            self.ring.len() - 1
        } else {
            let place = self.oldest;
            self.oldest = (place + 1) % self.capacity;
            let (forgotten, _) = std::mem::replace(&mut self.ring[place], (key, value));
            let forgotten = self.seeded.hash_one(forgotten);
            let is_it = |other: &u32| *other as usize == place;
            if let Ok(entry) = self.places.find_entry(forgotten, is_it) {
                entry.remove();
            }
            place
        };
        let (ring, seeded) = (&self.ring, &self.seeded);
        let hash = seeded.hash_one(key);
        self.places.insert_unique(hash, place as u32, |place| {
            seeded.hash_one(ring[*place as usize].0)
        });
        None
    }
}

impl Dedup<u64> {
    /// A seeded hash of all that is judged. Two that share a transaction hash and differ here cannot both be true: one of
    /// the nodes lies.
    pub fn fingerprint(&self, tx: &PendingTransaction) -> u64 {
        let call = (&tx.from, &tx.to, &tx.value, &tx.input);
        let fees = (tx.max_fee_per_gas, tx.max_priority_fee_per_gas, tx.gas);
        self.seeded
            .hash_one((call, fees, tx.nonce, tx.tx_type, tx.chain_id))
    }
}
