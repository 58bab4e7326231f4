//! `donation`: a gift makes few shares worth so much that the next deposit is rounded away, or a deposit got nothing.

use super::case::Case;
use super::{Finding, words};
use crate::evidence::Class;
use crate::evidence::trace::CallKind;
use crate::evidence::transfers::Asset;
use crate::simulate::evm::views::When;
use alloy_primitives::{U256, hex};

/// `deposit(uint256,address)` of EIP-4626 and `deposit(uint256)`: they answer the shares.
const DEPOSITS: [[u8; 4]; 2] = [hex!("6e553f65"), hex!("b6b55f25")];

pub(super) fn check(case: &Case) -> Option<Finding> {
    inflated(case).or_else(|| minted_nothing(case))
}

fn inflated(case: &Case) -> Option<Finding> {
    let contract = case.contract;
    let limits = &contract.limits.donation;
    let gift = case.effects.transfers.iter().find(|transfer| {
        // Plain ether runs the contract's code; what self-destructs pays without.
        let frame = &case.effects.execution.trace.frames[transfer.frame as usize];
        let silent = transfer.asset != Asset::Native || frame.kind == CallKind::SelfDestruct;
        let invited = case.entries.inside(transfer.frame).is_some();
        let watched = contract.assets.is_empty() || contract.assets.contains(&transfer.asset);
        let forced = frame.kind == CallKind::SelfDestruct;
        transfer.to == contract.address && silent && watched && (forced || !invited)
    })?;
    let ask = |when, call| {
        let views = case.effects.views;
        views.number(when, contract.address, call)
    };
    let supply_call = contract.views.total_supply.as_ref()?;
    let supply = ask(When::After, supply_call)?;
    if supply.is_zero() || supply > limits.tiny_supply {
        return None;
    }
    let price = |when, supply| match (&contract.views.share_price, &contract.views.total_assets) {
        (Some(call), _) => ask(when, call).map(f64::from),
        (None, Some(call)) => Some(words::share(ask(when, call)?, supply)),
        (None, None) => None,
    };
    let supply_before = ask(When::Before, supply_call)?;
    // The first shares are sold one to one.
    let before = match supply_before.is_zero() {
        true if contract.views.share_price.is_none() => 1.0,
        _ => price(When::Before, supply_before)?,
    };
    let factor = price(When::After, supply)? / before;
    if factor.is_nan() || factor < limits.factor {
        return None;
    }
    Some(Finding {
        class: Class::Attack,
        weight: 0.8,
        severe: true,
        explanation: format!(
            "{} are given to {} without a deposit; each of its {supply} shares is worth {factor:.1} times as much, so that the next deposit is rounded away",
            case.amount(gift.asset, gift.amount),
            contract.name,
        ),
        losses: Vec::new(),
    })
}

fn minted_nothing(case: &Case) -> Option<Finding> {
    let frames = &case.effects.execution.trace.frames;
    let paid = case.effects.transfers.iter().find(|transfer| {
        let Some(entry) = case.entries.inside(transfer.frame) else {
            return false;
        };
        let frame = &frames[entry as usize];
        let deposits = DEPOSITS
            .iter()
            .any(|deposit| frame.input.starts_with(deposit));
        let nothing = frame.output.len() == 32 && U256::from_be_slice(&frame.output).is_zero();
        transfer.to == case.contract.address && deposits && nothing && case.stood(entry)
    })?;
    Some(Finding {
        class: Class::Loss,
        weight: 0.5,
        severe: false,
        explanation: format!(
            "{} are deposited in {} by {} for no share at all",
            case.amount(paid.asset, paid.amount),
            case.contract.name,
            paid.from,
        ),
        losses: Vec::new(),
    })
}
