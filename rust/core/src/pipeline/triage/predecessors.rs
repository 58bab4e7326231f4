//! Pending transactions that a later one of the same sender may build on: what it creates is called before any block has it.

use crate::pipeline::slot::held;
use crate::simulate::pool::suspect::Earlier;
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Transactions remembered, and their bytes.
const REMEMBERED: usize = 1_024;
const BYTES: usize = 16 << 20;
/// Of one sender.
const PER_SENDER: usize = 4;
/// Addresses remembered of contracts that simulations created.
const FORESEEN: usize = 4_096;

/// The last creations, and suspects, by sender.
#[derive(Debug, Default)]
pub struct Predecessors {
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
    /// `contacts`: the monitored contracts that it touches, or that its init code names, as indices.
    pub fn remember(
        &mut self,
        fingerprint: u64,
        tx: Arc<PendingTransaction>,
        original: Option<Original>,
        contacts: &[u16],
    ) {
        let sender = tx.from;
        let queue = self.by_sender.entry(sender).or_default();
        // Other contents under its hash may be the true ones.
        let key = (tx.hash, fingerprint);
        if queue.iter().any(|earlier| earlier.key() == key) {
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
        let earlier = Earlier {
            fingerprint,
            tx,
            original,
        };
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

    /// The creation of its callee by somebody else, then those of the same sender that come before `tx`, by nonce. Of those of
    /// one nonce the newest comes first: it replaces the others, unless it is a lie.
    pub fn before(&self, tx: &PendingTransaction) -> Vec<Earlier> {
        let all = self.by_sender.get(&tx.from).into_iter().flatten();
        let mut before: Vec<_> = all
            .filter(|earlier| earlier.tx.nonce < tx.nonce)
            .cloned()
            .collect();
        before.reverse();
        before.sort_by_key(|earlier| earlier.tx.nonce);
        let creation = tx.to.as_ref().and_then(|callee| self.created.get(callee));
        let creation = creation.filter(|creation| creation.sender != tx.from);
        let creations = creation.into_iter().flat_map(|one| self.creations(one));
        creations.cloned().chain(before).collect()
    }

    /// Newest first.
    fn creations(&self, creation: &Creation) -> impl Iterator<Item = &Earlier> {
        let of_sender = self.by_sender.get(&creation.sender);
        let newest_first = of_sender.into_iter().flatten().rev();
        let nonce = creation.nonce;
        newest_first.filter(move |earlier| earlier.tx.to.is_none() && earlier.tx.nonce == nonce)
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

/// Adds what is not there yet.
pub fn unite(known: &mut Vec<u16>, contacts: &[u16]) {
    for contact in contacts {
        if !known.contains(contact) {
            known.push(*contact);
        }
    }
}

fn bytes(earlier: &Earlier) -> usize {
    held(&earlier.tx, earlier.original.as_ref())
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
        let before = all.before(&creation(1, 10));
        let nonces: Vec<_> = before.iter().map(|earlier| earlier.tx.nonce).collect();
        assert_eq!(nonces, [0, 7, 8, 9]);
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
}
