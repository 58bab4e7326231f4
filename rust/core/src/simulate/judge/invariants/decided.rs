//! What the contract does was decided before: the call stood in its storage, by its hash or word for word, with the votes
//! for it.
//!
//! Anybody may propose, and votes can be borrowed for the length of a transaction. So only what stood there before counts,
//! and only where the transaction does nothing before it: its sender calls the contract, or who may have it act.

use super::case::Case;
use super::entries::account;
use super::knowledge::names;
use super::lanes;
use super::roles::has_role;
use crate::evidence::trace::CallKind;
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, Bytes, U256, hex, keccak256};
use memchr::memmem;
use std::collections::BTreeSet;

/// `getMinDelay()` of timelocks, `delay()` of those before, `votingDelay()` and `votingPeriod()` of governors.
const DELAYS: [[u8; 4]; 4] = [
    hex!("f27a0c92"),
    hex!("6a42b8f8"),
    hex!("3932abb1"),
    hex!("02a251a3"),
];
/// Calls of the contract's that are compared with its storage.
const MAX_CALLS: usize = 64;
/// Slots that are looked at.
const MAX_SLOTS: usize = 4_096;
/// Bytes of a call that are hashed, or compared.
const MAX_BYTES: usize = 1 << 16;
/// Lists in lists, up to what they are a part of.
const NESTED: usize = 4;
/// Words of a proposal.
const STRUCTURE: u64 = 16;
/// A number of votes has more bits than a time, a state or a count of proposals, and fewer than an account or a hash.
const VOTES: std::ops::Range<usize> = 48..128;

/// In words, that all of these calls do what was decided; `None` where one does anything else.
pub(super) fn before(case: &Case, calls: &BTreeSet<u32>) -> Option<String> {
    let all = !calls.is_empty() && calls.iter().all(|entry| plain(case, *entry));
    let agreed = |entry: &u32| hashed(case, *entry) && waits(case) || written(case, *entry);
    (all && calls.iter().all(agreed)).then(|| "it had been decided before".to_owned())
}

/// Whether nobody could prepare anything: the transaction is this call, or a call of a contract that has it act and that it
/// knows. Who signs may have code of his own (EIP-7702), which borrows what it likes before it calls.
fn plain(case: &Case, entry: u32) -> bool {
    let frames = &case.effects.execution.trace.frames;
    let frame = &frames[entry as usize];
    let governs = |caller: Address| names(case, caller) || has_role(case, entry, caller);
    let first = frames.first().and_then(|root| root.to);
    frame.depth == 0 || frame.depth == 1 && Some(frame.from) == first && governs(frame.from)
}

/// Whether the contract says that what is decided has to wait: only then could anybody object to what was left there. Where
/// nothing waits, who commits may carry it out right after.
fn waits(case: &Case) -> bool {
    let views = case.effects.views;
    DELAYS.iter().any(|question| {
        let call = Bytes::from_static(question);
        let delay = views.number(When::Before, case.contract.address, &call);
        delay.is_some_and(|delay| !delay.is_zero())
    })
}

/// Whether what the call was given is what a slot was keyed by that held something before: proposals and delayed operations
/// are kept by the hash of what they are to do.
fn hashed(case: &Case, entry: u32) -> bool {
    let input = &case.effects.execution.trace.frames[entry as usize].input;
    let Some(arguments) = input
        .get(4..)
        .filter(|arguments| arguments.len() <= MAX_BYTES)
    else {
        return false;
    };
    let wanted = keccak256(arguments);
    let mut slots = case
        .own()
        .into_iter()
        .flat_map(|own| &own.storage)
        .take(MAX_SLOTS);
    slots.any(|(slot, (before, _))| {
        !before.is_zero() && case.keys().numbers(*slot).any(|key| *key == wanted[..])
    })
}

/// Whether all that the contract calls within this stood word for word in its storage, read in this call, and votes with it.
fn written(case: &Case, entry: u32) -> bool {
    let contract = case.contract.address;
    let frames = &case.effects.execution.trace.frames;
    let mut calls = case.frames().filter(|(index, frame)| {
        frame.from == contract
            && frame.kind == CallKind::Call
            && account(frame) != Some(contract)
            && *index != entry
            && case.entries.inside(*index) == Some(entry)
            && case.stood(*index)
    });
    let made: Vec<_> = calls.by_ref().take(MAX_CALLS).collect();
    !made.is_empty()
        && calls.next().is_none()
        && made.into_iter().all(|(_, frame)| {
            // What it pays is not among the words, nor a call so short that anything may stand there.
            let ether = frame.value.is_some_and(|value| !value.is_zero());
            let long = (68..=MAX_BYTES).contains(&frame.input.len());
            !ether && long && stood(case, entry, &frame.input, frame.to)
        })
        && frames[entry as usize].kind == CallKind::Call
}

/// Whether calldata, whole or behind its selector, stood in consecutive slots, and whom it calls beside it.
fn stood(case: &Case, entry: u32, calldata: &[u8], to: Option<Address>) -> bool {
    let Some(own) = case.own() else {
        return false;
    };
    let kept = |slot: U256| {
        let held = own.storage.get(&slot);
        held.filter(|(before, after)| before == after)
            .map(|(before, _)| before.to_be_bytes::<32>())
    };
    let is = |at: U256, words: &[u8]| {
        (0_u64..).zip(words.chunks(32)).all(|(n, part)| {
            kept(at.wrapping_add(U256::from(n))).is_some_and(|word| word.starts_with(part))
        })
    };
    let read: BTreeSet<U256> = case
        .effects
        .execution
        .accesses
        .iter()
        .filter(|access| {
            access.contract == case.contract.address
                && case.entries.inside(access.frame) == Some(entry)
        })
        .map(|access| access.slot)
        .take(MAX_SLOTS)
        .collect();
    let mut places = read.into_iter();
    places.any(|slot| {
        (is(slot, calldata) || is(slot, &calldata[4..])) && voted(case, slot, calldata, to)
    })
}

/// Whether the structure that text belongs to held votes, which nobody changed, and names whom it calls. What the call says,
/// an amount, is no vote for it.
fn voted(case: &Case, text: U256, calldata: &[u8], to: Option<Address>) -> bool {
    let (Some(own), Some(to)) = (case.own(), to) else {
        return false;
    };
    let keys = case.keys();
    // Text lies behind the hash of its place in the structure, or in a list of texts there.
    let places = std::iter::successors(keys.list(text), |place| keys.list(*place));
    let (mut votes, mut target) = (false, false);
    for place in places.take(NESTED) {
        let reach = U256::from(STRUCTURE);
        let near = own
            .storage
            .range(place.saturating_sub(reach)..place.saturating_add(reach));
        for (_, (before, after)) in near {
            let said = || memmem::find(calldata, &before.to_be_bytes::<32>()).is_some();
            votes |= before == after && VOTES.contains(&before.bit_len()) && !said();
            target |= lanes::holds(*before, to) && before == after;
        }
    }
    votes && target
}
