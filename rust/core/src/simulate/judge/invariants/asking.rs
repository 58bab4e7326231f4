//! Who asks on whose behalf: an oracle asks its feed for a market; a borrower who is called back asks for himself.

use super::entries::{account, ancestors};
use super::{Effects, codes, lanes};
use crate::evidence::trace::{CallKind, Frame};
use alloy_primitives::Address;
use std::collections::BTreeSet;

/// Contracts that ask one another for one answer.
const MAX_HOPS: usize = 16;

/// Whether a call was made by an account, or by whom it asked in turn: it only looked there, or it names them. `strangers`
/// ask for themselves, even where they are named.
pub(super) fn for_account(
    effects: &Effects,
    account: Address,
    call: u32,
    strangers: &BTreeSet<Address>,
) -> bool {
    let frames = &effects.execution.trace.frames;
    passed_on(effects, account, call, |answering, asker| {
        let looks = frames[answering as usize].kind == CallKind::StaticCall;
        !strangers.contains(&asker) && (looks || names(effects, answering, asker))
    })
}

/// Whether a call goes back to an account by way of those who `may` pass on, each of whom was answering a call of the one
/// before.
pub(super) fn passed_on(
    effects: &Effects,
    account: Address,
    call: u32,
    may: impl Fn(u32, Address) -> bool,
) -> bool {
    let frames = &effects.execution.trace.frames;
    let mut at = call;
    for _ in 0..MAX_HOPS {
        let asker = frames[at as usize].from;
        if asker == account {
            return true;
        }
        match at_work(frames, at) {
            Some(answering) if may(answering, asker) => at = answering,
            _ => return false,
        }
    }
    false
}

/// The call that who made a call was answering meanwhile.
pub(super) fn at_work(frames: &[Frame], call: u32) -> Option<u32> {
    (call > 0).then(|| entered(frames, frames[call as usize].parent))
}

/// The call by which an account came to work in a frame: code that it runs as its own belongs to that.
pub(super) fn entered(frames: &[Frame], frame: u32) -> u32 {
    let mut at = frame;
    while at > 0 && account(&frames[at as usize]) != frames[at as usize].to {
        at = frames[at as usize].parent;
    }
    at
}

/// Whether who made a call names an account: its storage did before and still does, or the code that it runs.
fn names(effects: &Effects, call: u32, named: Address) -> bool {
    let caller = effects.execution.trace.frames[call as usize].from;
    let own = effects.execution.diff.0.get(&caller);
    lanes::keeps(own, named) || in_code(effects, call, named)
}

/// Whether the code that who made a call runs names an account.
fn in_code(effects: &Effects, call: u32, named: Address) -> bool {
    codes_of(effects, call).any(|code| codes::name(effects, code, named))
}

/// The code that who made a call runs.
pub(super) fn codes_of(effects: &Effects, call: u32) -> impl Iterator<Item = Address> {
    let frames = &effects.execution.trace.frames;
    let (caller, parent) = (frames[call as usize].from, frames[call as usize].parent);
    let own = ancestors(frames, parent).take_while(move |frame| account(frame) == Some(caller));
    own.filter_map(|frame| frame.to)
}
