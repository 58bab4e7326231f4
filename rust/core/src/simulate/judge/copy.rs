//! Whether somebody else who sends the same gains the same: then others will, and bid a part of the loot for it.
//!
//! A copy is executed on what the original read and on nothing else: what it reads beside is taken to be empty. Of what is
//! kept under the copier's address, which nobody has used, that is true; where the copy goes another way than the original
//! it is a guess. So no node is asked, and a replay comes to the same.

use crate::evidence::trace::Trace;
use crate::evidence::transfers::{Asset, Transfer, net};
use crate::simulate::evm::StateError;
use crate::simulate::evm::diff::StateDiff;
use crate::simulate::evm::execute::Execution;
use alloy_primitives::map::{AddressMap, HashMap};
use alloy_primitives::{Address, B256, Bytes, I256, TxKind, U256, keccak256};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::state::AccountInfo;
use std::collections::{BTreeMap, BTreeSet};

/// What transactions read, as it was before the first of them.
#[derive(Debug, Clone, Default)]
pub struct Read(AddressMap<(Option<AccountInfo>, HashMap<U256, U256>)>);

impl Read {
    /// Of the next transaction.
    pub fn add(&mut self, diff: &StateDiff) {
        for (address, account) in &diff.0 {
            let first = || (account.before.clone(), HashMap::default());
            let (_, slots) = self.0.entry(*address).or_insert_with(first);
            for (slot, (before, _)) in &account.storage {
                slots.entry(*slot).or_insert(*before);
            }
        }
    }

    pub fn account(&self, address: &Address) -> Option<&AccountInfo> {
        self.0.get(address)?.0.as_ref()
    }
}

impl DatabaseRef for Read {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        Ok(self.account(&address).cloned())
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        Err(StateError::NoCode(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        let account = self.0.get(&address);
        let value = account.and_then(|(_, slots)| slots.get(&slot));
        Ok(value.copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        Ok(keccak256(number.to_be_bytes()))
    }
}

/// A sequence as somebody else would send it.
pub struct Copied {
    /// What it is executed on.
    pub state: Read,
    pub transactions: Vec<TxEnv>,
    /// The copier, and what it creates by transactions.
    side: BTreeSet<Address>,
}

impl Copied {
    /// Of a sequence's last transaction, and of what its sender sends before it; `read`: what the sequence read. The copier
    /// has the sender's balance and nonces, and its own address, and those of what it creates, wherever the sender's are in
    /// calldata and init code. What others signed for the sender (EIP-7702) stays as it is.
    pub fn of(sequence: &[TxEnv], read: &Read) -> Option<Self> {
        let sender = sequence.last()?.caller;
        let copier = Address::from_word(keccak256([&b"copier"[..], sender.as_slice()].concat()));
        let mut replaced = vec![(sender, copier)];
        let own = sequence.iter().filter(|tx| tx.caller == sender);
        for creation in own.filter(|tx| tx.kind == TxKind::Create) {
            let nonce = creation.nonce;
            replaced.push((sender.create(nonce), copier.create(nonce)));
        }
        let copied = |tx: &TxEnv| {
            let mut copy = tx.clone();
            if tx.caller == sender {
                copy.caller = copier;
                copy.data = replace(&tx.data, &replaced);
                if let TxKind::Call(to) = &mut copy.kind {
                    let other = replaced.iter().find(|(from, _)| from == to);
                    *to = other.map_or(*to, |(_, by)| *by);
                }
            }
            copy
        };
        let mut state = read.clone();
        let account = read.account(&sender).cloned();
        state.0.insert(copier, (account, HashMap::default()));
        Some(Self {
            state,
            transactions: sequence.iter().map(copied).collect(),
            side: replaced.into_iter().map(|(_, by)| by).collect(),
        })
    }

    /// What the copier's side gains by an execution.
    pub fn gains(&self, execution: &Execution) -> BTreeMap<Asset, U256> {
        let (trace, mut side) = (&execution.trace, self.side.clone());
        // In their order: who creates was created before.
        for (frame, stands) in trace.frames.iter().zip(trace.stands()) {
            if stands && frame.kind.creates() && side.contains(&frame.from) {
                side.extend(frame.to);
            }
        }
        gains(&side, &trace.movements())
    }
}

/// What the sender's side gains: the sender, whom it called, unless that is monitored, and what was created meanwhile.
pub fn original_gains(
    sender: Address,
    trace: &Trace,
    stands: &[bool],
    transfers: &[Transfer],
    monitored: &[Address],
) -> BTreeMap<Asset, U256> {
    let created = trace.frames.iter().zip(stands);
    let created = created.filter(|(frame, stands)| **stands && frame.kind.creates());
    let called = trace.root().and_then(|root| root.to);
    let side = created.filter_map(|(frame, _)| frame.to).chain(called);
    let mut side: BTreeSet<_> = side.filter(|one| !monitored.contains(one)).collect();
    side.insert(sender);
    gains(&side, transfers)
}

/// Whether the copy gains half of what the original does, in the asset of that one's largest gain: among those that victims
/// lose, where it gains any. Amounts of different assets are compared in their smallest units.
pub fn is_as_good(
    original: &BTreeMap<Asset, U256>,
    copy: &BTreeMap<Asset, U256>,
    lost: &[Asset],
) -> bool {
    let largest = original
        .iter()
        .max_by_key(|(asset, gain)| (lost.contains(asset), **gain));
    largest.is_some_and(|(asset, gain)| {
        let same = copy.get(asset).copied().unwrap_or_default();
        same.saturating_mul(U256::from(2)) >= *gain
    })
}

fn gains(side: &BTreeSet<Address>, transfers: &[Transfer]) -> BTreeMap<Asset, U256> {
    let mut sums: BTreeMap<Asset, I256> = BTreeMap::new();
    let own = net(transfers).into_iter();
    for (asset, sum) in own
        .filter(|(of, _)| side.contains(of))
        .flat_map(|(_, of)| of)
    {
        let total = sums.entry(asset).or_default();
        *total = total.saturating_add(sum);
    }
    let gained = sums.into_iter().filter(|(_, sum)| sum.is_positive());
    gained
        .map(|(asset, sum)| (asset, sum.unsigned_abs()))
        .collect()
}

/// Addresses by others, wherever they are: aligned to words, packed, or in code.
fn replace(data: &Bytes, replaced: &[(Address, Address)]) -> Bytes {
    let mut copy = Vec::from(data.clone());
    for (from, by) in replaced {
        for at in memchr::memmem::find_iter(data, from.as_slice()) {
            copy[at..at + 20].copy_from_slice(by.as_slice());
        }
    }
    copy.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: Address = Address::repeat_byte(0x5e);

    fn sent(caller: Address, nonce: u64, kind: TxKind, data: Vec<u8>) -> TxEnv {
        TxEnv {
            caller,
            nonce,
            kind,
            data: data.into(),
            ..TxEnv::default()
        }
    }

    #[test]
    fn a_copy_has_the_copiers_address_and_those_of_its_creations_wherever_the_senders_are() {
        let (created, other) = (SENDER.create(3), Address::repeat_byte(7));
        let word = [&[1, 2, 3, 4][..], SENDER.into_word().as_slice()].concat();
        let packed = [&created[..], &other[..], &SENDER[..]].concat();
        let sequence = [
            sent(other, 0, TxKind::Call(SENDER), word.clone()),
            sent(SENDER, 3, TxKind::Create, word.clone()),
            sent(SENDER, 4, TxKind::Call(created), packed),
        ];
        let copy = Copied::of(&sequence, &Read::default()).unwrap();
        let copier = copy.transactions[2].caller;
        assert_ne!(copier, SENDER);
        // What others send is theirs.
        assert_eq!(copy.transactions[0], sequence[0]);
        let word = [&[1, 2, 3, 4][..], copier.into_word().as_slice()].concat();
        assert_eq!(copy.transactions[1].data, word);
        assert_eq!(copy.transactions[1].caller, copier);
        let new = copier.create(3);
        assert_eq!(copy.transactions[2].kind, TxKind::Call(new));
        let packed = [&new[..], &other[..], &copier[..]].concat();
        assert_eq!(copy.transactions[2].data, packed);
    }

    #[test]
    fn half_of_the_largest_gain_is_enough_and_of_what_was_lost_first() {
        let (eth, token) = (Asset::Native, Asset::Token(SENDER));
        let gains = |pairs: &[(Asset, u64)]| -> BTreeMap<Asset, U256> {
            pairs.iter().map(|(a, n)| (*a, U256::from(*n))).collect()
        };
        let original = gains(&[(eth, 100), (token, 5_000)]);
        let good =
            |copy: &[(Asset, u64)], lost: &[Asset]| is_as_good(&original, &gains(copy), lost);
        assert!(good(&[(eth, 50)], &[eth]));
        assert!(!good(&[(eth, 49), (token, 5_000)], &[eth]));
        assert!(good(&[(token, 2_500)], &[]));
        assert!(!good(&[(eth, 100)], &[]));
        // Who gains nothing is not copied.
        assert!(!is_as_good(&gains(&[]), &gains(&[(eth, 1)]), &[]));
    }
}
