//! `foreign_code`: code runs as the contract that the contract did not know before.

use super::case::Case;
use super::entries::account;
use super::lanes::{self, says};
use super::{Finding, authority, codes};
use crate::evidence::Class;
use crate::evidence::trace::{CallKind, Frame};
use crate::simulate::evm::tracer::Access;
use alloy_primitives::{Address, U256};
use std::collections::BTreeSet;

/// Calls that are looked at in one execution.
const MAX_CALLS: usize = 256;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if !case.by_strangers() {
        return None;
    }
    let contract = case.contract.address;
    let delegated = case.frames().filter(|(index, frame)| {
        matches!(frame.kind, CallKind::DelegateCall | CallKind::CallCode)
            && account(frame) == Some(contract)
            && case.stood(*index)
    });
    let mut known = BTreeSet::from([contract]);
    let mut looked_at = 0;
    for (index, frame) in delegated {
        let Some(code) = frame.to.filter(|code| !known.contains(code)) else {
            continue;
        };
        looked_at += 1;
        if looked_at > MAX_CALLS {
            break;
        }
        if grants(case, code, index) {
            return Some(finding(case, code, index));
        }
        if knew(case, &known, code, index)
            || case.effects.views.has_code(code) == Some(false) && !created(case, code)
        {
            known.insert(code);
            continue;
        }
        let entry = case.entries.inside(index)?;
        if authority::over_call(case, entry).is_some() {
            known.insert(code);
            continue;
        }
        return Some(finding(case, code, index));
    }
    None
}

fn finding(case: &Case, code: Address, index: u32) -> Finding {
    let frames = &case.effects.execution.trace.frames;
    let entry = case.entries.inside(index).unwrap_or(index);
    Finding {
        class: Class::Attack,
        weight: 0.9,
        severe: true,
        explanation: format!(
            "code of {code}, which is none of its own, runs as {} in a call by {}",
            case.contract.name, frames[entry as usize].from,
        ),
        losses: Vec::new(),
    }
}

/// Whether code that the contract has by number alone, as a proposal, writes what somebody has of the contract: more, and
/// nothing came in. What its own functions are looked up by is their selector.
fn grants(case: &Case, code: Address, index: u32) -> bool {
    let effects = case.effects;
    let contract = case.contract.address;
    let Some(own) = case.own() else {
        return false;
    };
    let keys = case.keys();
    let mut holders = own
        .storage
        .iter()
        .filter(|(_, (before, _))| lanes::holds(*before, code))
        .map(|(slot, _)| *slot)
        .peekable();
    let by_number = holders.peek().is_some()
        && holders.all(|slot| {
            keys.keyed(slot)
                && keys.accounts(slot).next().is_none()
                && !keys.numbers(slot).any(selector)
        });
    let brought = effects.transfers.iter().any(|one| one.to == contract);
    let rises = |access: &Access| {
        let held = own.storage.get(&access.slot);
        let before = held.map_or(U256::ZERO, |(before, _)| *before);
        access.writes.is_some_and(|after| after > before) && keys.accounts(access.slot).count() == 1
    };
    let mut writes = effects.execution.accesses.iter();
    by_number
        && !brought
        && writes
            .any(|access| access.frame == index && access.contract == contract && rises(access))
}

/// Four bytes, and nothing behind.
fn selector(key: &[u8]) -> bool {
    key.len() == 32 && key[4..].iter().all(|byte| *byte == 0)
}

fn created(case: &Case, code: Address) -> bool {
    let mut frames = case.effects.execution.trace.frames.iter();
    frames.any(|frame| frame.kind.creates() && frame.to == Some(code))
}

/// Whether its storage held it before and was not written, its code or code that it knew names it, or one whom these name
/// told it or agreed to it.
fn knew(case: &Case, known: &BTreeSet<Address>, code: Address, before: u32) -> bool {
    if created(case, code) {
        return false;
    }
    let entry = case.entries.inside(before);
    let callers: BTreeSet<_> = entry.into_iter().flat_map(|at| case.callers(at)).collect();
    // What is kept for whoever calls, they may have put there.
    let theirs = |slot: U256| callers.iter().any(|one| case.keys().names(slot, *one));
    let named = |account: Address| {
        lanes::kept(case.own(), account).any(|slot| !theirs(slot) && case.looked_up(slot))
            || known
                .iter()
                .any(|code| codes::name(case.effects, *code, account))
    };
    let frames = &case.effects.execution.trace.frames[..before as usize];
    let mut asked = frames.iter().filter(|frame| {
        frame.from == case.contract.address
            && matches!(frame.kind, CallKind::StaticCall | CallKind::Call)
            && frame.error.is_none()
    });
    named(code)
        || asked.any(|frame| {
            let told = says(&frame.output, code) || (says(&frame.input, code) && agreed(frame));
            told && frame.to.is_some_and(named)
        })
}

fn agreed(frame: &Frame) -> bool {
    frame.output.iter().any(|byte| *byte != 0)
}
