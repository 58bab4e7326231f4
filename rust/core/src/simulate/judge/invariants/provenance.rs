//! Which slots the contract's own code looked up by itself.

use super::entries::{Entries, account};
use super::lanes::{self, says};
use super::{Effects, codes};
use crate::evidence::trace::{CallKind, Frame};
use crate::simulate::evm::diff::AccountDiff;
use alloy_primitives::{Address, U256};
use memchr::memmem;
use std::collections::{BTreeMap, BTreeSet};

/// Codes that run as one contract in one execution; what comes after is none of its own.
const MAX_CODES: usize = 64;
/// A slot above this is no variable's number: who hands one over worked it out.
const NUMBER_BITS: usize = 64;

/// The slots with an account that code of the contract's own touched, but for those that stand in its calldata.
pub(super) fn looked_up(effects: &Effects, entries: &Entries) -> BTreeSet<U256> {
    let contract = effects.contract.address;
    let own = own_frames(effects);
    let frames = &effects.execution.trace.frames;
    let touched = effects.execution.accesses.iter().filter(|access| {
        access.contract == contract && own.get(access.frame as usize) == Some(&true)
    });
    let touched: BTreeSet<U256> = touched.map(|access| access.slot).collect();
    let handed_over = |slot: &U256| {
        let word = slot.to_be_bytes::<32>();
        let mut inputs = entries.all().map(|entry| &frames[entry as usize].input);
        slot.bit_len() > NUMBER_BITS && inputs.any(|input| memmem::find(input, &word).is_some())
    };
    let holds = |slot: &U256| {
        let value = own_account(effects).and_then(|own| own.storage.get(slot));
        value.is_some_and(|(before, _)| before.bit_len() > NUMBER_BITS)
    };
    let named = touched.into_iter().filter(|slot| holds(slot));
    named.filter(|slot| !handed_over(slot)).collect()
}

/// Of each frame whether it runs code of the contract's own, as the contract: that at its address, what its code names, what
/// a slot holds that such code looked up before, and what anybody told who is named so.
fn own_frames(effects: &Effects) -> Vec<bool> {
    let contract = effects.contract.address;
    let frames = &effects.execution.trace.frames;
    let mut own = vec![false; frames.len()];
    let mut known: BTreeMap<Address, bool> = BTreeMap::from([(contract, true)]);
    for (index, frame) in frames.iter().enumerate() {
        let Some(code) = frame.to.filter(|_| account(frame) == Some(contract)) else {
            continue;
        };
        let delegated = matches!(frame.kind, CallKind::DelegateCall | CallKind::CallCode);
        if delegated && !own[frame.parent as usize] {
            continue;
        }
        own[index] = match known.get(&code) {
            Some(known) => *known,
            None if known.len() > MAX_CODES => false,
            None => {
                let named = |one| held(effects, one, &own) || codes::name(effects, contract, one);
                let is_own = named(code) || told(effects, index, code).any(named);
                known.insert(code, is_own);
                is_own
            }
        };
    }
    own
}

/// Whom the contract asked before, and who named an account in the answer: a beacon, say.
fn told<'e>(effects: &'e Effects, before: usize, named: Address) -> impl Iterator<Item = Address> {
    let contract = effects.contract.address;
    let frames: &'e [Frame] = &effects.execution.trace.frames[..before];
    let asked = frames.iter().filter(move |frame| {
        frame.from == contract
            && matches!(frame.kind, CallKind::StaticCall | CallKind::Call)
            && frame.error.is_none()
            && says(&frame.output, named)
    });
    asked.filter_map(|frame| frame.to)
}

/// Whether a slot holds an account that a frame of the contract's own touched.
fn held(effects: &Effects, one: Address, own: &[bool]) -> bool {
    let holders: BTreeSet<U256> = lanes::kept(own_account(effects), one).collect();
    let mut accesses = effects.execution.accesses.iter();
    accesses.any(|access| {
        access.contract == effects.contract.address
            && holders.contains(&access.slot)
            && own.get(access.frame as usize).is_some_and(|own| *own)
    })
}

fn own_account<'e>(effects: &Effects<'e>) -> Option<&'e AccountDiff> {
    let execution = effects.execution;
    execution.diff.0.get(&effects.contract.address)
}
