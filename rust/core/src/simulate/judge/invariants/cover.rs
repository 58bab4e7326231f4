//! What others' signatures cover of what is moved of theirs.

use super::authority::over_call;
use super::case::Case;
use super::entries::{account, indices};
use super::knowledge::names;
use super::signed::{Signature, signatures};
use crate::evidence::transfers::{Asset, Transfer};
use alloy_primitives::{Address, U256};
use std::collections::{BTreeMap, BTreeSet};

/// Calls by one who asked, and of its own around the question.
const MAX_CALLS: usize = 16;
/// Parts in which what was sold goes to the buyer, the market and the artist.
const PARTS: usize = 4;

/// What owners' signatures still cover of what is moved without them. An old signature is public, and anybody can ask about
/// it: it counts where the contract asked, or one whom it relies on, and on the way to what moves.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// All that were found good, once they are needed.
    all: Option<Vec<Signature>>,
    relied: BTreeMap<Address, bool>,
    /// By owner, message and asset, who got something by it.
    used: BTreeMap<(Address, U256, Asset), Vec<Address>>,
}

impl Cover {
    /// Whether the owner signed for a movement, which uses the signature up: it pays one asset to one receiver once, and to
    /// few of them.
    pub fn takes(&mut self, case: &Case, moved: &Transfer) -> bool {
        for message in self.messages(case, moved) {
            let used = self.used.entry((moved.from, message, moved.asset));
            let used = used.or_default();
            if used.len() < PARTS && !used.contains(&moved.to) {
                used.push(moved.to);
                return true;
            }
        }
        false
    }

    /// Whether an owner signed what some of his was moved for.
    pub fn knows(&self, owner: Address) -> bool {
        self.used.keys().any(|(of, ..)| *of == owner)
    }

    /// What the owner signed for a movement, each once.
    fn messages(&mut self, case: &Case, moved: &Transfer) -> BTreeSet<U256> {
        let all = || signatures(case).collect();
        let all: &Vec<Signature> = self.all.get_or_insert_with(all);
        let own = all.iter().filter(|one| one.signer == moved.from);
        let (way, relied) = (Way::new(case, moved), &mut self.relied);
        let leads = own.filter(|one| way.has(case, one));
        let relies = |by| relies_on(case, by);
        leads
            .filter(|one| *relied.entry(one.by).or_insert_with_key(|by| relies(*by)))
            .map(|one| one.message)
            .collect()
    }
}

/// How an execution came to a movement.
struct Way {
    /// The calls that led there.
    calls: BTreeSet<u32>,
    entry: Option<u32>,
    /// Where the last of them ends: what a call tells of may come after what it asked.
    end: u32,
}

impl Way {
    fn new(case: &Case, moved: &Transfer) -> Self {
        let frames = &case.effects.execution.trace.frames;
        let rest = frames.get(moved.frame as usize..).unwrap_or_default();
        let inner = rest.iter().skip(1);
        let inner = inner.take_while(|one| one.depth > rest[0].depth).count();
        Self {
            calls: indices(frames, moved.frame).collect(),
            entry: case.entries.inside(moved.frame),
            end: moved.frame + inner as u32,
        }
    }

    /// Whether a signature was asked about before, and in the same call into the contract; or by one who called on from where
    /// it asked, as a market does.
    fn has(&self, case: &Case, signature: &Signature) -> bool {
        if signature.frame > self.end {
            return false;
        }
        if self.entry.is_some() && signature.entry == self.entry {
            return true;
        }
        let frames = &case.effects.execution.trace.frames;
        let runs = |index: &u32| account(&frames[*index as usize]) == Some(signature.by);
        let asked = frames[signature.frame as usize].parent;
        let mut asking = indices(frames, asked).take_while(runs).take(MAX_CALLS);
        asking.any(|one| self.calls.contains(&one))
    }
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
