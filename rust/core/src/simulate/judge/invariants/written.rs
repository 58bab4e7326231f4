//! Invariants that users write in their rules.

use super::Finding;
use super::case::Case;
use crate::evidence::Class;
use crate::signatures::{Compare, Invariant};
use crate::simulate::evm::views::When;

/// At this severity it alarms alone.
const SEVERE: u8 = 1;

pub(super) fn check(case: &Case, invariant: &Invariant) -> Option<Finding> {
    let contract = case.contract;
    let ask = |when| {
        let views = case.effects.views;
        views.number(when, contract.address, &invariant.data)
    };
    let (before, after) = (ask(When::Before)?, ask(When::After)?);
    if !invariant.broken(before, after) {
        return None;
    }
    let moved = match invariant.compare {
        Compare::Change if after > before => "rises",
        Compare::Rise => "rises",
        _ => "falls",
    };
    Some(Finding {
        class: Class::Attack,
        weight: invariant.weight,
        severe: invariant.severity == SEVERE,
        explanation: format!(
            "{}: {} of {} {moved} from {before} to {after}, by more than {}",
            invariant.msg, invariant.call, contract.name, invariant.threshold
        ),
        losses: Vec::new(),
    })
}
