//! Amounts that nobody misses and nothing is paid with.

use super::case::Case;
use crate::evidence::transfers::Asset;
use crate::simulate::evm::views::When;
use alloy_primitives::{Bytes, U256, hex};

/// `decimals()`
const DECIMALS: [u8; 4] = hex!("313ce567");
/// Wei.
const ETHER: u64 = 1_000_000_000_000_000_000;
/// Of one whole: less is dust.
const LEAST: u64 = 10_000;

/// Smallest units of one whole; `None` of what does not tell its decimals, or has none.
pub(super) fn one(case: &Case, asset: Asset) -> Option<U256> {
    let one = match asset {
        Asset::Native => Some(U256::from(ETHER)),
        Asset::Unique(..) => None,
        Asset::Token(token) => {
            let call = Bytes::from_static(&DECIMALS);
            let decimals = case.effects.views.number(When::Before, token, &call);
            decimals.and_then(|decimals| U256::from(10).checked_pow(decimals))
        }
    };
    one.filter(|one| *one > U256::ONE)
}

/// Whether it is less than a ten-thousandth of one whole; of what has no whole nothing is.
pub(super) fn is_dust(case: &Case, asset: Asset, amount: U256) -> bool {
    one(case, asset).is_some_and(|one| amount < one / U256::from(LEAST))
}
