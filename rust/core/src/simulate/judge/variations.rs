//! Other surroundings for what asks for them: code that behaves while it is watched must be watched from several sides.

use crate::chain::ChainSpec;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::tracer::Surroundings;
use alloy_primitives::{Address, B256, U256, keccak256};

/// A day: past what waits for a block or an hour.
const LATER_SECONDS: u64 = 86_400;

/// Surroundings other than the likely ones, in what an execution asked of them; each with what was changed.
pub fn variations(
    likely: &Environment,
    chain: &ChainSpec,
    asked: Surroundings,
) -> impl Iterator<Item = (&'static str, Environment)> + use<> {
    let vary = |of: &'static str, asked: bool, change: &dyn Fn(&mut Environment)| {
        asked.then(|| {
            let mut environment = likely.clone();
            change(&mut environment);
            (of, environment)
        })
    };
    let other_beneficiary = |to: &mut Environment| other_beneficiary(to, chain.builder);
    let later = |to: &mut Environment| later(to, chain.blocks_a_day());
    let several = [asked.beneficiary, asked.time, asked.price, asked.gas_limit];
    let several = several.into_iter().filter(|asked| *asked).count() > 1;
    let varied = [
        vary("coinbase", asked.beneficiary, &other_beneficiary),
        vary("time", asked.time, &later),
        vary("price", asked.price, &cheaper),
        vary("gas limit", asked.gas_limit, &roomier),
        // What hides behind several conditions at once.
        vary("all", several, &|environment: &mut Environment| {
            other_beneficiary(environment);
            later(environment);
            cheaper(environment);
            roomier(environment);
        }),
    ];
    varied.into_iter().flatten()
}

fn other_beneficiary(environment: &mut Environment, builder: Address) {
    let block = &mut environment.block;
    block.beneficiary = match block.beneficiary == builder {
        true => Address::ZERO,
        false => builder,
    };
}

fn later(environment: &mut Environment, blocks: u64) {
    let block = &mut environment.block;
    block.timestamp = block.timestamp.saturating_add(U256::from(LATER_SECONDS));
    block.number = block.number.saturating_add(U256::from(blocks));
    let other = keccak256(block.prevrandao.unwrap_or(B256::ZERO));
    block.prevrandao = block.prevrandao.map(|_| other);
}

/// A quarter: what it pays above the base fee becomes more, too.
fn cheaper(environment: &mut Environment) {
    environment.block.basefee /= 4;
}

fn roomier(environment: &mut Environment) {
    let block = &mut environment.block;
    block.gas_limit = block.gas_limit.saturating_mul(2);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: Surroundings) -> Vec<&'static str> {
        let likely = Environment::unknown(1);
        variations(&likely, &ChainSpec::of(1), asked)
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn only_what_is_asked_for_is_varied_and_several_together_too() {
        assert!(names(Surroundings::default()).is_empty());
        let time = Surroundings {
            time: true,
            ..Surroundings::default()
        };
        assert_eq!(names(time), ["time"]);
        let both = Surroundings {
            beneficiary: true,
            ..time
        };
        assert_eq!(names(both), ["coinbase", "time", "all"]);
    }

    #[test]
    fn every_variation_is_another_block() {
        let all = Surroundings {
            beneficiary: true,
            time: true,
            price: true,
            gas_limit: true,
        };
        let (mut likely, chain) = (Environment::unknown(1), ChainSpec::of(1));
        likely.block.basefee = 100;
        likely.block.gas_limit = 1_000;
        for (name, varied) in variations(&likely, &chain, all) {
            assert_ne!(varied.block, likely.block, "{name}");
        }
        likely.block.beneficiary = chain.builder;
        let (_, varied) = variations(&likely, &chain, all).next().unwrap();
        assert_ne!(varied.block.beneficiary, chain.builder);
    }
}
