//! First seen wins: hashes of the last transactions, in bounded memory.

use crate::tx::PendingTransaction;
use alloy_primitives::B256;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// The last `capacity` hashes, each with what was first known of it, in a ring that is overwritten in order, and a table of
/// their places: small, since every transaction looks into it at random.
#[derive(Debug)]
pub struct Dedup<V> {
    ring: Vec<(B256, V)>,
    /// The place that is overwritten next, once the ring is full.
    oldest: usize,
    places: HashTable<u32>,
    capacity: usize,
    seeded: DefaultHashBuilder,
}

impl<V: Copy> Dedup<V> {
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

    /// What was first known of `hash`, where it is remembered.
    pub fn get(&self, hash: &B256) -> Option<V> {
        let key = self.seeded.hash_one(hash);
        let same = |place: &u32| self.ring[*place as usize].0 == *hash;
        let place = self.places.find(key, same)?;
        Some(self.ring[*place as usize].1)
    }

    /// Remembers `value` of `hash`; answers the first one where there was one before, which stays.
    pub fn insert(&mut self, hash: B256, value: V) -> Option<V> {
        if let Some(first) = self.get(&hash) {
            return Some(first);
        }
        let key = self.seeded.hash_one(hash);
        let place = if self.ring.len() < self.capacity {
            self.ring.push((hash, value));
            self.ring.len() - 1
        } else {
            let place = self.oldest;
            self.oldest = (place + 1) % self.capacity;
            let (forgotten, _) = std::mem::replace(&mut self.ring[place], (hash, value));
            let key = self.seeded.hash_one(forgotten);
            if let Ok(entry) = self
                .places
                .find_entry(key, |other| *other as usize == place)
            {
                entry.remove();
            }
            place
        };
        let (ring, seeded) = (&self.ring, &self.seeded);
        self.places.insert_unique(key, place as u32, |place| {
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
