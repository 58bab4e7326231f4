//! From what one call showed to others that go further.

use super::arguments::{callers, replaced, solutions, with_length, with_word, word};
use super::look::{Concern, Look};
use super::means::Means;
use super::probe::{Comparison, Kinds, Role};
use super::stage::{Stage, Tier};
use crate::evidence::{Guard, Trial};
use crate::simulate::evm::StateError;
use crate::simulate::evm::tracer::Bounds;
use alloy_primitives::{Address, Bytes, U256, address};
use revm::DatabaseRef;

/// Somebody whom no contract knows.
pub const STRANGER: Address = address!("5be5a6d8c2f1b9f3d2c1a4e6b7089af1c3d5e701");
/// Words that are varied.
const WORDS: usize = 6;
/// Candidates of each, and where nothing says yet that it has to do with a monitored contract, or after other calls.
const CANDIDATES: usize = 24;
const FEW: usize = 4;
/// Accounts tried where a contract acts for some caller and does not show for whom.
const CALLERS: usize = 6;

/// Puts what may go further than `trial` into the stage.
pub fn expand<S: DatabaseRef<Error = StateError>>(
    stage: &mut Stage<S>,
    trial: &Trial,
    look: &Look,
    means: &mut Means,
    bounds: Bounds,
) {
    for comparison in &look.seen.comparisons {
        let tier = if comparison.equal {
            Tier::Solved
        } else {
            Tier::Near
        };
        for (turn, solved) in solved(trial, comparison, means.deployer)
            .into_iter()
            .enumerate()
        {
            stage.push(tier, turn, solved);
        }
    }
    if look.guard == Some(Guard::Caller) {
        for (turn, from) in means.addresses.iter().take(CALLERS).enumerate() {
            stage.push(Tier::Stranger, turn, by(trial, *from));
        }
    }
    // Nothing else matters to it.
    if matches!(look.guard, Some(Guard::Caller | Guard::Time)) {
        return;
    }
    let paid = !trial.value.is_zero();
    // What it has begun with a monitored contract, or lacked gas for, comes to its end by another value.
    let begun = look.concern > Concern::None || look.ran_out;
    let refused = !look.succeeded && !begun && look.seen.last.has(Kinds::VALUE);
    let near = match look.concern {
        Concern::None => Tier::Guessed,
        _ => Tier::Near,
    };
    if !refused {
        // One value shows whether it takes any; what has to do with a monitored contract may need the right one.
        let values = means.values(&stage.sandbox, trial.from);
        let all = paid || look.concern > Concern::None;
        let values = values.into_iter().take(if all { usize::MAX } else { 1 });
        for (turn, value) in values.enumerate() {
            let tier = if turn == 0 {
                near.min(Tier::Near)
            } else {
                near
            };
            stage.push(
                tier,
                turn,
                Trial {
                    value,
                    ..trial.clone()
                },
            );
        }
    }
    vary_words(stage, trial, look, near, means, bounds);
    if look.concern > Concern::None && !paid {
        stage.push(Tier::Stranger, CALLERS, by(trial, STRANGER));
    }
}

/// The same call by somebody else, who brings nothing.
fn by(trial: &Trial, from: Address) -> Trial {
    Trial {
        from,
        value: U256::ZERO,
        ..trial.clone()
    }
}

fn vary_words<S: DatabaseRef<Error = StateError>>(
    stage: &mut Stage<S>,
    trial: &Trial,
    look: &Look,
    tier: Tier,
    means: &mut Means,
    bounds: Bounds,
) {
    let words: Vec<(usize, Role)> = look.seen.words.iter().take(WORDS).copied().collect();
    if words.is_empty() {
        return;
    }
    let counts = words.iter().any(|(_, role)| *role == Role::Number);
    let numbers = match counts {
        true => means.numbers(&stage.sandbox, bounds).to_vec(),
        false => Vec::new(),
    };
    let candidates = match (tier, stage.before.is_empty()) {
        (Tier::Near, true) => CANDIDATES,
        _ => FEW,
    };
    for turn in 0..candidates {
        for input in replaced(&trial.input, &words, turn, &means.addresses, &numbers) {
            stage.push(
                tier,
                turn,
                Trial {
                    input,
                    ..trial.clone()
                },
            );
        }
    }
}

/// The same call, as a comparison asks for it. What an account that is the contract itself calls is its own business, unless
/// it is the deployer (EIP-7702).
fn solved(trial: &Trial, comparison: &Comparison, deployer: Address) -> Vec<Trial> {
    let kinds = comparison.kinds;
    let with_input = |input: Option<Bytes>| {
        Some(Trial {
            input: input?,
            ..trial.clone()
        })
    };
    let small = |number: U256| usize::try_from(number).ok();
    if kinds.has(Kinds::CALLER) {
        let callers = callers(trial.from, comparison);
        let others = callers.filter(|from| *from != trial.to || *from == deployer);
        return others.map(|from| by(trial, from)).collect();
    }
    if kinds.has(Kinds::SIZE) {
        let solutions = solutions(U256::from(trial.input.len()), comparison).into_iter();
        let inputs = solutions.filter_map(small);
        let inputs = inputs.map(|length| with_length(&trial.input, length));
        return inputs.filter_map(with_input).collect();
    }
    if kinds.has(Kinds::VALUE) {
        let solutions = solutions(trial.value, comparison).into_iter();
        let own = |value: &U256| trial.from == deployer || value.is_zero();
        return solutions
            .filter(own)
            .map(|value| Trial {
                value,
                ..trial.clone()
            })
            .collect();
    }
    if !kinds.has(Kinds::WORD | Kinds::SELECTOR) {
        return Vec::new();
    }
    let before = word(&trial.input, comparison.at);
    let solutions = solutions(before, comparison).into_iter();
    let inputs = solutions.map(|word| with_word(&trial.input, comparison.at, word));
    inputs.filter_map(with_input).collect()
}
