//! `outflow`: more leaves than usual, and nothing accounts for it.

use super::case::Case;
use super::shortfalls::{Shortfall, watched};
use super::unique::{self, Told};
use super::{Finding, authority, booking, dust, words};
use crate::evidence::Class;
use crate::evidence::transfers::Asset;
use alloy_primitives::U256;

/// Weights: what alarms alone, what nothing accounts for, and what somebody with authority had leave.
const SEVERE: f32 = 0.85;
const LOSS: f32 = 0.5;
const EXCUSED: f32 = 0.3;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if case.authorised {
        return None;
    }
    let found = case.shortfalls.iter().filter_map(|loss| judge(case, loss));
    found.max_by(|a, b| a.weight.total_cmp(&b.weight))
}

fn judge(case: &Case, loss: &Shortfall) -> Option<Finding> {
    let limits = &case.contract.limits.outflow;
    let share = loss.share();
    let limit = limits.amounts.get(&watched(loss.asset));
    let limit = limit.filter(|_| !case.effects.supposed);
    if let Some(limit) = limit.filter(|limit| loss.amount > **limit) {
        // Books and signatures are no excuse: the limit is for keys that were stolen.
        let why = format!(
            "above your own limit of {}",
            case.amount(loss.asset, *limit)
        );
        return Some(finding(case, loss, SEVERE, &why));
    }
    // Of unique tokens none is worth a share of the others. Where storage was not watched, nothing tells whose one was.
    let unique = !loss.numbers.is_empty() && case.effects.execution.watched;
    let large = share.is_some_and(|share| share > limits.share);
    if !unique && (!large || is_dust(case, loss)) || booking::accounts_for(case, loss) {
        return None;
    }
    if let Some(authority) = authority::over(case, loss) {
        let why = format!("which nothing accounts for; but {authority}");
        return Some(finding(case, loss, EXCUSED, &why));
    }
    let why = "and neither a claim on it falls by as much nor does it get as much";
    if unique {
        let (weight, why) = match unique::told(case, loss) {
            Told::Bought => (
                EXCUSED,
                "which nothing accounts for; but it is paid for each",
            ),
            // By their number alone it was not taken.
            Told::Beyond => (LOSS, "more than were looked up, and no count of them falls"),
            Told::Theirs | Told::Others | Told::Silent => (SEVERE, why),
        };
        return Some(finding(case, loss, weight, why));
    }
    let severe = share.is_some_and(|share| share >= limits.severe_share);
    Some(finding(case, loss, if severe { SEVERE } else { LOSS }, why))
}

fn finding(case: &Case, loss: &Shortfall, weight: f32, why: &str) -> Finding {
    let of_balance = loss.share().map_or_else(String::new, |share| {
        format!(" ({} of its balance)", words::percent(share))
    });
    let asset = match (loss.asset, loss.numbers.first()) {
        (Asset::Token(token), Some(number)) if loss.numbers.len() == 1 => {
            Asset::Unique(token, *number)
        }
        (asset, _) => asset,
    };
    Finding {
        class: Class::Loss,
        weight,
        severe: weight >= SEVERE,
        explanation: format!(
            "{}{of_balance} leave {} to {}, {why}",
            case.amount(asset, loss.amount),
            case.contract.name,
            loss.receiver,
        ),
        losses: Vec::new(),
    }
}

/// Less than a ten-thousandth of one; or less than a tenth, and than a millionth of what comes to the contract or leaves it
/// at once: all that is left of it is soon gone, and nobody misses it.
pub(super) fn is_dust(case: &Case, loss: &Shortfall) -> bool {
    let contract = case.contract.address;
    let times = U256::from(1_000_000).saturating_mul(loss.amount);
    let passes = case.effects.transfers.iter().any(|moved| {
        moved.asset == loss.asset
            && moved.amount > times
            && (moved.from == contract || moved.to == contract)
            && !moved.from.is_zero()
            && !moved.to.is_zero()
    });
    // Who does not tell its decimals, or has none, has no tenth.
    let small = || {
        let one = dust::one(case, loss.asset);
        one.is_none_or(|one| loss.amount < one / U256::from(10))
    };
    dust::is_dust(case, loss.asset, loss.amount) || passes && small()
}
