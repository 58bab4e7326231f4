//! First seen wins: hashes of the last transactions, in bounded memory.

use crate::tx::PendingTransaction;
use alloy_primitives::B256;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::time::Instant;

/// Who announced a transaction first, when, and what it said.
#[derive(Debug, Clone, Copy)]
pub struct FirstSeen {
    pub endpoint: u16,
    pub at: Instant,
    /// Of the contents, see [`Dedup::fingerprint`]; `None` where there was no more than the hash.
    pub fingerprint: Option<u64>,
}

/// The last `capacity` hashes in a ring that is overwritten in order, and a table of their places: small, since every
/// transaction looks into it at random.
#[derive(Debug)]
pub struct Dedup {
    ring: Vec<(B256, FirstSeen)>,
    /// The place that is overwritten next, once the ring is full.
    oldest: usize,
    places: HashTable<u32>,
    capacity: usize,
    seeded: DefaultHashBuilder,
}

impl Dedup {
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

    /// Remembers that `hash` was announced, without contents; answers who was first where it was seen before.
    pub fn announce(&mut self, hash: B256, endpoint: u16, at: Instant) -> Option<FirstSeen> {
        self.insert(
            hash,
            FirstSeen {
                endpoint,
                at,
                fingerprint: None,
            },
        )
    }

    /// Remembers `hash`; answers what was known before: the first endpoint, and the first contents.
    pub fn insert(&mut self, hash: B256, seen: FirstSeen) -> Option<FirstSeen> {
        let key = self.seeded.hash_one(hash);
        let ring = &mut self.ring;
        if let Some(place) = self
            .places
            .find(key, |place| ring[*place as usize].0 == hash)
        {
            let known = &mut ring[*place as usize].1;
            let before = *known;
            known.fingerprint = known.fingerprint.or(seen.fingerprint);
            return Some(before);
        }
        let place = if self.ring.len() < self.capacity {
            self.ring.push((hash, seen));
            self.ring.len() - 1
        } else {
            let place = self.oldest;
            self.oldest = (place + 1) % self.capacity;
            let (forgotten, _) = std::mem::replace(&mut self.ring[place], (hash, seen));
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

    /// A seeded hash of all that is judged. Two that share a transaction hash and differ here cannot both be true: one of
    /// the nodes lies.
    pub fn fingerprint(&self, tx: &PendingTransaction) -> u64 {
        let call = (&tx.from, &tx.to, &tx.value, &tx.input);
        let fees = (tx.max_fee_per_gas, tx.max_priority_fee_per_gas, tx.gas);
        self.seeded
            .hash_one((call, fees, tx.nonce, tx.tx_type, tx.chain_id))
    }
}
