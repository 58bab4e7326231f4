//! Where a trace goes into one contract and comes out of it.

use crate::evidence::trace::{CallKind, Frame, Trace};
use alloy_primitives::Address;

/// The account whose storage and balance a frame works on.
pub fn account(frame: &Frame) -> Option<Address> {
    match frame.kind {
        CallKind::CallCode | CallKind::DelegateCall => Some(frame.from),
        _ => frame.to,
    }
}

/// A frame and those it is inside of, from the inside.
pub fn ancestors(frames: &[Frame], frame: u32) -> impl Iterator<Item = &Frame> {
    indices(frames, frame).filter_map(|index| frames.get(index as usize))
}

/// Where these are.
pub(super) fn indices(frames: &[Frame], frame: u32) -> impl Iterator<Item = u32> {
    let mut next = Some(frame);
    std::iter::from_fn(move || {
        let index = next?;
        let frame = frames.get(index as usize)?;
        next = (index > 0).then_some(frame.parent);
        Some(index)
    })
}

/// The calls into one contract from outside. What it calls of itself, and code that it runs as its own, belongs to the
/// call that led there.
#[derive(Debug)]
pub(super) struct Entries {
    /// For each frame, the innermost call into the contract that it is or runs inside of.
    inside: Vec<Option<u32>>,
    /// For each frame, the call into the contract around the innermost one, where an account that is not trusted runs
    /// in between.
    around: Vec<Option<u32>>,
}

impl Entries {
    /// `trusted`: accounts that may call back.
    pub fn new(trace: &Trace, contract: Address, trusted: impl Fn(Address) -> bool) -> Self {
        let frames = &trace.frames;
        let mut inside: Vec<Option<u32>> = Vec::with_capacity(frames.len());
        let mut around: Vec<Option<u32>> = Vec::with_capacity(frames.len());
        // Whether an account that is not trusted runs between the innermost entry and the frame.
        let mut stranger: Vec<bool> = Vec::with_capacity(frames.len());
        for (index, frame) in (0_u32..).zip(frames) {
            let parent = (index > 0).then_some(frame.parent as usize);
            let within = |of: &[Option<u32>]| parent.and_then(|parent| *of.get(parent)?);
            let (outer, wider) = (within(&inside), within(&around));
            let strange = parent.is_some_and(|parent| stranger.get(parent) == Some(&true));
            let own = account(frame);
            let from_outside =
                parent.is_none_or(|parent| account(&frames[parent]) != Some(contract));
            if own == Some(contract) && from_outside {
                inside.push(Some(index));
                around.push(outer.filter(|_| strange));
                stranger.push(false);
            } else {
                inside.push(outer);
                around.push(wider);
                let known = own.is_some_and(|own| own == contract || trusted(own));
                stranger.push(strange || !known);
            }
        }
        Self { inside, around }
    }

    /// The call into the contract that a frame is or runs inside of.
    pub fn inside(&self, frame: u32) -> Option<u32> {
        *self.inside.get(frame as usize)?
    }

    /// The call that was not over when somebody who is not trusted made this one.
    pub fn around(&self, entry: u32) -> Option<u32> {
        *self.around.get(entry as usize)?
    }

    /// All calls into the contract, in their order.
    pub fn all(&self) -> impl Iterator<Item = u32> {
        let each = (0_u32..).zip(&self.inside);
        each.filter_map(|(index, inside)| inside.filter(|entry| *entry == index))
    }
}
