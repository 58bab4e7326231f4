//! `outflow`: more leaves than usual, and nothing accounts for it.

use super::case::Case;
use super::shortfalls::Shortfall;
use super::{Finding, authority, booking, words};
use crate::config::WatchedAsset;
use crate::evidence::Class;
use crate::evidence::transfers::Asset;
use crate::simulate::evm::views::When;
use alloy_primitives::{Bytes, U256, hex};

/// `decimals()`
const DECIMALS: [u8; 4] = hex!("313ce567");
/// Wei.
const ETHER: u64 = 1_000_000_000_000_000_000;

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
    if !above_limit && (!large || is_dust(case, loss)) {
        return None;
    }
    let booked = booking::accounts_for(case, loss);
    if booked && !above_limit {
        return None;
    }
    let authority = match booked {
        true => None,
        false => authority::over(case, loss),
    };
    let excused = booked || authority.is_some();
    let severe = !excused && share.is_some_and(|share| share >= limits.severe_share);
    let of_balance = share.map_or_else(String::new, |share| {
        format!(" ({} of its balance)", words::percent(share))
    });
    let why = match (booked, limit.filter(|_| above_limit)) {
        (true, Some(limit)) => format!(
            "more than the {} that may leave at once",
            case.amount(loss.asset, *limit)
        ),
        _ => match &authority {
            Some(authority) => format!("which nothing accounts for; but {authority}"),
            None => "and neither a claim on it falls by as much nor does it get as much".to_owned(),
        },
    };
    Some(Finding {
        class: Class::Loss,
        weight: match (severe, excused) {
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
    let one = match loss.asset {
        Asset::Native => Some(U256::from(ETHER)),
        Asset::Unique(..) => None,
        Asset::Token(token) => {
            let call = Bytes::from_static(&DECIMALS);
            let decimals = case.effects.views.number(When::Before, token, &call);
            decimals.and_then(|decimals| U256::from(10).checked_pow(decimals))
        }
    };
    // Who does not tell its decimals, or has none, has no tenth.
    let one = one.filter(|one| *one > U256::ONE);
    let less = |part: u64| one.map(|one| loss.amount < one / U256::from(part));
    less(10_000).unwrap_or(false) || passes && less(10).unwrap_or(true)
}
