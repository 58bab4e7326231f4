//! Who may be meant by what leaves: who gets it, signed, or asked for it.

use super::case::Case;
use super::entries::ancestors;
use super::shortfalls::Shortfall;
use super::words;
use alloy_primitives::Address;
use std::collections::BTreeSet;

/// Of what left, at the least, to whoever is paid it.
const PART: f64 = 0.1;
/// On the way to where it left.
const MAX_CALLERS: usize = 32;

/// Who may be paid: who gets a good part of it, who signed, and who asked on the way to where it left.
pub(super) fn parties(case: &Case, loss: &Shortfall) -> BTreeSet<Address> {
    let effects = case.effects;
    let frames = &effects.execution.trace.frames;
    let mut parties = BTreeSet::from([effects.sender]);
    let contract = case.contract.address;
    let left = effects.transfers.iter();
    for moved in left.filter(|one| one.from == contract && loss.is_of(one.asset)) {
        // Who gets next to nothing lends his claim to no thief.
        if words::share(moved.amount, loss.amount) >= PART {
            parties.insert(moved.to);
        }
        let asked = ancestors(frames, moved.frame).take(MAX_CALLERS);
        parties.extend(asked.map(|frame| frame.from));
    }
    parties.remove(&contract);
    parties
}
