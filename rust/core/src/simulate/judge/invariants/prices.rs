//! Questions of prices, and what was told.

use super::case::Case;
use crate::evidence::trace::{CallKind, Frame};
use crate::simulate::evm::views::{BALANCE_OF, When};
use alloy_primitives::{Address, U256, keccak256};
use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

const GET_RESERVES: &str = "getReserves()";
const SLOT0: &str = "slot0()";
const LATEST_ROUND: &str = "latestRoundData()";

/// Functions whose first (of lists, last) word is a price, or in proportion to one.
const PRICES: &[&str] = &[
    "latestAnswer()",
    "getPrice()",
    "getPrice(address)",
    "price()",
    "getUnderlyingPrice(address)",
    "getAssetPrice(address)",
    "consult(address,uint256)",
    "getAmountOut(uint256,uint256,uint256)",
    "getAmountsOut(uint256,address[])",
    "get_dy(int128,int128,uint256)",
    "get_virtual_price()",
    "calc_withdraw_one_coin(uint256,int128)",
    "pricePerShare()",
    "getPricePerFullShare()",
    "sharePrice()",
    "convertToAssets(uint256)",
    "exchangeRate()",
    "exchangeRateStored()",
    "exchangeRateCurrent()",
];

type Selector = [u8; 4];

struct Selectors {
    reserves: Selector,
    slot0: Selector,
    latest_round: Selector,
    prices: HashSet<Selector>,
}

static SELECTORS: LazyLock<Selectors> = LazyLock::new(|| {
    let selector = |text: &str| -> Selector {
        let hash = keccak256(text);
        [hash[0], hash[1], hash[2], hash[3]]
    };
    Selectors {
        reserves: selector(GET_RESERVES),
        slot0: selector(SLOT0),
        latest_round: selector(LATEST_ROUND),
        prices: PRICES.iter().map(|text| selector(text)).collect(),
    }
});

/// The price in an answer; `None` where it is none.
fn price(case: &Case, selector: Selector, answer: &[u8]) -> Option<f64> {
    let word = |n: usize| {
        let word = answer.get(32 * n..32 * n + 32)?;
        Some(f64::from(U256::from_be_slice(word)))
    };
    let known = &*SELECTORS;
    let price = if selector == known.reserves {
        word(0)? / word(1)?
    } else if selector == known.slot0 {
        // The root of the price.
        word(0)?.powi(2)
    } else if selector == known.latest_round {
        word(1)?
    } else if known.prices.contains(&selector)
        || case.contract.price_functions.contains(&selector)
        || selector == BALANCE_OF
    {
        word((answer.len() / 32).checked_sub(1)?)?
    } else {
        return None;
    };
    (price.is_finite() && price > 0.0).then_some(price)
}

/// Whether it is a question of a price. A balance prices something where its holder traded meanwhile.
pub(super) fn tells(frame: &Frame, traders: &BTreeSet<Address>) -> bool {
    if !matches!(frame.kind, CallKind::StaticCall | CallKind::Call) {
        return false;
    }
    match frame.input.split_first_chunk::<4>() {
        Some((&BALANCE_OF, holder)) => {
            let holder = holder.get(12..32).map(Address::from_slice);
            holder.is_some_and(|holder| traders.contains(&holder))
        }
        selector => selector.is_some(),
    }
}

/// By how much an answer's price is off the one before.
pub(super) fn deviation(case: &Case, frame: &Frame) -> Option<f64> {
    let selector = *frame.input.first_chunk::<4>()?;
    let views = case.effects.views;
    let answer = views.ask(When::Before, frame.to?, &frame.input)?;
    Some(heard(case, frame)? / price(case, selector, &answer)? - 1.0)
}

/// The price that an answer told.
pub(super) fn heard(case: &Case, frame: &Frame) -> Option<f64> {
    price(case, *frame.input.first_chunk::<4>()?, &frame.output)
}
