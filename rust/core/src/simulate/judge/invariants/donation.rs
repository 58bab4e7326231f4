//! `donation`: a gift makes few shares worth so much that the next deposit is rounded away, or a deposit got nothing.
//!
//! Without configured views the contract is asked by the names of EIP-4626 and of the markets before it; whoever answers none
//! of them has no shares.

use super::booking::is_about;
use super::case::Case;
use super::shortfalls::MAX_ASSETS;
use super::{Finding, dust, words};
use crate::evidence::Class;
use crate::evidence::trace::{CallKind, Frame};
use crate::evidence::transfers::{Asset, Transfer};
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, Bytes, U256, hex};
use std::collections::BTreeMap;

/// `deposit(uint256,address)` of EIP-4626 and `deposit(uint256)`: they answer the shares.
const DEPOSITS: [[u8; 4]; 2] = [hex!("6e553f65"), hex!("b6b55f25")];
/// `totalSupply()`, `totalAssets()`
const TOTAL_SUPPLY: [u8; 4] = hex!("18160ddd");
const TOTAL_ASSETS: [u8; 4] = hex!("01e1d114");
/// `exchangeRateStored()`, `pricePerShare()`, `getPricePerFullShare()`
const SHARE_PRICES: [[u8; 4]; 3] = [hex!("182df0f5"), hex!("99530b06"), hex!("77c7b8fc")];
/// Of what a contract of unknown decimals has, the least that is no dust.
const TINY: u64 = 1_000_000;

pub(super) fn check(case: &Case) -> Option<Finding> {
    inflated(case).or_else(|| minted_nothing(case))
}

fn inflated(case: &Case) -> Option<Finding> {
    let contract = case.contract;
    let limits = &contract.limits.donation;
    let gifts = gifts(case);
    if gifts.is_empty() {
        return None;
    }
    let call = contract.views.total_supply.clone();
    let call = call.unwrap_or(Bytes::from_static(&TOTAL_SUPPLY));
    let supply = |when| case.effects.views.number(when, contract.address, &call);
    let after = supply(When::After)?;
    if after.is_zero() || after > limits.tiny_supply {
        return None;
    }
    // Who loses a part of a share that is worth nothing loses nothing.
    let mut gifts = gifts.into_iter();
    let (asset, gift) = gifts.find(|(asset, gift)| !dust::is_dust(case, *asset, gift / after))?;
    let factor = dearer(case, supply(When::Before)?, after)?;
    if factor.is_nan() || factor < limits.factor {
        return None;
    }
    Some(Finding {
        class: Class::Attack,
        weight: 0.8,
        severe: true,
        explanation: format!(
            "{} are given to {} without a deposit; each of its {after} shares is worth {factor:.1} times as much, so that the next deposit is rounded away",
            case.amount(asset, gift),
            contract.name,
        ),
        losses: Vec::new(),
    })
}

/// What is given to the contract without its code being called, and could raise the price of its shares: where nobody says
/// how that is worked out, no less than what it has already.
fn gifts(case: &Case) -> BTreeMap<Asset, U256> {
    let contract = case.contract;
    let given = case.effects.transfers.iter().filter(|transfer| {
        // Plain ether runs the contract's code; what self-destructs pays without.
        let frame = &case.effects.execution.trace.frames[transfer.frame as usize];
        let forced = frame.kind == CallKind::SelfDestruct;
        let silent = transfer.asset != Asset::Native || forced;
        let invited = case.entries.inside(transfer.frame).is_some();
        transfer.to == contract.address && silent && (forced || !invited)
    });
    let mut gifts: BTreeMap<Asset, U256> = BTreeMap::new();
    for transfer in given {
        let sum = gifts.entry(transfer.asset).or_default();
        *sum = sum.saturating_add(transfer.amount);
    }
    let views = &contract.views;
    let configured = views.share_price.is_some() || views.total_assets.is_some();
    // Made-up tokens could crowd out the one that counts.
    if !configured && gifts.len() <= MAX_ASSETS {
        let more = (contract.limits.donation.factor - 1.0).max(0.0);
        gifts.retain(|asset, gift| {
            let before = super::shortfalls::held_before(case.effects, *asset);
            before.is_none_or(|before| f64::from(*gift) >= more * f64::from(before))
        });
    }
    gifts
}

/// How many times as much a share is worth afterwards.
fn dearer(case: &Case, before: U256, after: U256) -> Option<f64> {
    let contract = case.contract;
    let ask = |when, call: &Bytes| case.effects.views.number(when, contract.address, call);
    let by_price = |call: &Bytes| {
        Some(f64::from(ask(When::After, call)?) / f64::from(ask(When::Before, call)?))
    };
    let by_assets = |call: &Bytes| {
        let price = words::share(ask(When::After, call)?, after);
        // The first shares are sold one to one.
        Some(match before.is_zero() {
            true => price,
            false => price / words::share(ask(When::Before, call)?, before),
        })
    };
    let views = &contract.views;
    match (&views.share_price, &views.total_assets) {
        (Some(call), _) => by_price(call),
        (None, Some(call)) => by_assets(call),
        (None, None) => {
            let mut prices = SHARE_PRICES.iter();
            by_assets(&Bytes::from_static(&TOTAL_ASSETS))
                .or_else(|| prices.find_map(|call| by_price(&Bytes::from_static(call))))
        }
    }
}

fn minted_nothing(case: &Case) -> Option<Finding> {
    let frames = &case.effects.execution.trace.frames;
    let paid = case.effects.transfers.iter().find(|transfer| {
        let Some(entry) = case.entries.inside(transfer.frame) else {
            return false;
        };
        transfer.to == case.contract.address
            && case.stood(entry)
            && is_rounded_away(case, entry, &frames[entry as usize], transfer)
    })?;
    Some(Finding {
        class: Class::Attack,
        weight: 0.8,
        severe: false,
        explanation: format!(
            "{} are deposited in {} by {} for no share at all",
            case.amount(paid.asset, paid.amount),
            case.contract.name,
            paid.from,
        ),
        losses: vec![(paid.asset, paid.amount)],
    })
}

/// Whether a deposit of something answers no share, and whom it is for has none more of them. Where the answer means
/// something else (a code that all is well, a stake's number), they have, or it is written down for them.
fn is_rounded_away(case: &Case, entry: u32, call: &Frame, paid: &Transfer) -> bool {
    let deposits = DEPOSITS
        .iter()
        .any(|deposit| call.input.starts_with(deposit));
    let nothing = call.output.len() == 32 && U256::from_be_slice(&call.output).is_zero();
    let word = |n: usize| {
        call.input
            .get(4 + 32 * n..36 + 32 * n)
            .map(U256::from_be_slice)
    };
    let asked = word(0).is_some_and(|amount| !amount.is_zero());
    // What a deposit of nothing has others bring is their earnings.
    if !deposits || !nothing || !asked || paid.from != call.from || paid.to == paid.from {
        return false;
    }
    let receiver = word(1).map_or(call.from, |word| Address::from_word(word.into()));
    let shares = |when| {
        let views = case.effects.views;
        views.balance(when, case.contract.address, receiver)
    };
    let (Some(before), Some(after)) = (shares(When::Before), shares(When::After)) else {
        return false;
    };
    let written = || {
        case.moves().iter().any(|moved| {
            moved.entry == entry
                && is_about(moved.after.saturating_sub(moved.before), paid.amount)
                && (case.keys().names(moved.slot, receiver)
                    || case.keys().names(moved.slot, call.from))
        })
    };
    after <= before && !written() && !is_dust(case, paid)
}

fn is_dust(case: &Case, paid: &Transfer) -> bool {
    let held = || super::shortfalls::held_before(case.effects, paid.asset).unwrap_or_default();
    match dust::one(case, paid.asset) {
        Some(_) => dust::is_dust(case, paid.asset, paid.amount),
        None => paid.amount < held() / U256::from(TINY),
    }
}
