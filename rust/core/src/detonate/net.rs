//! Whether several calls take together what the last of them seems to take: who deposits first may withdraw.

use crate::evidence::transfers::Asset;
use crate::evidence::{Simulation, Violation};
use crate::simulate::evm::StateError;
use crate::simulate::evm::execute::Sandbox;
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::views::BALANCE_OF;
use crate::simulate::judge::simulator::Simulator;
use alloy_primitives::{Address, Bytes, U256};
use revm::DatabaseRef;

/// Checks of what a contract has, or of what that makes its shares worth. All others look at who may do what.
const OF_WEALTH: [&str; 5] = [
    "outflow",
    "cumulative_outflow",
    "solvency",
    "price_manipulation",
    "reentrancy",
];

/// Of a sequence whose last call `simulation` judges: whether a contract that it harms has less after it than `before` it, at
/// least half of what the last call takes; or is harmed in another way.
pub fn is_net<S: DatabaseRef<Error = StateError>>(
    simulation: &Simulation,
    simulator: &Simulator,
    before: &Sandbox<S>,
    after: &Sandbox<S>,
    bounds: Bounds,
) -> bool {
    let of_wealth = |broken: &&Violation| OF_WEALTH.contains(&&*broken.invariant);
    let mut broken = simulation.violations.iter();
    if broken.any(|broken| broken.severe && !of_wealth(&broken)) {
        return true;
    }
    let tokens = simulator.tokens().into_iter().map(Asset::Token);
    let watched: Vec<Asset> = std::iter::once(Asset::Native).chain(tokens).collect();
    let lost = |contract: Address, asset: Asset| {
        let had = balance(before, contract, asset, bounds)?;
        Some(had.saturating_sub(balance(after, contract, asset, bounds)?))
    };
    simulation
        .violations
        .iter()
        .filter(of_wealth)
        .any(|broken| {
            let Some(contract) = simulator.address_of(&broken.contract) else {
                return false;
            };
            let told = |asset: Asset| broken.losses.iter().find(|(of, _)| *of == asset);
            let enough = |asset: &Asset| {
                let least = told(*asset).map_or(U256::ONE, |(_, amount)| *amount / U256::from(2));
                // What does not tell how much it is counts as told.
                lost(contract, *asset).is_none_or(|lost| lost >= least.max(U256::ONE))
            };
            match broken.losses.is_empty() {
                true => watched.iter().any(enough),
                false => broken.losses.iter().any(|(asset, _)| enough(asset)),
            }
        })
}

fn balance<S: DatabaseRef<Error = StateError>>(
    sandbox: &Sandbox<S>,
    holder: Address,
    asset: Asset,
    bounds: Bounds,
) -> Option<U256> {
    let token = match asset {
        Asset::Native => {
            let account = sandbox.state().basic_ref(holder).ok()?;
            return Some(account.map_or(U256::ZERO, |account| account.balance));
        }
        Asset::Token(token) | Asset::Unique(token, _) => token,
    };
    let data = [&BALANCE_OF[..], holder.into_word().as_slice()].concat();
    let answer = sandbox.view(token, Bytes::from(data), bounds).ok()?;
    answer.get(..32).map(U256::from_be_slice)
}
