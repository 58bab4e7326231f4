//! What a transaction must not do to a monitored contract: small checks over one execution (docs/invariants.md).
//!
//! A check that needs what neither the execution nor the configuration tells is silent; it never guesses.

mod approval_drain;
mod asking;
mod authority;
mod booking;
mod bridge_release;
mod case;
mod cluster;
mod codes;
mod confused_deputy;
mod cover;
mod cumulative_outflow;
mod decided;
mod donation;
mod dust;
mod entries;
mod exchange;
mod flash_loan;
mod foreign_code;
mod governance;
mod history;
mod judgement;
mod keys;
mod knowledge;
mod lanes;
mod orders;
mod outflow;
mod parties;
mod price_manipulation;
mod prices;
mod protected;
mod provenance;
mod read_only_reentrancy;
mod reentrancy;
mod rewiring;
mod roles;
mod shortfalls;
mod signed;
mod solvency;
mod sources;
mod takeover;
#[cfg(test)]
mod tests;
mod third_party;
mod unbacked;
mod unique;
mod words;
mod written;

pub use entries::{account as runs_as, ancestors};
pub use judgement::{Judgement, judge};
pub use lanes::says;
pub use protected::Protected;

use crate::evidence::transfers::{Asset, Transfer};
use crate::evidence::{Class, Taken, Unaccounted, Violation};
use crate::signatures::Invariant;
use crate::simulate::evm::execute::{Execution, Exit};
use crate::simulate::evm::views::Views;
use alloy_primitives::{Address, U256};
use case::Case;
use shortfalls::Shortfall;
use std::borrow::Cow;
use std::sync::Arc;

/// What one execution did, seen from one monitored contract.
#[derive(Clone, Copy)]
pub struct Effects<'a> {
    pub execution: &'a Execution,
    /// Of the execution's trace.
    pub transfers: &'a [Transfer],
    /// [`Trace::stands`](crate::evidence::trace::Trace::stands), of the same.
    pub stands: &'a [bool],
    /// Who signed the transaction.
    pub sender: Address,
    /// The contract that is checked.
    pub contract: &'a Protected,
    /// All monitored contracts; they are trusted to call each other.
    pub monitored: &'a [Address],
    /// Symbol of the chain's native asset.
    pub native: &'a str,
    pub views: &'a dyn Views,
    /// What other transactions take, pending or in the last blocks.
    pub taken: &'a [Taken],
    /// Nobody does it.
    pub supposed: bool,
}

/// Characters of an explanation.
pub const MAX_EXPLANATION: usize = 400;

/// A check: its name, and what it finds.
type Check = (&'static str, fn(&Case) -> Option<Finding>);

/// What a check says; [`check_all`] adds what is the same for all.
struct Finding {
    class: Class,
    weight: f32,
    severe: bool,
    explanation: String,
    /// Beside what the contract itself lost: what others did.
    losses: Vec<(Asset, U256)>,
}

const CHECKS: &[Check] = &[
    ("outflow", outflow::check),
    (cumulative_outflow::NAME, cumulative_outflow::check),
    ("solvency", solvency::check),
    ("reentrancy", reentrancy::check),
    ("read_only_reentrancy", read_only_reentrancy::check),
    ("price_manipulation", price_manipulation::check),
    ("takeover", takeover::check),
    ("governance", governance::check),
    ("donation", donation::check),
    ("approval_drain", approval_drain::check),
    ("bridge_release", bridge_release::check),
    ("rewiring", rewiring::check),
    ("foreign_code", foreign_code::check),
    ("confused_deputy", confused_deputy::check),
    ("third_party", third_party::check),
    ("unbacked", unbacked::check),
];

/// The names of all checks, as in `disabled` of a contract's `invariants`.
pub fn names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(name, _)| *name)
}

/// What an execution did to one contract, or to several.
#[derive(Debug, Default)]
pub struct Found {
    /// Every invariant that it breaks.
    pub violations: Vec<Violation>,
    /// What leaves and nothing accounts for, as much as there is of it.
    pub unaccounted: Vec<Unaccounted>,
}

/// Makes all checks of the contract; `written`: those of the user's rules. Nothing is found where it did not succeed: what is
/// undone broke nothing.
pub fn check_all(effects: &Effects, written: &[Invariant]) -> Found {
    if effects.execution.exit != Exit::Succeeded {
        return Found::default();
    }
    let case = Case::new(effects);
    let contract = effects.contract;
    let checks = CHECKS.iter().filter(|(name, _)| contract.checks(name));
    let found = checks.filter_map(|(name, check)| {
        let finding = check(&case)?;
        Some(violation(
            Cow::Borrowed(*name),
            contract.name.clone(),
            finding,
            &case.shortfalls,
        ))
    });
    let mut violations: Vec<_> = found.collect();
    let for_it = written.iter().filter(|one| match &one.contract {
        Some(name) => *name == contract.name,
        None => true,
    });
    violations.extend(for_it.filter_map(|one| {
        let finding = written::check(&case, one)?;
        let name = Cow::Owned(format!("view:{}", one.sid));
        Some(violation(
            name,
            contract.name.clone(),
            finding,
            &case.shortfalls,
        ))
    }));
    let unaccounted = match contract.checks(cumulative_outflow::NAME) {
        true => cumulative_outflow::of(&case),
        false => Vec::new(),
    };
    Found {
        violations,
        unaccounted: unaccounted.into_iter().map(|(_, own)| own).collect(),
    }
}

fn violation(
    invariant: Cow<'static, str>,
    contract: Arc<str>,
    finding: Finding,
    shortfalls: &[Shortfall],
) -> Violation {
    let Finding {
        class,
        weight,
        severe,
        explanation,
        losses: others,
    } = finding;
    let own = shortfalls.iter().map(|loss| (loss.asset, loss.amount));
    let mut losses: Vec<_> = own.collect();
    losses.extend(others);
    losses.sort_unstable();
    losses.dedup();
    let shares = shortfalls.iter();
    let shares = shares.filter_map(|loss| Some((loss.asset, loss.share()? as f32)));
    Violation {
        invariant,
        contract,
        class,
        weight,
        severe,
        explanation: explanation.chars().take(MAX_EXPLANATION).collect(),
        losses,
        shares: shares.collect(),
    }
}
