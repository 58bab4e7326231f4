//! Pending transactions that a later one of the same sender may build on: what it creates is called before any block has it.

use crate::simulate::suspect::Earlier;
use crate::tx::PendingTransaction;
use alloy_primitives::Address;
use bytes::Bytes;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Transactions remembered, and their bytes.
const REMEMBERED: usize = 1_024;
const BYTES: usize = 16 << 20;
/// Of one sender.
const PER_SENDER: usize = 4;

/// The last creations, and suspects, by sender.
#[derive(Debug, Default)]
pub struct Predecessors {
    by_sender: HashMap<Address, VecDeque<Earlier>>,
    /// Addresses that remembered creations will have; true where their init code carries a monitored address.
    created: HashMap<Address, bool>,
    /// Senders in order of what was remembered.
    order: VecDeque<Address>,
    bytes: usize,
}

impl Predecessors {
    /// `contact`: it touches a monitored contract, or its init code carries one's address.
    pub fn remember(
        &mut self,
        tx: Arc<PendingTransaction>,
        raw: Option<(Bytes, bool)>,
        contact: bool,
    ) {
        let sender = tx.from;
        let queue = self.by_sender.entry(sender).or_default();
        if queue.iter().any(|earlier| earlier.tx.hash == tx.hash) {
            return;
        }
        if tx.to.is_none() {
            *self.created.entry(sender.create(tx.nonce)).or_default() |= contact;
        }
        let earlier = Earlier { tx, raw };
        self.bytes += bytes(&earlier);
        queue.push_back(earlier);
        self.order.push_back(sender);
        if self.by_sender[&sender].len() > PER_SENDER {
            self.forget(&sender);
            if let Some(first) = self.order.iter().position(|other| *other == sender) {
                self.order.remove(first);
            }
        }
        while (self.order.len() > REMEMBERED || self.bytes > BYTES)
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(&oldest);
        }
    }

    /// Whether a remembered creation of whomever will be there, and then whether it carries a monitored address.
    pub fn creates(&self, callee: &Address) -> Option<bool> {
        self.created.get(callee).copied()
    }

    /// Those of the same sender that come before `tx`, by nonce.
    pub fn before(&self, tx: &PendingTransaction) -> Vec<Earlier> {
        let all = self.by_sender.get(&tx.from).into_iter().flatten();
        let mut before: Vec<_> = all
            .filter(|earlier| earlier.tx.nonce < tx.nonce)
            .cloned()
            .collect();
        // Of those of one nonce the newest: it replaces the others.
        before.reverse();
        before.sort_by_key(|earlier| earlier.tx.nonce);
        before.dedup_by_key(|earlier| earlier.tx.nonce);
        before
    }

    fn forget(&mut self, sender: &Address) {
        let Some(queue) = self.by_sender.get_mut(sender) else {
            return;
        };
        if let Some(oldest) = queue.pop_front() {
            self.bytes -= bytes(&oldest);
            let same = |other: &Earlier| other.tx.to.is_none() && other.tx.nonce == oldest.tx.nonce;
            if oldest.tx.to.is_none() && !queue.iter().any(same) {
                self.created.remove(&sender.create(oldest.tx.nonce));
            }
        }
        if queue.is_empty() {
            self.by_sender.remove(sender);
        }
    }
}

fn bytes(earlier: &Earlier) -> usize {
    let raw = earlier.raw.as_ref().map_or(0, |(raw, _)| raw.len());
    earlier.tx.input.len() + raw
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    fn creation(sender: u8, nonce: u64) -> Arc<PendingTransaction> {
        let mut hash = B256::with_last_byte(sender);
        hash.0[..8].copy_from_slice(&nonce.to_be_bytes());
        Arc::new(PendingTransaction {
            hash,
            from: Address::repeat_byte(sender),
            nonce,
            input: vec![0; 100],
            ..PendingTransaction::default()
        })
    }

    #[test]
    fn what_a_sender_will_have_created_is_known_until_it_is_forgotten() {
        let mut all = Predecessors::default();
        all.remember(creation(1, 7), None, true);
        all.remember(creation(1, 7), None, true);
        let created = Address::repeat_byte(1).create(7);
        assert_eq!(all.creates(&created), Some(true));
        let nonces = |nonce| -> Vec<_> {
            let before = all.before(&creation(1, nonce));
            before.iter().map(|earlier| earlier.tx.nonce).collect()
        };
        assert_eq!((nonces(8), nonces(7)), (vec![7], vec![]));
    }

    #[test]
    fn of_two_creations_with_one_nonce_either_may_come_true() {
        let mut all = Predecessors::default();
        all.remember(creation(1, 7), None, true);
        let mut other = PendingTransaction::clone(&creation(1, 7));
        other.hash = B256::repeat_byte(9);
        all.remember(Arc::new(other), None, false);
        let created = Address::repeat_byte(1).create(7);
        assert_eq!(all.creates(&created), Some(true));
        all.forget(&Address::repeat_byte(1));
        assert_eq!(all.creates(&created), Some(true), "the other one stands");
        all.forget(&Address::repeat_byte(1));
        assert_eq!(all.creates(&created), None);
    }

    #[test]
    fn memory_is_bounded_for_one_sender_and_for_all() {
        let mut all = Predecessors::default();
        for nonce in 0..100 {
            all.remember(creation(1, nonce), None, false);
        }
        assert_eq!(all.before(&creation(1, 1_000)).len(), PER_SENDER);
        assert_eq!(all.created.len(), PER_SENDER);
        for n in 0..10_000_u64 {
            all.remember(creation((n % 250) as u8, n), None, false);
        }
        assert!(all.order.len() <= REMEMBERED);
        let held: usize = all.by_sender.values().map(VecDeque::len).sum();
        assert!(held <= REMEMBERED && all.created.len() <= held);
        assert_eq!(all.bytes, held * 100);
    }
}
