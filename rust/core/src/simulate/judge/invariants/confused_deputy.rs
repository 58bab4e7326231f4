//! `confused_deputy`: somebody's message makes the contract call what it alone may command.

use super::case::Case;
use super::knowledge::mentions;
use super::lanes::{self, says};
use super::{Finding, authority, words};
use crate::evidence::Class;
use crate::evidence::trace::{CallKind, Frame};
use alloy_primitives::Address;

/// Calls that are looked at in one execution.
const MAX_CALLS: usize = 256;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if !case.by_strangers() {
        return None;
    }
    let contract = case.contract.address;
    let calls = case.frames().filter(|(index, frame)| {
        frame.kind == CallKind::Call
            && frame.from == contract
            && frame.to != Some(contract)
            && case.stood(*index)
    });
    let (frame, entry) = calls.take(MAX_CALLS).find_map(|(index, frame)| {
        let entry = case.entries.inside(frame.parent)?;
        let to = frame.to?;
        let led = led(case, entry, to) && mentions(case, to) && commands(case, to);
        (led && changes(case, index, to) && authority::over_call(case, entry).is_none())
            .then_some((frame, entry))
    })?;
    let call = &case.effects.execution.trace.frames[entry as usize];
    Some(Finding {
        class: Class::Attack,
        weight: 0.85,
        severe: true,
        explanation: format!(
            "{} of {} is led by its caller's data to command {}, which obeys it alone",
            words::function(case.contract, &call.input),
            case.contract.name,
            frame.to.unwrap_or_default(),
        ),
        losses: Vec::new(),
    })
}

/// Whether the caller's data said whom to call.
fn led(case: &Case, entry: u32, to: Address) -> bool {
    let call: &Frame = &case.effects.execution.trace.frames[entry as usize];
    says(&call.input, to)
}

/// Whether the called one has the contract for its owner, or whatever it calls that: in a variable of its own.
fn commands(case: &Case, to: Address) -> bool {
    let account = case.effects.execution.diff.0.get(&to);
    lanes::kept(account, case.contract.address).any(|slot| !case.keys().keyed(slot))
}

/// Whether a frame is a call, or runs inside of it.
fn within(case: &Case, frame: u32, call: u32) -> bool {
    let frames = &case.effects.execution.trace.frames;
    let mut at = frame;
    while at > call {
        let Some(parent) = frames.get(at as usize).map(|frame| frame.parent) else {
            return false;
        };
        at = parent;
    }
    at == call
}

fn changes(case: &Case, call: u32, account: Address) -> bool {
    case.effects.execution.accesses.iter().any(|access| {
        access.contract == account && access.writes.is_some() && within(case, access.frame, call)
    })
}
