//! Whether pauses would take a transaction's harm: [pauses, transaction], executed on the same state in the same block.
//!
//! The contract that loses the largest share is paused first. While more than a tenth of the harm is left, the next one is
//! paused as well; a pause that does not go through is left out where others do. What counts is the set of those tried that
//! leaves least. Each pause comes directly before the
//! transaction, after what its sender sends before it.

use crate::config::Pause;
use crate::evidence::transfers::Asset;
use crate::evidence::{TriedPause, Unasked, Victim, Violation};
use crate::simulate::evm::StateError;
use crate::simulate::evm::backend::Backend;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::execute::{Execution, Exit};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::transaction::from_pause;
use crate::simulate::evm::views::{Views, When};
use alloy_primitives::{Address, U256};
use revm::context::TxEnv;
use std::sync::Arc;

/// Pauses that are tried.
const MOST: usize = 4;
/// Of the harm, what may be left for no more pauses to be tried.
const ENOUGH: f32 = 0.1;
/// Of the harm, where it is not measured and some invariant still breaks.
const SOME: f32 = 0.5;

/// A contract's name and what pauses it.
pub type Candidate<'a> = (&'a Arc<str>, &'a Pause);

/// Told what an execution breaks; nothing where there is no time for it.
pub type Judge<'a> = &'a dyn Fn(&Execution, &dyn Views) -> Option<Vec<Violation>>;

/// What is asked.
pub struct Question<'a> {
    pub backend: &'a dyn Backend,
    pub environment: &'a Environment,
    /// The transaction, last, after what comes before it.
    pub sequence: &'a [TxEnv],
    pub bounds: Bounds,
    /// Of the transaction without pauses.
    pub victims: &'a [Victim],
    /// Narrowest first.
    pub candidates: &'a [Candidate<'a>],
}

/// What the pauses do.
#[derive(Debug, Clone, PartialEq)]
pub struct Paused {
    pub targets: Vec<Arc<str>>,
    pub tried: Vec<TriedPause>,
    /// Whether the targets' pauses go through.
    pub succeeds: bool,
    pub harm_left: f32,
}

/// # Errors
/// [`Unasked`]: why there is no answer.
pub fn ask(question: &Question, judge: Judge) -> Result<Paused, Unasked> {
    let (mut kept, mut best) = (Vec::<Candidate>::new(), None::<(usize, f32)>);
    let mut tried: Vec<TriedPause> = Vec::new();
    for candidate in question.candidates.iter().take(MOST) {
        kept.push(*candidate);
        let (pause, left) = match question.attempt(&kept, judge) {
            Ok(attempt) => attempt,
            // What is known of fewer pauses is not thrown away.
            Err(unasked) if best.is_some() && !unasked.missing => break,
            Err(unasked) => return Err(unasked),
        };
        match pause.succeeds {
            true if best.is_none_or(|(_, least)| left < least) => best = Some((kept.len(), left)),
            true => {}
            false => _ = kept.pop(),
        }
        tried.push(pause);
        if best.is_some_and(|(_, least)| least <= ENOUGH) {
            break;
        }
    }
    let (succeeds, harm_left) = (best.is_some(), best.map_or(1.0, |(_, least)| least));
    kept.truncate(best.map_or(0, |(count, _)| count));
    let targets = match succeeds {
        true => kept.iter().map(|(name, _)| Arc::clone(name)).collect(),
        false => tried.iter().map(|pause| pause.contract.clone()).collect(),
    };
    Ok(Paused {
        targets,
        tried,
        succeeds,
        harm_left,
    })
}

impl Question<'_> {
    /// How the last of these pauses goes, and what they all leave of the harm.
    fn attempt(&self, pauses: &[Candidate], judge: Judge) -> Result<(TriedPause, f32), Unasked> {
        let Some((attack, before)) = self.sequence.split_last() else {
            return Err(Unasked::new("there is nothing to execute"));
        };
        let guardians: Vec<Address> = pauses.iter().map(|(_, pause)| pause.from).collect();
        let calls = pauses.iter();
        let calls = calls.map(|(_, pause)| from_pause(pause, self.environment));
        let transactions = before.iter().cloned().chain(calls);
        let transactions: Vec<_> = transactions.chain([attack.clone()]).collect();
        let (last_pause, last) = (transactions.len() - 2, transactions.len() - 1);
        let (mut at, mut stopped) = (0, false);
        let (mut pause, mut left) = (None, None);
        let mut look = |execution: Execution, views: &dyn Views| {
            stopped |= matches!(execution.exit, Exit::Stopped(_));
            if at == last_pause {
                pause = pauses.last().map(|one| tried(one, &execution, views));
            } else if at == last {
                let violations = judge(&execution, views);
                let succeeded = execution.exit == Exit::Succeeded;
                left = violations.map(|found| harm_left(self.victims, &found, succeeded));
            }
            at += 1;
        };
        let (environment, bounds) = (self.environment, self.bounds);
        self.backend
            .execute(environment, &transactions, &guardians, bounds, &mut look)
            .map_err(no_state)?;
        match (pause, left) {
            (Some(pause), Some(left)) if !stopped => Ok((pause, left)),
            _ => Err(Unasked::new("not answered within the deadline")),
        }
    }
}

fn no_state(error: StateError) -> Unasked {
    let missing = matches!(error, StateError::Unknown | StateError::Moved);
    Unasked {
        missing,
        ..Unasked::new("its state could not be had")
    }
}

/// How a pause went.
pub fn tried((name, pause): &Candidate, execution: &Execution, views: &dyn Views) -> TriedPause {
    let says = |when| {
        let check = pause.check.as_ref()?;
        let answer = views.number(when, check.to, &check.input);
        Some(answer.is_some_and(|word| !word.is_zero()))
    };
    TriedPause {
        already_paused: says(When::Before).unwrap_or(false),
        contract: Arc::clone(name),
        gas: execution.gas_spent,
        succeeds: execution.exit == Exit::Succeeded && says(When::After).unwrap_or(true),
    }
}

/// The largest part of a victim's harm that is left: of a measured loss by its amount, else 1 where a severe violation of
/// that contract is left, a half where any is. A loss that was none before counts by its share of what the contract has,
/// against the largest that is lost without pauses; where its share is not known, as if nothing were measured. Where no
/// invariant was broken, all that can be told is whether the transaction still succeeds.
fn harm_left(victims: &[Victim], violations: &[Violation], succeeded: bool) -> f32 {
    if victims.is_empty() {
        return f32::from(u8::from(succeeded));
    }
    let shares = victims.iter().filter_map(|victim| victim.loss?.share);
    let most = shares.fold(0.0, f32::max);
    let most = if most > 0.0 { most } else { 1.0 };
    let weight = |violation: &Violation| if violation.severe { 1.0 } else { SOME };
    let new = |violation: &Violation, asset: &Asset| {
        let mut shares = violation.shares.iter();
        let share = shares.find(|(of, share)| of == asset && share.is_finite());
        share.map_or_else(|| weight(violation), |(_, share)| (share / most).min(1.0))
    };
    let lost = |violation: &Violation| {
        let parts = violation.losses.iter().map(|(asset, amount)| {
            let of_victim = victims.iter().filter(|v| v.contract == violation.contract);
            let mut losses = of_victim.filter_map(|victim| victim.loss);
            let before = losses.find(|loss| loss.asset == *asset);
            before.map_or_else(
                || new(violation, asset),
                |before| ratio(*amount, before.amount),
            )
        });
        parts.fold(0.0, f32::max)
    };
    let unmeasured = |victim: &&Victim| victim.loss.is_none();
    let broken = |victim: &Victim| {
        let left = violations.iter().filter(|v| v.contract == victim.contract);
        left.map(weight).fold(0.0, f32::max)
    };
    let losses = violations.iter().map(lost);
    let others = victims.iter().filter(unmeasured).map(broken);
    losses.chain(others).fold(0.0, f32::max)
}

fn ratio(left: U256, of: U256) -> f32 {
    if of.is_zero() {
        return 1.0;
    }
    (f64::from(left) / f64::from(of)).min(1.0) as f32
}

#[cfg(test)]
mod tests;
