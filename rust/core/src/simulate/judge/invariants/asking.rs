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
    let mut at = call;
    for _ in 0..MAX_HOPS {
        let asker = frames[at as usize].from;
        if asker == account {
            return true;
        }
        let Some(answering) = at_work(frames, at).filter(|_| !strangers.contains(&asker)) else {
            return false;
        };
        let looks = frames[answering as usize].kind == CallKind::StaticCall;
        if !looks && !names(effects, answering, asker) {
            return false;
        }
        at = answering;
    }
    false
}

/// The call that who made a call was answering meanwhile.
fn at_work(frames: &[Frame], call: u32) -> Option<u32> {
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
    let execution = effects.execution;
    let frames = &execution.trace.frames;
    let (caller, parent) = (frames[call as usize].from, frames[call as usize].parent);
    let own = ancestors(frames, parent).take_while(|frame| account(frame) == Some(caller));
    lanes::keeps(execution.diff.0.get(&caller), named)
        || own
            .filter_map(|frame| frame.to)
            .any(|code| codes::name(effects, code, named))
}
