//! Other surroundings for what asks for them: code that behaves while it is watched must be watched from several sides.

use super::execute::Environment;
use super::recorder::Surroundings;
use alloy_primitives::{Address, B256, U256, address, keccak256};

/// A day: past what waits for a block or an hour.
const LATER_SECONDS: u64 = 86_400;
const LATER_BLOCKS: u64 = 7_200;
/// A beneficiary that has built blocks for years, so that it is no stranger to code that looks for one.
const BUILDER: Address = address!("95222290dd7278aa3ddd389cc1e1d165cc4bafe5");

/// Surroundings other than the likely ones, in what an execution asked of them; each with what was changed.
pub fn variations(
    likely: &Environment,
    asked: Surroundings,
) -> impl Iterator<Item = (&'static str, Environment)> {
    let vary = |of: &'static str, asked: bool, change: fn(&mut Environment)| {
        asked.then(|| {
            let mut environment = likely.clone();
            change(&mut environment);
            (of, environment)
        })
    };
    let varied = [
        vary("coinbase", asked.beneficiary, |environment| {
            let block = &mut environment.block;
            block.beneficiary = match block.beneficiary {
                BUILDER => Address::ZERO,
                _ => BUILDER,
            };
        }),
        vary("time", asked.time, |environment| {
            let block = &mut environment.block;
            block.timestamp = block.timestamp.saturating_add(U256::from(LATER_SECONDS));
            block.number = block.number.saturating_add(U256::from(LATER_BLOCKS));
            let other = keccak256(block.prevrandao.unwrap_or(B256::ZERO));
            block.prevrandao = block.prevrandao.map(|_| other);
        }),
        vary("price", asked.price, |environment| {
            // A quarter: what it pays above the base fee becomes more, too.
            environment.block.basefee /= 4;
        }),
        vary("gas limit", asked.gas_limit, |environment| {
            let block = &mut environment.block;
            block.gas_limit = block.gas_limit.saturating_mul(2);
        }),
    ];
    varied.into_iter().flatten()
}
