//! Invariants that users write in their rules.

use super::case::Case;
use super::views::When;
use super::{Class, Finding, words};
use crate::signatures::{Compare, Invariant, Tolerance};

/// At this severity it alarms alone.
const SEVERE: u8 = 1;

pub(super) fn check(case: &Case, invariant: &Invariant) -> Option<Finding> {
    if !invariant.enabled {
        return None;
    }
    let contract = case.contract;
    let ask = |when| {
        let views = case.subject.views;
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
    let allowed = match invariant.threshold {
        Tolerance::Share(share) => words::percent(share),
        Tolerance::Amount(amount) => amount.to_string(),
    };
    Some(Finding {
        class: Class::Attack,
        weight: invariant.weight,
        severe: invariant.severity == SEVERE,
        explanation: format!(
            "{} of {} {moved} from {before} to {after}, by more than {allowed}",
            invariant.call, contract.name
        ),
        losses: Vec::new(),
    })
}
