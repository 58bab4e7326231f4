//! `cumulative_outflow`: many take a little each, and nothing accounts for it.

use super::case::Case;
use super::shortfalls::Shortfall;
use super::{Finding, authority, booking, outflow, unique, words};
use crate::evidence::{Class, Taken, Unaccounted};

pub(super) const NAME: &str = "cumulative_outflow";
/// What is less than this part of the share that is too much by itself is not summed up: it would take fifty of them.
const PARTS: f64 = 50.0;

pub(super) fn check(case: &Case) -> Option<Finding> {
    // Most of the time nobody takes anything.
    if case.effects.taken.is_empty() {
        return None;
    }
    let own = of(case);
    let found = own.iter().filter_map(|(loss, own)| {
        let others = case
            .effects
            .taken
            .iter()
            .find(|others| own.exceeds(others))?;
        Some((*loss, own, others, own.share(others)))
    });
    let worst = found.max_by(|a, b| a.3.total_cmp(&b.3))?;
    Some(finding(case, worst))
}

fn finding(
    case: &Case,
    (loss, own, others, share): (&Shortfall, &Unaccounted, &Taken, f64),
) -> Finding {
    let sum = own.amount.saturating_add(own.missing(others));
    let count = match others.count {
        1 => "another transaction".to_owned(),
        count => format!("{count} other transactions"),
    };
    Finding {
        class: Class::Attack,
        weight: 0.85,
        severe: share >= case.contract.limits.outflow.severe_share,
        explanation: format!(
            "{} leave {} to {}, which nothing accounts for; with {count}, pending or in the last blocks, {} ({} of its balance)",
            case.amount(loss.asset, loss.amount),
            case.contract.name,
            loss.receiver,
            case.amount(loss.asset, sum),
            words::percent(share),
        ),
        losses: Vec::new(),
    }
}

/// What leaves the contract and nothing accounts for, as much as there is of it.
pub(super) fn of<'a>(case: &'a Case) -> Vec<(&'a Shortfall, Unaccounted)> {
    let limits = &case.contract.limits.outflow;
    let counts = |loss: &&Shortfall| {
        let share = loss.share();
        // What is severe alarms by itself: who comes along with a thief is none.
        share.is_some_and(|share| share >= limits.share / PARTS && share < limits.severe_share)
            && !outflow::is_dust(case, loss)
            && !booking::accounts_for(case, loss)
            && authority::over(case, loss).is_none()
            && !unique::is_bought(case, loss)
    };
    let losses = case.shortfalls.iter().filter(|_| !case.authorised);
    let losses = losses.filter(counts).map(|loss| {
        let large = loss.share().is_some_and(|share| share > limits.share);
        let own = Unaccounted {
            contract: case.contract.name.clone(),
            asset: loss.asset,
            amount: loss.amount,
            before: loss.before.unwrap_or_default(),
            large,
            // A large one is told of by itself, and is no alarm: only what is severe together is.
            limit: match large {
                true => limits.severe_share,
                false => limits.share,
            },
        };
        (loss, own)
    });
    losses.collect()
}
