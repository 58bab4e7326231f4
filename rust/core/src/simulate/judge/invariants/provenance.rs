//! Which slots the contract's own code looked up by itself.

use super::case::Case;
use super::entries::account;
use super::knowledge::code_names;
use super::lanes::{self, says};
use crate::evidence::trace::{CallKind, Frame};
use alloy_primitives::{Address, U256};
use memchr::memmem;
use std::collections::{BTreeMap, BTreeSet};

/// Codes that run as one contract in one execution; what comes after is none of its own.
const MAX_CODES: usize = 64;
/// A slot above this is no variable's number: who hands one over worked it out.
const NUMBER_BITS: usize = 64;

/// The slots that code of the contract's own touched, but for those that stand in its calldata.
pub(super) fn looked_up(case: &Case) -> BTreeSet<U256> {
    let contract = case.contract.address;
    let own = own_frames(case);
    let frames = &case.effects.execution.trace.frames;
    let touched = case.effects.execution.accesses.iter().filter(|access| {
        access.contract == contract && own.get(access.frame as usize) == Some(&true)
    });
    let touched: BTreeSet<U256> = touched.map(|access| access.slot).collect();
    let told = |slot: &U256| {
        let word = slot.to_be_bytes::<32>();
        let mut inputs = case
            .entries
            .all()
            .map(|entry| &frames[entry as usize].input);
        slot.bit_len() > NUMBER_BITS && inputs.any(|input| memmem::find(input, &word).is_some())
    };
    // Only what holds an account names anybody.
    let holds = |slot: &U256| {
        let value = case.own().and_then(|own| own.storage.get(slot));
        value.is_some_and(|(before, _)| before.bit_len() > NUMBER_BITS)
    };
    touched
        .into_iter()
        .filter(|slot| holds(slot) && !told(slot))
        .collect()
}

/// Of each frame whether it runs code of the contract's own, as the contract: that at its address, what its code names, what
/// a slot holds that such code looked up before, and what anybody told who is named so.
fn own_frames(case: &Case) -> Vec<bool> {
    let contract = case.contract.address;
    let frames = &case.effects.execution.trace.frames;
    let mut own = vec![false; frames.len()];
    let mut codes: BTreeMap<Address, bool> = BTreeMap::from([(contract, true)]);
    for (index, frame) in frames.iter().enumerate() {
        let Some(code) = frame.to.filter(|_| account(frame) == Some(contract)) else {
            continue;
        };
        let delegated = matches!(frame.kind, CallKind::DelegateCall | CallKind::CallCode);
        own[index] = match codes.get(&code) {
            Some(known) => *known && (!delegated || own[frame.parent as usize]),
            None if !own[frame.parent as usize] || codes.len() > MAX_CODES => false,
            None => {
                let named = |one| held_by(case, one, &own) || code_names(case, contract, one);
                let known = named(code) || told(case, &frames[..index], code).any(named);
                codes.insert(code, known);
                known
            }
        };
    }
    own
}

/// Whom the contract asked, and who named an account in the answer: a beacon, say.
fn told<'c>(
    case: &Case,
    before: &'c [Frame],
    named: Address,
) -> impl Iterator<Item = Address> + 'c {
    let contract = case.contract.address;
    let asked = before.iter().filter(move |frame| {
        frame.from == contract
            && matches!(frame.kind, CallKind::StaticCall | CallKind::Call)
            && frame.error.is_none()
            && says(&frame.output, named)
    });
    asked.filter_map(|frame| frame.to)
}

/// Whether a slot holds an account that code which is known to be the contract's own touched.
fn held_by(case: &Case, held: Address, own: &[bool]) -> bool {
    let holders: BTreeSet<U256> = lanes::kept(case.own(), held).collect();
    let mut accesses = case.effects.execution.accesses.iter();
    accesses.any(|access| {
        access.contract == case.contract.address
            && holders.contains(&access.slot)
            && own[access.frame as usize]
    })
}
