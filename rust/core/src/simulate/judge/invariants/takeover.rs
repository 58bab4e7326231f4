//! `takeover`: owner, role, implementation or initialization changed by who may not.

use super::Finding;
use super::case::Case;
use super::knowledge::names;
use crate::evidence::Class;
use crate::evidence::trace::CallKind;
use alloy_primitives::{Address, B256, U256, b256};
use std::collections::BTreeSet;

/// Callers that are looked for in the contract's code.
const MAX_CALLERS: usize = 32;

/// Slots by convention: EIP-1967, EIP-1822, and OpenZeppelin's of version 5.
pub(super) const SLOTS: &[(&str, B256)] = &[
    (
        "implementation",
        b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"),
    ),
    (
        "proxy admin",
        b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"),
    ),
    (
        "beacon",
        b256!("a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"),
    ),
    (
        "implementation",
        b256!("c5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7"),
    ),
    (
        "owner",
        b256!("9016d09d72d40fdae2fd8ceac6b6234c7706214fd39c1cd1e609a0528c199300"),
    ),
    (
        "initialization",
        b256!("f0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00"),
    ),
];

/// Events by which contracts tell of it, where the slot is their own secret.
pub(super) const EVENTS: &[(&str, B256)] = &[
    // OwnershipTransferred(address,address)
    (
        "owner",
        b256!("8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0"),
    ),
    // Upgraded(address)
    (
        "implementation",
        b256!("bc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b"),
    ),
    // AdminChanged(address,address)
    (
        "proxy admin",
        b256!("7e644d79422f17c01e4894b5f4f588d331ebfa28653d42ae832dc59e38c9798f"),
    ),
    // Initialized(uint8), Initialized(uint64)
    (
        "initialization",
        b256!("7f26b83ff96e1f2b6a682f133852f6798a09c465da95921460cefb3847402498"),
    ),
    (
        "initialization",
        b256!("c7f505b2f371ae2175ee4913f4499e1f2633a7b5936321eed1cdaeb6115181d2"),
    ),
];

/// RoleGranted(bytes32,address,address): whoever grants has the right to, as the contract sees it.
pub(super) const ROLE_GRANTED: B256 =
    b256!("2f8788117e7eff1d82e926ec794901d17c78024a50270940304540a733656f0d");

pub(super) fn check(case: &Case) -> Option<Finding> {
    let contract = case.contract;
    let diff = case.effects.execution.diff.0.get(&contract.address);
    // What was created in this transaction is set up in it, too.
    if case.authorised || diff.is_some_and(|diff| diff.before.is_none()) {
        return None;
    }
    let known = !contract.admins.is_empty();
    let (what, frame) = changed(case, known)?;
    if !known && by_whom_it_names(case, frame) {
        return None;
    }
    let sender = case.effects.sender;
    Some(Finding {
        class: Class::Attack,
        weight: if known { 0.9 } else { 0.5 },
        severe: known,
        explanation: format!(
            "the {what} of {} is changed in a transaction of {sender}, {}",
            contract.name,
            match known {
                true => "which is none of its administrators",
                false => "whom neither its storage nor its code named before",
            }
        ),
        losses: Vec::new(),
    })
}

/// What is changed, and in which frame as far as that is known.
fn changed(case: &Case, known: bool) -> Option<(&'static str, Option<u32>)> {
    let address = case.contract.address;
    if let Some(diff) = case.own() {
        let code = |info: &revm::state::AccountInfo| info.code_hash;
        if diff.before.as_ref().map(code) != diff.after.as_ref().map(code) {
            let mut ends = case
                .frames()
                .filter(|(_, frame)| frame.kind == CallKind::SelfDestruct && frame.from == address);
            return Some(("code", ends.next().map(|(index, _)| index)));
        }
        let slots = case.contract.limits.takeover.slots.iter();
        let slots = slots.map(|slot| ("configured slot", *slot));
        let mut slots = SLOTS.iter().copied().chain(slots);
        let changed = slots.find(|(_, slot)| {
            let values = diff.storage.get(&U256::from_be_bytes(slot.0));
            values.is_some_and(|(before, after)| before != after)
        });
        if let Some((what, slot)) = changed {
            let slot = U256::from_be_bytes(slot.0);
            let mut writes = case.effects.execution.accesses.iter().filter(|access| {
                access.contract == address && access.slot == slot && access.writes.is_some()
            });
            return Some((what, writes.next_back().map(|access| access.frame)));
        }
    }
    let logs = case
        .frames()
        .flat_map(|(index, frame)| frame.logs.iter().map(move |log| (index, log)));
    let mut own = logs.filter(|(_, log)| log.address == address);
    own.find_map(|(frame, log)| {
        let topic = log.topics.first()?;
        if known && *topic == ROLE_GRANTED {
            return Some(("role", Some(frame)));
        }
        let (what, _) = EVENTS.iter().find(|(_, event)| event == topic)?;
        Some((what, Some(frame)))
    })
}

/// Whether a slot that the contract read held the sender, or who called the contract for this (it looked who that is), or
/// its code does. Who merely called in the same transaction is nobody.
fn by_whom_it_names(case: &Case, frame: Option<u32>) -> bool {
    let frames = &case.effects.execution.trace.frames;
    let entries: Vec<u32> = match frame.and_then(|frame| case.entries.inside(frame)) {
        Some(entry) => vec![entry],
        None => case.entries.all().collect(),
    };
    let acting = entries
        .into_iter()
        .filter(|entry| case.stood(*entry) && case.acts(*entry));
    let callers = acting.map(|entry| frames[entry as usize].from);
    let callers: BTreeSet<Address> = callers.chain([case.effects.sender]).collect();
    let mut slots = case.own().into_iter().flat_map(|own| own.storage.values());
    slots.any(|(before, _)| callers.contains(&Address::from_word(B256::from(*before))))
        || callers
            .iter()
            .take(MAX_CALLERS)
            .any(|one| names(case, *one))
}
