//! `outflow`: more leaves than usual, and nothing accounts for it.

use super::case::Case;
use super::shortfalls::Shortfall;
use super::{Finding, booking, words};
use crate::config::WatchedAsset;
use crate::evidence::Class;
use crate::evidence::transfers::Asset;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if case.authorised {
        return None;
    }
    let found = case.shortfalls.iter().filter_map(|loss| judge(case, loss));
    found.max_by(|a, b| a.weight.total_cmp(&b.weight))
}

fn judge(case: &Case, loss: &Shortfall) -> Option<Finding> {
    let limits = &case.contract.limits.outflow;
    let watched = match loss.asset {
        Asset::Native => WatchedAsset::Native,
        Asset::Token(token) | Asset::Unique(token, _) => WatchedAsset::Token(token),
    };
    let limit = limits.amounts.get(&watched);
    let above_limit = limit.is_some_and(|limit| loss.amount > *limit);
    let share = loss.share();
    let large = share.is_some_and(|share| share > limits.share);
    if !large && !above_limit {
        return None;
    }
    let booked = booking::accounts_for(case, loss);
    if booked && !above_limit {
        return None;
    }
    let severe = !booked && share.is_some_and(|share| share >= limits.severe_share);
    let of_balance = share.map_or_else(String::new, |share| {
        format!(" ({} of its balance)", words::percent(share))
    });
    let why = match (booked, limit.filter(|_| above_limit)) {
        (true, Some(limit)) => format!(
            "more than the {} that may leave at once",
            case.amount(loss.asset, *limit)
        ),
        _ => "and neither a claim on it falls by as much nor does it get as much".to_owned(),
    };
    Some(Finding {
        class: Class::Loss,
        weight: match (severe, booked) {
            (true, _) => 0.85,
            (false, false) => 0.5,
            (false, true) => 0.3,
        },
        severe,
        explanation: format!(
            "{}{of_balance} leave {} to {}, {why}",
            case.amount(loss.asset, loss.amount),
            case.contract.name,
            loss.receiver,
        ),
        losses: Vec::new(),
    })
}
