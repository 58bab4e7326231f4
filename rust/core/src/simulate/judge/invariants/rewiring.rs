//! `rewiring`: a stranger points the contract at another contract than it relied on.

use super::case::Case;
use super::keys::account;
use super::takeover::SLOTS;
use super::{Finding, authority};
use crate::evidence::Class;
use crate::evidence::trace::CallKind;
use alloy_primitives::{Address, B256, U256};
use std::collections::BTreeSet;

/// Changed slots whose former account is looked up.
const MAX_SLOTS: usize = 16;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if !case.by_strangers() {
        return None;
    }
    let mut seen = BTreeSet::new();
    let changed = case.moves().iter().filter_map(|moved| {
        let original = case.own()?.storage.get(&moved.slot)?.0;
        let word = |word: U256| account(&word.to_be_bytes::<32>());
        let (before, after) = (word(original)?, word(moved.after)?);
        let slot = B256::from(moved.slot);
        let conventional = SLOTS.iter().any(|(_, known)| *known == slot);
        (before != after && !conventional && !kept_for_somebody(case, moved.slot, moved.entry))
            .then_some((before, after, moved.entry))
    });
    let code = |account: Address| case.effects.views.has_code(account) == Some(true);
    let (before, after, entry) = changed
        .filter(|(before, ..)| seen.insert(*before))
        .filter(|(before, _, entry)| !paid(case, *before) && !asked(case, *entry, *before))
        .take(MAX_SLOTS)
        .find(|(before, ..)| code(*before))?;
    // Whoever writes himself there may be the next of a line: the highest bidder, the last caller.
    let himself = case.callers(entry).any(|caller| caller == after);
    Some(Finding {
        class: Class::Attack,
        weight: if himself { 0.5 } else { 0.85 },
        severe: !himself,
        explanation: format!(
            "{} relied on the contract {before}; {}, whom it names nowhere, puts {after} in its place",
            case.contract.name, case.effects.execution.trace.frames[entry as usize].from,
        ),
        losses: Vec::new(),
    })
}

/// A choice of one's own, an element of a list, who owns a number: these change hands all day.
fn kept_for_somebody(case: &Case, slot: U256, entry: u32) -> bool {
    let keys = case.keys();
    keys.keyed(slot)
        && (keys.accounts(slot).next().is_none()
            || case.callers(entry).any(|caller| keys.names(slot, caller)))
}

/// Who is merely paid was never relied on.
fn paid(case: &Case, account: Address) -> bool {
    let contract = case.contract.address;
    let mut frames = case.effects.execution.trace.frames.iter();
    frames.any(|frame| {
        frame.kind == CallKind::Call
            && (frame.from, frame.to) == (contract, Some(account))
            && frame.input.is_empty()
    })
}

/// By whom it names, or by whom stood there: an owner hands over.
fn asked(case: &Case, entry: u32, before: Address) -> bool {
    let caller = case.effects.execution.trace.frames[entry as usize].from;
    caller == before || authority::over_call(case, entry).is_some()
}
