//! Pending transactions that were judged lately, whoever sent them: what comes before a suspect, and what replaced it.

use crate::pipeline::slot::held;
use crate::simulate::pool::suspect::Earlier;
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Transactions remembered, and their bytes: some times what a node's pool holds.
pub const MOST: usize = 1 << 14;
pub const BYTES: usize = 16 << 20;
/// Of one sender, and of one nonce of it.
pub const PER_SENDER: usize = 128;
pub const PER_NONCE: usize = 4;
/// Callers of one account that are found by it, the newest.
pub const PER_CALLEE: usize = 64;

/// Each until a block has its nonce, or newer ones take its room.
#[derive(Debug, Default)]
pub struct Lately {
    /// Oldest first, each with its number.
    by_sender: HashMap<Address, VecDeque<(u64, Earlier)>>,
    /// Where those are that call an account: sender and number, oldest first.
    by_callee: HashMap<Address, VecDeque<(Address, u64)>>,
    /// Oldest first; who went leaves its place behind for a while.
    order: VecDeque<(Address, u64)>,
    next: u64,
    count: usize,
    bytes: usize,
}

impl Lately {
    pub fn knows(&self, earlier: &Earlier) -> bool {
        self.has(&earlier.tx.from, |other| other.key() == earlier.key())
    }

    /// Adds one that is not known.
    pub fn add(&mut self, earlier: Earlier) {
        let (sender, nonce) = (earlier.tx.from, earlier.tx.nonce);
        let queue = self.by_sender.entry(sender).or_default();
        let of_nonce = |(_, other): &&(u64, Earlier)| other.tx.nonce == nonce;
        let surplus = match queue.iter().filter(of_nonce).count() >= PER_NONCE {
            true => queue.iter().position(|other| of_nonce(&other)),
            false => (queue.len() >= PER_SENDER).then_some(0),
        };
        if let Some((number, gone)) = surplus.and_then(|position| queue.remove(position)) {
            self.count -= 1;
            self.bytes -= bytes(&gone);
            unlist(&mut self.by_callee, &gone, number);
        }
        self.count += 1;
        self.bytes += bytes(&earlier);
        if let Some(callee) = earlier.tx.to {
            let callers = self.by_callee.entry(callee).or_default();
            callers.push_back((sender, self.next));
            if callers.len() > PER_CALLEE {
                callers.pop_front();
            }
        }
        queue.push_back((self.next, earlier));
        self.order.push_back((sender, self.next));
        self.next += 1;
        while (self.count > MOST || self.bytes > BYTES)
            && let Some((sender, number)) = self.order.pop_front()
        {
            self.forget(&sender, |other, _| other == number);
        }
        if self.order.len() > 2 * MOST {
            let queues = &self.by_sender;
            self.order.retain(|(sender, number)| {
                let queue = queues.get(sender);
                queue.is_some_and(|queue| queue.iter().any(|(other, _)| other == number))
            });
        }
    }

    /// Those of a sender, newest first.
    pub fn of(&self, sender: &Address) -> impl Iterator<Item = &Earlier> {
        let queue = self.by_sender.get(sender).into_iter().flatten();
        queue.rev().map(|(_, earlier)| earlier)
    }

    /// Those that call an account, newest first.
    pub fn callers(&self, callee: &Address) -> impl Iterator<Item = &Earlier> {
        let places = self.by_callee.get(callee).into_iter().flatten().rev();
        places.filter_map(|(sender, number)| {
            let queue = self.by_sender.get(sender)?;
            let place = queue.binary_search_by_key(number, |(number, _)| *number);
            Some(&queue[place.ok()?].1)
        })
    }

    /// A block has this nonce.
    pub fn mined(&mut self, sender: &Address, nonce: u64) {
        self.forget(sender, |_, earlier| earlier.tx.nonce <= nonce);
    }

    fn has(&self, sender: &Address, which: impl Fn(&Earlier) -> bool) -> bool {
        self.of(sender).any(which)
    }

    fn forget(&mut self, sender: &Address, which: impl Fn(u64, &Earlier) -> bool) {
        let Some(queue) = self.by_sender.get_mut(sender) else {
            return;
        };
        queue.retain(|(number, earlier)| {
            let goes = which(*number, earlier);
            if goes {
                self.count -= 1;
                self.bytes -= bytes(earlier);
                unlist(&mut self.by_callee, earlier, *number);
            }
            !goes
        });
        if queue.is_empty() {
            self.by_sender.remove(sender);
        }
    }
}

fn unlist(by_callee: &mut HashMap<Address, VecDeque<(Address, u64)>>, gone: &Earlier, number: u64) {
    let Some(callee) = gone.tx.to else { return };
    if let Some(callers) = by_callee.get_mut(&callee) {
        callers.retain(|(_, other)| *other != number);
        if callers.is_empty() {
            by_callee.remove(&callee);
        }
    }
}

fn bytes(earlier: &Earlier) -> usize {
    held(&earlier.tx, earlier.original.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::PendingTransaction;
    use alloy_primitives::{B256, U256};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn sent(n: u64, sender: u16, nonce: u64, bytes: usize) -> Earlier {
        let tx = PendingTransaction {
            hash: B256::from(U256::from(n)),
            from: Address::left_padding_from(&sender.to_be_bytes()),
            to: Some(Address::with_last_byte(nonce as u8)),
            nonce,
            input: vec![0; bytes],
            ..PendingTransaction::default()
        };
        Earlier {
            fingerprint: 0,
            tx: Arc::new(tx),
            original: None,
        }
    }

    #[test]
    fn the_oldest_give_way_and_mined_ones_go_at_once() {
        let mut all = Lately::default();
        for n in 0..MOST as u64 + 10 {
            all.add(sent(n, (n % 1_000) as u16, n, 1));
        }
        assert_eq!((all.count, all.bytes), (MOST, MOST));
        assert!(!all.knows(&sent(9, 9, 9, 1)) && all.knows(&sent(10, 10, 10, 1)));
        let sender = sent(10, 10, 10, 1).tx.from;
        let before = all.of(&sender).count();
        all.mined(&sender, 1_010);
        assert_eq!(all.of(&sender).count(), before - 2);
    }

    #[test]
    fn replacing_one_over_and_over_pushes_no_other_out() {
        let mut all = Lately::default();
        all.add(sent(0, 1, 0, 0));
        for n in 1..1_000 {
            all.add(sent(n, 1, 1, 0));
        }
        let sender = sent(0, 1, 0, 0).tx.from;
        let nonces: Vec<_> = all.of(&sender).map(|one| one.tx.nonce).collect();
        assert_eq!(nonces, [1, 1, 1, 1, 0]);
    }

    #[test]
    fn who_calls_an_account_is_found_by_it_until_a_block_has_it() {
        let mut all = Lately::default();
        let hashes = |all: &Lately| -> Vec<_> {
            let callee = Address::with_last_byte(7);
            let callers = all.callers(&callee);
            callers.map(|one| one.tx.hash).collect()
        };
        for n in 0..PER_CALLEE as u64 + 2 {
            all.add(sent(n, n as u16, 7, 0));
        }
        all.add(sent(1_000, 1_000, 8, 0));
        let newest: Vec<_> = (2..PER_CALLEE as u64 + 2).rev().collect();
        let expected =
            |all: &[u64]| -> Vec<_> { all.iter().map(|n| sent(*n, 0, 7, 0).tx.hash).collect() };
        assert_eq!(hashes(&all), expected(&newest));
        all.mined(&sent(65, 65, 7, 0).tx.from, 7);
        assert_eq!(hashes(&all), expected(&newest[1..]));
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_counted(
            sent_ones in proptest::collection::vec((0..5_u16, 0..60_u64, 0..200_000_usize, any::<bool>()), 0..600),
        ) {
            let mut all = Lately::default();
            for (n, (sender, nonce, size, mines)) in (0..).zip(sent_ones) {
                let one = sent(n, sender, nonce, size);
                match mines {
                    true => all.mined(&one.tx.from, nonce / 2),
                    false => all.add(one),
                }
                let queues = || all.by_sender.values().flatten().map(|(_, one)| one);
                prop_assert_eq!(all.count, queues().count());
                prop_assert_eq!(all.bytes, queues().map(bytes).sum::<usize>());
                let listed = all.by_callee.values().map(VecDeque::len);
                prop_assert_eq!(listed.sum::<usize>(), all.by_callee.keys().map(|to| all.callers(to).count()).sum::<usize>());
                prop_assert!(all.by_callee.values().all(|callers| (1..=PER_CALLEE).contains(&callers.len())));
                prop_assert!(all.bytes <= BYTES && all.count <= MOST && all.order.len() <= 2 * MOST);
                prop_assert!(all.by_sender.values().all(|queue| (1..=PER_SENDER).contains(&queue.len())));
            }
        }
    }
}
