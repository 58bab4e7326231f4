//! `solvency`: the share price falls, or the assets fall more than what is owed, without a loss that was registered.

use super::case::Case;
use super::{Finding, words};
use crate::evidence::Class;
use crate::simulate::evm::views::When;
use alloy_primitives::{Bytes, U256};

pub(super) fn check(case: &Case) -> Option<Finding> {
    if case.authorised || registered(case) {
        return None;
    }
    let (what, before, after, drop) = share_price(case).or_else(|| uncovered(case))?;
    let limits = &case.contract.limits.solvency;
    if drop <= limits.drop {
        return None;
    }
    let severe = drop >= limits.severe_drop;
    Some(Finding {
        class: Class::Loss,
        weight: if severe { 0.85 } else { 0.5 },
        severe,
        explanation: format!(
            "the {what} of {} falls by {}, from {before} to {after}, and no loss is registered",
            case.contract.name,
            words::percent(drop),
        ),
        losses: Vec::new(),
    })
}

/// Whether the contract says itself that it lost something.
fn registered(case: &Case) -> bool {
    let frames = &case.effects.execution.trace.frames;
    let mut logs = frames.iter().flat_map(|frame| &frame.logs);
    logs.any(|log| {
        let event = log.topics.first();
        log.address == case.contract.address
            && event.is_some_and(|event| case.contract.loss_events.contains(event))
    })
}

type Fall = (&'static str, U256, U256, f64);

/// The view that the user named, else assets for each share.
fn share_price(case: &Case) -> Option<Fall> {
    let views = &case.contract.views;
    if let Some(call) = &views.share_price {
        let (before, after) = both(case, call)?;
        let fall = words::share(before.saturating_sub(after), before);
        return Some(("share price", before, after, fall));
    }
    let (assets, assets_after) = both(case, views.total_assets.as_ref()?)?;
    let (supply, supply_after) = both(case, views.total_supply.as_ref()?)?;
    if supply.is_zero() || supply_after.is_zero() || assets.is_zero() {
        return None;
    }
    let price = words::share(assets, supply);
    let fall = 1.0 - words::share(assets_after, supply_after) / price;
    Some((
        "total of assets behind the shares",
        assets,
        assets_after,
        fall,
    ))
}

/// What is missing of the assets beyond what fell of the liabilities, as a share of the assets.
fn uncovered(case: &Case) -> Option<Fall> {
    let views = &case.contract.views;
    let (assets, assets_after) = both(case, views.total_assets.as_ref()?)?;
    let (owed, owed_after) = both(case, views.liabilities.as_ref()?)?;
    let fell = assets.saturating_sub(assets_after);
    let rose = owed_after.saturating_sub(owed);
    let gained = assets_after.saturating_sub(assets);
    let paid = owed.saturating_sub(owed_after);
    let missing = fell.saturating_add(rose);
    let missing = missing.saturating_sub(gained.saturating_add(paid));
    let fall = words::share(missing, assets);
    Some(("cover of what is owed", assets, assets_after, fall))
}

fn both(case: &Case, call: &Bytes) -> Option<(U256, U256)> {
    let ask = |when| {
        let views = case.effects.views;
        views.number(when, case.contract.address, call)
    };
    Some((ask(When::Before)?, ask(When::After)?))
}
