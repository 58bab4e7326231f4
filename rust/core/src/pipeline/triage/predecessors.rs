//! Pending transactions that a later one of the same sender may build on: what it creates is called before any block has it,
//! and a nonce is nobody's turn before those below it are used.

use super::lately::Lately;
use crate::evidence::{Authenticity, Identity};
use crate::pipeline::slot::held;
use crate::simulate::pool::suspect::Earlier;
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

/// Transactions remembered, and their bytes.
const REMEMBERED: usize = 1_024;
const BYTES: usize = 16 << 20;
/// Of one sender.
const PER_SENDER: usize = 4;
/// Addresses remembered of contracts that simulations created.
const FORESEEN: usize = 4_096;
/// Nonces before a suspect's that are filled with what was judged lately: as many as pools hold of one sender.
pub const GAP: u64 = 64;

/// The last creations, and suspects, by sender; and what was judged lately, whatever it is.
#[derive(Debug, Default)]
pub struct Predecessors {
    lately: Lately,
    by_sender: HashMap<Address, VecDeque<Earlier>>,
    /// What remembered creations will create, by address.
    created: HashMap<Address, Creation>,
    /// The monitored contracts that a transaction touches which creates this in its simulation.
    foreseen: HashMap<Address, Vec<u16>>,
    /// Of these the addresses, oldest first.
    foreseen_order: VecDeque<Address>,
    /// Senders in order of what was remembered.
    order: VecDeque<Address>,
    bytes: usize,
}

#[derive(Debug)]
struct Creation {
    sender: Address,
    nonce: u64,
    /// Monitored contracts that its init code names, as indices.
    contacts: Vec<u16>,
}

impl Predecessors {
    /// Of any judged transaction: it may be what a later one waits for. Answers whether it was not known.
    pub fn judged(&mut self, earlier: Earlier) -> bool {
        let news = !self.lately.knows(&earlier);
        if news {
            self.lately.add(earlier);
        }
        news
    }

    /// Blocks have this nonce of the sender.
    pub fn mined(&mut self, sender: &Address, nonce: u64) {
        self.lately.mined(sender, nonce);
    }

    /// Of a creation, or a suspect: it is remembered for longer. `contacts`: the monitored contracts that it touches, or that
    /// its init code names, as indices. Answers whether it was not known.
    pub fn remember(
        &mut self,
        fingerprint: u64,
        tx: Arc<PendingTransaction>,
        original: Option<Original>,
        contacts: &[u16],
    ) -> bool {
        let earlier = Earlier {
            fingerprint,
            tx,
            original,
        };
        let news = self.judged(earlier.clone());
        self.keep(earlier, contacts);
        news
    }

    fn keep(&mut self, earlier: Earlier, contacts: &[u16]) {
        let (tx, sender) = (&earlier.tx, earlier.tx.from);
        let queue = self.by_sender.entry(sender).or_default();
        // Other contents under its hash may be the true ones.
        if queue.iter().any(|other| other.key() == earlier.key()) {
            return;
        }
        if tx.to.is_none() {
            let nonce = tx.nonce;
            let creation = self.created.entry(sender.create(nonce));
            let creation = creation.or_insert_with(|| Creation {
                sender,
                nonce,
                contacts: Vec::new(),
            });
            unite(&mut creation.contacts, contacts);
        }
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

    /// What a transaction that touches monitored contracts creates when it is executed.
    pub fn foresee(&mut self, address: Address, contacts: &[u16]) {
        if let Some(creation) = self.created.get_mut(&address) {
            return unite(&mut creation.contacts, contacts);
        }
        let known = self.foreseen.entry(address).or_insert_with(|| {
            self.foreseen_order.push_back(address);
            Vec::new()
        });
        unite(known, contacts);
        if self.foreseen_order.len() > FORESEEN
            && let Some(oldest) = self.foreseen_order.pop_front()
        {
            self.foreseen.remove(&oldest);
        }
    }

    /// Whether a pending transaction will create it, and then the monitored contracts that this one touches or names.
    pub fn creates(&self, callee: &Address) -> Option<&[u16]> {
        let creation = self.created.get(callee);
        let contacts = creation.map(|creation| &creation.contacts);
        let contacts = contacts.or_else(|| self.foreseen.get(callee));
        contacts.map(Vec::as_slice)
    }

    /// What comes before `tx`, by nonce: of the same sender what is remembered, and what fills the gap up to its nonce;
    /// before that, where somebody else creates its callee, the same of the creation. Of those of one nonce the one that counts
    /// comes first, unless it is a lie: the highest bidder, since a pool takes a replacement only where it pays more; of
    /// equal ones the newest.
    pub fn before(&self, tx: &PendingTransaction) -> Vec<Earlier> {
        let creation = tx.to.as_ref().and_then(|callee| self.created.get(callee));
        let creation = creation.filter(|creation| creation.sender != tx.from);
        let creations = creation.map(|one| self.below(&one.sender, one.nonce.saturating_add(1)));
        let own = self.below(&tx.from, tx.nonce);
        creations
            .into_iter()
            .flatten()
            .chain(own)
            .cloned()
            .collect()
    }

    fn below(&self, sender: &Address, nonce: u64) -> Vec<&Earlier> {
        let kept = self.by_sender.get(sender).into_iter().flatten();
        let mut all: Vec<&Earlier> = Vec::new();
        // Whatever is remembered longer than lately is older.
        for one in self.lately.of(sender).chain(kept.rev()) {
            if one.tx.nonce < nonce && !all.iter().any(|other| other.key() == one.key()) {
                all.push(one);
            }
        }
        all.sort_by_key(|one| (one.tx.nonce, Reverse(bid(&one.tx))));
        let (mut filled, lowest) = (nonce, nonce.saturating_sub(GAP));
        for one in all.iter().rev() {
            if one.tx.nonce + 1 == filled && filled > lowest {
                filled -= 1;
            }
        }
        let kept = self.by_sender.get(sender);
        let is_kept = |one: &Earlier| {
            kept.is_some_and(|queue| queue.iter().any(|other| other.tx.nonce == one.tx.nonce))
        };
        all.retain(|one| one.tx.nonce >= filled || is_kept(one));
        all
    }

    /// Pending ones that call an account, newest first.
    pub fn callers(&self, callee: &Address) -> impl Iterator<Item = &Earlier> {
        self.lately.callers(callee)
    }

    /// Whether another one with its sender and nonce, which is no lie, pays more: pools hold that one now.
    pub fn is_replaced(&self, tx: &PendingTransaction) -> bool {
        let outbids = |other: &PendingTransaction| {
            other.max_fee_per_gas > tx.max_fee_per_gas
                && other.max_priority_fee_per_gas > tx.max_priority_fee_per_gas
        };
        let mut others = self.lately.of(&tx.from).filter(|other| {
            other.tx.nonce == tx.nonce && other.tx.hash != tx.hash && outbids(&other.tx)
        });
        others.any(|other| {
            let identity = Identity::of(&other.tx, other.original.as_ref());
            identity.authenticity != Authenticity::Contradicted
                && identity.other_than(tx.from).is_none()
        })
    }

    /// Creations last: others can be sent to push them out.
    fn forget(&mut self, sender: &Address) {
        let Some(queue) = self.by_sender.get_mut(sender) else {
            return;
        };
        // But the newest stays.
        let mut older = queue.iter().take(queue.len().saturating_sub(1));
        let other = older.position(|earlier| earlier.tx.to.is_some());
        if let Some(oldest) = queue.remove(other.unwrap_or(0)) {
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

/// Who bids more is executed sooner.
pub fn bid(tx: &PendingTransaction) -> (u128, u128) {
    (tx.max_fee_per_gas, tx.max_priority_fee_per_gas)
}

/// Adds what is not there yet.
pub fn unite(known: &mut Vec<u16>, contacts: &[u16]) {
    for contact in contacts {
        if !known.contains(contact) {
            known.push(*contact);
        }
    }
}

/// Of its contents, as it came and as it was read.
pub fn bytes(earlier: &Earlier) -> usize {
    held(&earlier.tx, earlier.original.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use proptest::prelude::*;

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
        all.remember(0, creation(1, 7), None, &[0]);
        all.remember(0, creation(1, 7), None, &[0]);
        let created = Address::repeat_byte(1).create(7);
        assert_eq!(all.creates(&created), Some(&[0][..]));
        let nonces = |nonce| -> Vec<_> {
            let before = all.before(&creation(1, nonce));
            before.iter().map(|earlier| earlier.tx.nonce).collect()
        };
        assert_eq!((nonces(8), nonces(7)), (vec![7], vec![]));
    }

    #[test]
    fn of_two_creations_with_one_nonce_either_may_come_true() {
        let mut all = Predecessors::default();
        all.remember(0, creation(1, 7), None, &[0]);
        let mut other = PendingTransaction::clone(&creation(1, 7));
        other.hash = B256::repeat_byte(9);
        all.remember(0, Arc::new(other), None, &[]);
        let created = Address::repeat_byte(1).create(7);
        assert_eq!(all.creates(&created), Some(&[0][..]));
        all.forget(&Address::repeat_byte(1));
        assert_eq!(
            all.creates(&created),
            Some(&[0][..]),
            "the other one stands"
        );
        all.forget(&Address::repeat_byte(1));
        assert_eq!(all.creates(&created), None);
    }

    #[test]
    fn a_lie_about_its_callees_creation_does_not_hide_the_true_one() {
        let mut all = Predecessors::default();
        all.remember(1, creation(1, 7), None, &[0]);
        all.remember(2, creation(1, 7), None, &[]);
        let mut call = PendingTransaction::clone(&creation(2, 0));
        call.to = Some(Address::repeat_byte(1).create(7));
        let before = all.before(&call);
        let fingerprints: Vec<_> = before.iter().map(|earlier| earlier.fingerprint).collect();
        assert_eq!(fingerprints, [2, 1], "the newest first");
    }

    #[test]
    fn others_do_not_push_a_creation_out() {
        let mut all = Predecessors::default();
        all.remember(0, creation(1, 0), None, &[0]);
        for nonce in 1..10 {
            let mut call = PendingTransaction::clone(&creation(1, nonce));
            call.to = Some(Address::ZERO);
            all.remember(0, Arc::new(call), None, &[0]);
        }
        all.mined(&Address::repeat_byte(1), 9);
        let before = all.before(&creation(1, 10));
        let nonces: Vec<_> = before.iter().map(|earlier| earlier.tx.nonce).collect();
        assert_eq!(nonces, [0, 7, 8, 9]);
    }

    #[test]
    fn a_gap_is_filled_as_far_as_pools_do() {
        let mut all = Predecessors::default();
        for nonce in 0..100 {
            let mut call = PendingTransaction::clone(&creation(1, nonce));
            call.to = Some(Address::ZERO);
            assert!(all.judged(Earlier {
                fingerprint: 0,
                tx: Arc::new(call),
                original: None,
            }));
        }
        let before = all.before(&creation(1, 100));
        let nonces: Vec<_> = before.iter().map(|earlier| earlier.tx.nonce).collect();
        assert_eq!(nonces, (100 - GAP..100).collect::<Vec<_>>());
        assert!(all.before(&creation(1, 101)).is_empty());
    }

    #[test]
    fn what_a_creation_touches_when_it_is_simulated_is_known_of_what_it_creates() {
        let mut all = Predecessors::default();
        all.remember(0, creation(1, 7), None, &[]);
        let created = Address::repeat_byte(1).create(7);
        all.foresee(created, &[2]);
        assert_eq!(all.creates(&created), Some(&[2][..]));
        assert!(all.foreseen.is_empty());
    }

    #[test]
    fn what_simulations_created_is_remembered_in_bounded_numbers() {
        let mut all = Predecessors::default();
        let address = |n: usize| Address::left_padding_from(&n.to_be_bytes());
        for n in 0..=FORESEEN {
            all.foresee(address(n), &[1]);
            all.foresee(address(n), &[1, 2]);
        }
        assert_eq!(all.creates(&address(0)), None);
        assert_eq!(all.creates(&address(FORESEEN)), Some(&[1, 2][..]));
        assert_eq!(all.foreseen.len(), FORESEEN);
    }

    #[test]
    fn memory_is_bounded_for_one_sender_and_for_all() {
        let mut all = Predecessors::default();
        for nonce in 0..100 {
            all.remember(0, creation(1, nonce), None, &[]);
        }
        assert_eq!(all.before(&creation(1, 1_000)).len(), PER_SENDER);
        assert_eq!(all.created.len(), PER_SENDER);
        for n in 0..10_000_u64 {
            all.remember(0, creation((n % 250) as u8, n), None, &[]);
        }
        assert!(all.order.len() <= REMEMBERED);
        let held: usize = all.by_sender.values().map(VecDeque::len).sum();
        assert!(held <= REMEMBERED && all.created.len() <= held);
        assert_eq!(all.bytes, held * 100);
    }

    proptest! {
        /// Whatever was sent in whatever order: what comes before is the unbroken run up to it, by nonce, and of each nonce
        /// the highest bid comes first.
        #[test]
        fn what_fills_a_gap_is_unbroken_and_the_highest_bid(
            sent in proptest::collection::vec((0..20_u64, 0..4_u128), 0..60), nonce in 0..22_u64,
        ) {
            let mut all = Predecessors::default();
            for (n, (nonce, fee)) in (0_u64..).zip(sent) {
                let tx = PendingTransaction {
                    hash: B256::left_padding_from(&n.to_be_bytes()),
                    from: Address::ZERO,
                    to: Some(Address::ZERO),
                    nonce,
                    max_fee_per_gas: fee,
                    ..PendingTransaction::default()
                };
                all.judged(Earlier { fingerprint: 0, tx: Arc::new(tx), original: None });
            }
            let known = |nonce: u64| all.lately.of(&Address::ZERO).filter(move |one| one.tx.nonce == nonce);
            let suspect = PendingTransaction { nonce, ..PendingTransaction::default() };
            let before = all.before(&suspect);
            prop_assert!(before.is_sorted_by_key(|one| one.tx.nonce));
            let mut nonces: Vec<_> = before.iter().map(|one| one.tx.nonce).collect();
            nonces.dedup();
            let lowest = (0..nonce).rev().take_while(|nonce| known(*nonce).next().is_some()).last();
            prop_assert_eq!(nonces, (lowest.unwrap_or(nonce)..nonce).collect::<Vec<_>>());
            for one in before.chunk_by(|a, b| a.tx.nonce == b.tx.nonce) {
                let highest = known(one[0].tx.nonce).map(|one| one.tx.max_fee_per_gas).max();
                prop_assert_eq!(Some(one[0].tx.max_fee_per_gas), highest);
                prop_assert_eq!(one.len(), known(one[0].tx.nonce).count());
            }
        }
    }
}
