//! What others' signatures cover of what is moved of theirs.

use super::authority::over_call;
use super::case::Case;
use super::knowledge::names;
use super::signed::signatures;
use crate::evidence::transfers::{Asset, Transfer};
use alloy_primitives::{Address, U256};
use std::collections::{BTreeMap, BTreeSet};

/// Calls by one who asked.
const MAX_CALLS: usize = 16;
/// Parts in which what was sold goes to the buyer, the market and the artist.
const PARTS: usize = 4;

/// What owners' signatures still cover of what is moved without them. An old signature is public: it counts where the
/// contract asked, or one whom it relies on.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// What each owner signed.
    signed: BTreeMap<Address, usize>,
    used: BTreeMap<(Address, Asset), Vec<Address>>,
}

impl Cover {
    /// Whether the owner signed for a movement, which uses the signature up: it pays one asset to one receiver once, and to
    /// few of them.
    pub fn takes(&mut self, case: &Case, moved: &Transfer) -> bool {
        let owner = moved.from;
        let signed = self.signed.entry(owner);
        let signed = *signed.or_insert_with(|| messages(case, owner));
        let used = self.used.entry((owner, moved.asset)).or_default();
        let to_same = used.iter().filter(|receiver| **receiver == moved.to);
        let covered = to_same.count() < signed && used.len() < PARTS * signed;
        if covered {
            used.push(moved.to);
        }
        covered
    }

    /// Whether an owner signed anything.
    pub fn knows(&self, owner: Address) -> bool {
        self.signed.get(&owner).is_some_and(|signed| *signed > 0)
    }
}

/// How many different things an owner signed.
fn messages(case: &Case, owner: Address) -> usize {
    let own = signatures(case).filter(|signature| signature.signer == owner);
    let asked: BTreeSet<(Address, U256)> = own.map(|one| (one.by, one.message)).collect();
    let mut relied: BTreeMap<Address, bool> = BTreeMap::new();
    let asked = asked
        .into_iter()
        .filter(|(by, _)| *relied.entry(*by).or_insert_with(|| relies_on(case, *by)));
    asked
        .map(|(_, message)| message)
        .collect::<BTreeSet<_>>()
        .len()
}

/// Whether it is the contract, one that it names, or one that may call it.
fn relies_on(case: &Case, by: Address) -> bool {
    let frames = &case.effects.execution.trace.frames;
    let calls = case.entries.all();
    let calls = calls.filter(|entry| frames[*entry as usize].from == by);
    let mut calls = calls.take(MAX_CALLS);
    by == case.contract.address
        || names(case, by)
        || calls.any(|entry| over_call(case, entry).is_some())
}
