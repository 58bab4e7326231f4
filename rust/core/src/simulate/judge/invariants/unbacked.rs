//! `unbacked`: somebody of the sender's side has more of the monitored token, and nobody gave it.

use super::case::Case;
use super::cluster::cluster;
use super::knowledge::owns;
use super::shortfalls::{MAX_ASSETS, held_before};
use super::{Finding, authority, words};
use crate::evidence::Class;
use crate::evidence::trace::CallKind;
use crate::evidence::transfers::Asset;
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, U256, hex};
use std::collections::BTreeMap;

/// `totalSupply()`
const TOTAL_SUPPLY: [u8; 4] = hex!("18160ddd");
/// Of the supply, at the least: below are rounding and interest.
const LEAST: f64 = 0.000_1;
/// Accounts that are asked of.
const MAX_ACCOUNTS: usize = 8;
const MAX_CALLS: usize = 64;
/// So many times less than the issue: dust that came in pays for nothing.
const TOO_LITTLE: f64 = 100.0;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if !case.by_strangers() {
        return None;
    }
    let contract = case.contract.address;
    let allowed = |entry| authority::by_name(case, entry).is_some();
    if !is_token(case) || acting(case).any(allowed) {
        return None;
    }
    let own = case.own()?;
    let keys = case.keys();
    let written = |account: &Address| {
        let mut slots = own
            .storage
            .iter()
            .filter(|(_, (before, after))| before != after);
        slots.any(|(slot, _)| keys.names(*slot, *account))
    };
    let supply = |when| case.ask(when, &TOTAL_SUPPLY).filter(|all| !all.is_zero());
    let mut side = cluster(case).into_iter().filter(written).take(MAX_ACCOUNTS);
    let (account, more) = side.find_map(|account| {
        let balance = |when| case.effects.views.balance(when, contract, account);
        let (before, after) = (balance(When::Before)?, balance(When::After)?);
        let more = unexplained(case, account, before, after)?;
        let (all, all_after) = (supply(When::Before), supply(When::After));
        let matters = match all {
            Some(all) => words::share(more, all) > LEAST,
            None => more > before,
        };
        // What everybody has more of is interest.
        let grown = all_after.map_or(1.0, |after| words::share(after, all.unwrap_or(after)));
        let interest = 2.0 * (grown - 1.0).max(0.0);
        let beyond = before.is_zero() || words::share(more, before) > interest;
        // What came in is a part of what the contract has, as large as what was issued is of the supply, at the least by
        // order of magnitude.
        let issued = all.map_or(1.0, |all| words::share(more, all));
        let unpaid = || paid(case) * TOO_LITTLE < issued;
        (matters && beyond && unpaid()).then_some((account, more))
    })?;
    Some(Finding {
        class: Class::Attack,
        weight: 0.85,
        severe: true,
        explanation: format!(
            "{account} has {more} units of {} more than anybody gave to it, and nothing was paid for them",
            case.contract.name,
        ),
        losses: vec![(Asset::Token(contract), more)],
    })
}

/// The calls that may change something, as far as they are looked at.
fn acting(case: &Case) -> impl Iterator<Item = u32> {
    let frames = &case.effects.execution.trace.frames;
    let entries = case.entries.all();
    let acting = entries.filter(|entry| frames[*entry as usize].kind != CallKind::StaticCall);
    acting.take(MAX_CALLS)
}

/// Whether it says what it moves: shares of a contract that is none are counted by it alone.
fn is_token(case: &Case) -> bool {
    let token = Asset::Token(case.contract.address);
    case.effects.transfers.iter().any(|one| one.asset == token)
}

/// What came in of assets that it counts, as the largest part of what it had of one; infinite of what it had nothing.
fn paid(case: &Case) -> f64 {
    let contract = case.contract.address;
    let mut came: BTreeMap<Asset, U256> = BTreeMap::new();
    for one in case.effects.transfers.iter() {
        if one.to == contract && one.asset != Asset::Token(contract) && owns(case, one.asset) {
            let sum = came.entry(one.asset).or_default();
            *sum = sum.saturating_add(one.amount);
        }
    }
    let parts = came.into_iter().take(MAX_ASSETS).map(|(asset, amount)| {
        match held_before(case.effects, asset).filter(|before| !before.is_zero()) {
            Some(before) => words::share(amount, before),
            None => f64::INFINITY,
        }
    });
    parts.fold(0.0, f64::max)
}

/// What an account has more of than what came and went.
fn unexplained(case: &Case, account: Address, before: U256, after: U256) -> Option<U256> {
    let token = Asset::Token(case.contract.address);
    let (mut came, mut went) = (before, after);
    for moved in case
        .effects
        .transfers
        .iter()
        .filter(|one| one.asset == token)
    {
        if moved.to == account {
            came = came.saturating_add(moved.amount);
        }
        if moved.from == account {
            went = went.saturating_add(moved.amount);
        }
    }
    went.checked_sub(came).filter(|more| !more.is_zero())
}
