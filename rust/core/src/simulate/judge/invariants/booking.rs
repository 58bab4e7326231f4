//! Whether what left was owed: an honest withdrawal lowers a claim by as much, a loan raises a debt, a trade brings
//! something in return. What leaves without any of it was taken.

use super::case::Case;
use super::shortfalls;
use super::shortfalls::{MAX_ASSETS, Shortfall};
use crate::evidence::transfers::Asset;
use crate::simulate::evm::diff::AccountDiff;
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, U256};
use std::collections::BTreeMap;

/// How far a claim may fall short of what left, or exceed it (fees, rounding, interest).
const LEAST: f64 = 0.9;
const MOST: f64 = 1.5;
/// Of a claim and a total that contain each other.
const MOST_OF_ALL: f64 = 2.2;
/// What a trade may cost the pool: the product of its balances' changes, as a constant product has it.
const FAIR: f64 = 0.99;

/// Whether the contract's books, or what came in, account for a loss.
pub(super) fn accounts_for(case: &Case, loss: &Shortfall) -> bool {
    let diff = &case.effects.execution.diff.0;
    let own = diff.get(&case.contract.address);
    if own.is_some_and(|own| underflows(own, loss.amount)) {
        return false;
    }
    own.is_some_and(|own| booked(own, loss.amount))
        || burned(case, loss)
        || supply_fell(case, loss)
        || traded(case)
}

/// A claim below zero, as wrapping arithmetic writes it. What books like that say is worth nothing. (Hashes and bitmaps
/// begin with a one as well, but fall by no such amount.)
fn underflows(account: &AccountDiff, amount: U256) -> bool {
    let mut slots = account.storage.values();
    slots.any(|(before, after)| {
        !before.bit(255) && after.bit(255) && about(before.wrapping_sub(*after), amount, MOST)
    })
}

/// A number in storage, or several together, changed by about as much.
fn booked(account: &AccountDiff, amount: U256) -> bool {
    let mut falls = U256::ZERO;
    for (before, after) in account.storage.values() {
        if before == after {
            continue;
        }
        falls = falls.saturating_add(before.saturating_sub(*after));
        let lanes = LANES.iter().map(|lane| (lane.of(*before), lane.of(*after)));
        for (before, after) in lanes {
            if about(before.abs_diff(after), amount, MOST) {
                return true;
            }
        }
    }
    about(falls, amount, MOST_OF_ALL)
}

fn about(change: U256, amount: U256, most: f64) -> bool {
    let ratio = super::words::share(change, amount);
    (LEAST..=most).contains(&ratio)
}

/// Where a number lies in a slot: compilers pack small ones.
struct Lane {
    from: usize,
    bits: usize,
}

/// The whole slot, its halves, and two reserves beside a timestamp.
const LANES: [Lane; 5] = [
    Lane { from: 0, bits: 256 },
    Lane { from: 0, bits: 128 },
    Lane {
        from: 128,
        bits: 128,
    },
    Lane { from: 0, bits: 112 },
    Lane {
        from: 112,
        bits: 112,
    },
];

impl Lane {
    fn of(&self, slot: U256) -> U256 {
        let above = 256 - self.bits;
        (slot >> self.from) << above >> above
    }
}

/// Shares were burned, and of their supply at least the part that left of the assets.
fn burned(case: &Case, loss: &Shortfall) -> bool {
    let Some(share) = loss.share() else {
        return false;
    };
    let mut burned: BTreeMap<Address, U256> = BTreeMap::new();
    for transfer in case.effects.transfers.iter().filter(|one| one.to.is_zero()) {
        if let Asset::Token(token) = transfer.asset {
            let sum = burned.entry(token).or_default();
            *sum = sum.saturating_add(transfer.amount);
        }
    }
    burned.retain(|token, _| case.knows(*token));
    burned.into_iter().any(|(token, amount)| {
        let account = case.effects.execution.diff.0.get(&token);
        let slots = account
            .into_iter()
            .flat_map(|account| account.storage.values());
        // The supply is the largest number that falls by just this much; a holder's balance is smaller.
        let supply = slots
            .filter(|(before, after)| before.checked_sub(*after) == Some(amount))
            .map(|(before, _)| *before)
            .max();
        supply.is_some_and(|supply| super::words::share(amount, supply) >= LEAST * share)
    })
}

/// The supply that the user named fell by the same share.
fn supply_fell(case: &Case, loss: &Shortfall) -> bool {
    let contract = case.contract;
    let (Some(call), Some(share)) = (&contract.views.total_supply, loss.share()) else {
        return false;
    };
    let ask = |when| case.effects.views.number(when, contract.address, call);
    let (Some(before), Some(after)) = (ask(When::Before), ask(When::After)) else {
        return false;
    };
    super::words::share(before.saturating_sub(after), before) >= LEAST * share
}

/// What came in makes up for what left, by the measure of a constant product.
fn traded(case: &Case) -> bool {
    let kept = case.shortfalls.iter().map(|loss| Some(1.0 - loss.share()?));
    let Some(kept) = kept.product::<Option<f64>>() else {
        return false;
    };
    let grown = case.gains().into_iter().take(MAX_ASSETS);
    let grown: f64 = grown
        .map(|(asset, gain)| {
            let before = match asset {
                Asset::Native => shortfalls::native_before(case.effects),
                Asset::Token(token) | Asset::Unique(token, _) => {
                    let holder = case.contract.address;
                    case.effects.views.balance(When::Before, token, holder)
                }
            };
            1.0 + before.map_or(0.0, |before| super::words::share(gain, before))
        })
        .product();
    kept * grown >= FAIR
}
