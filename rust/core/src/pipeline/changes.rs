//! What blocks did to monitored contracts, with whom their transactions called: a node tells the one with the block's trace, the
//! other with its contents, in whatever order.

use crate::chain::{BlockChanges, BlockContents};
use alloy_primitives::{Address, B256};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Blocks of which the other half is awaited.
const WAITING: usize = 8;

/// A mined transaction that changed monitored contracts.
#[derive(Debug, PartialEq, Eq)]
pub struct Touch {
    pub hash: B256,
    /// Nothing where it created a contract.
    pub callee: Option<Address>,
    pub contracts: Vec<Address>,
}

type Callees = HashMap<B256, Option<Address>>;
/// Of a block's transactions, the monitored contracts that each changed.
type Touched = Vec<(B256, Vec<Address>)>;

#[derive(Debug, Default)]
pub struct Changed {
    callees: VecDeque<(B256, Callees)>,
    changes: VecDeque<(B256, Touched)>,
}

impl Changed {
    /// A block's contents are there. Answers what it did, where that is known already.
    pub fn block(&mut self, block: &BlockContents) -> Vec<Touch> {
        let transactions = block.transactions.iter();
        let callees = transactions.map(|one| (one.hash, one.to)).collect();
        remember(&mut self.callees, block.hash, callees);
        self.both(&block.hash)
    }

    /// What a block did is told. Answers that with whom it called, where its contents are there.
    pub fn changes(&mut self, changes: &BlockChanges) -> Vec<Touch> {
        remember(&mut self.changes, changes.hash, changes.touched.clone());
        self.both(&changes.hash)
    }

    fn both(&mut self, hash: &B256) -> Vec<Touch> {
        let of = |all: &mut VecDeque<(B256, _)>| all.iter().position(|(of, _)| of == hash);
        let callees = self.callees.iter().find(|(of, _)| of == hash);
        let Some((_, callees)) = callees else {
            return Vec::new();
        };
        let changes = of(&mut self.changes).and_then(|place| self.changes.remove(place));
        let touched = changes.into_iter().flat_map(|(_, touched)| touched);
        let touches = touched.map(|(hash, contracts)| Touch {
            hash,
            callee: callees.get(&hash).copied().flatten(),
            contracts,
        });
        touches.collect()
    }
}

fn remember<T>(all: &mut VecDeque<(B256, T)>, hash: B256, what: T) {
    all.retain(|(of, _)| *of != hash);
    all.push_back((hash, what));
    if all.len() > WAITING {
        all.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::MinedTransaction;

    fn block(n: u8) -> BlockContents {
        let mined = MinedTransaction {
            hash: B256::repeat_byte(n),
            from: Address::ZERO,
            nonce: 0,
            to: Some(Address::repeat_byte(n)),
            creates: false,
        };
        BlockContents {
            number: 1,
            hash: B256::with_last_byte(n),
            transactions: vec![mined],
        }
    }

    fn changes(n: u8) -> BlockChanges {
        BlockChanges {
            number: 1,
            hash: B256::with_last_byte(n),
            touched: vec![(B256::repeat_byte(n), vec![Address::ZERO])],
            named: Vec::new(),
        }
    }

    #[test]
    fn a_block_is_told_of_once_whichever_half_comes_first() {
        let touch = |n| Touch {
            hash: B256::repeat_byte(n),
            callee: Some(Address::repeat_byte(n)),
            contracts: vec![Address::ZERO],
        };
        let mut all = Changed::default();
        assert!(all.block(&block(1)).is_empty());
        assert_eq!(all.changes(&changes(1)), [touch(1)]);
        assert!(all.changes(&changes(2)).is_empty());
        assert_eq!(all.block(&block(2)), [touch(2)]);
        assert!(all.block(&block(2)).is_empty());
    }

    #[test]
    fn what_never_has_its_other_half_takes_no_room_for_ever() {
        let mut all = Changed::default();
        for n in 0..100 {
            all.block(&block(n));
            all.changes(&changes(n + 100));
        }
        assert_eq!((all.callees.len(), all.changes.len()), (WAITING, WAITING));
    }
}
