//! Suspects that wait for their next turn: bounded, oldest first.

use crate::simulate::pool::suspect::Key;
use alloy_primitives::Address;
use std::collections::VecDeque;

/// Suspects, their bytes, and those of one sender, at the most.
pub const MOST: usize = 256;
pub const BYTES: usize = 16 << 20;
pub const PER_SENDER: usize = 16;

#[derive(Debug, Default)]
pub struct Parked {
    queue: VecDeque<Place>,
    bytes: usize,
}

#[derive(Debug)]
struct Place {
    key: Key,
    sender: Address,
    bytes: usize,
}

impl Parked {
    /// Adds one at the end. Answers who gives way: the oldest, and first those of the same sender.
    pub fn add(&mut self, key: Key, sender: Address, bytes: usize) -> Vec<Key> {
        self.remove(&key);
        let mut gave_way = Vec::new();
        let all = self.queue.iter().enumerate();
        let mut of_sender = all.filter(|(_, place)| place.sender == sender);
        if let Some((oldest, _)) = of_sender.next()
            && of_sender.count() + 1 >= PER_SENDER
        {
            gave_way.extend(self.take(oldest));
        }
        self.bytes += bytes;
        self.queue.push_back(Place { key, sender, bytes });
        while self.queue.len() > MOST || self.bytes > BYTES {
            match self.take(0) {
                Some(oldest) => gave_way.push(oldest),
                None => break,
            }
        }
        gave_way
    }

    pub fn remove(&mut self, key: &Key) {
        if let Some(position) = self.queue.iter().position(|place| place.key == *key) {
            self.take(position);
        }
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Oldest first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.queue.iter().map(|place| &place.key)
    }

    /// Of one sender, oldest first.
    pub fn of(&self, sender: &Address) -> impl Iterator<Item = &Key> {
        let places = self.queue.iter();
        let of_sender = places.filter(move |place| place.sender == *sender);
        of_sender.map(|place| &place.key)
    }

    fn take(&mut self, position: usize) -> Option<Key> {
        let place = self.queue.remove(position)?;
        self.bytes -= place.bytes;
        Some(place.key)
    }
}
