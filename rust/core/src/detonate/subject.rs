//! A contract that is detonated, and what is known of it from one head to the next.

use super::look::SEEDED;
use crate::bytecode::dispatcher::Dispatcher;
use crate::evidence::{Deployment, Trial};
use crate::tx::{Extras, PendingTransaction};
use alloy_primitives::B256;
use hashbrown::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Calls kept of one contract.
const KEPT: usize = 64;
/// Effects remembered that were judged, and branches that were seen.
const JUDGED: usize = 256;
const EDGES: usize = 1 << 14;
/// Functions remembered that were called.
const TRIED: usize = 1 << 14;

/// The transaction that creates a contract and that no block has yet.
#[derive(Debug, Clone)]
pub struct Creation {
    pub tx: Arc<PendingTransaction>,
    pub extras: Extras,
    /// It failed, or did not come to its end, on the state that it was seen on.
    pub fails: bool,
}

/// A contract that is detonated.
#[derive(Debug, Clone)]
pub struct Subject {
    pub deployment: Arc<Deployment>,
    /// Executed before all else.
    pub creation: Option<Creation>,
    /// Nobody knows its deployer: whoever calls it pays for it.
    pub orphan: bool,
    pub(super) learnt: Learnt,
}

impl Subject {
    pub fn new(deployment: Arc<Deployment>, creation: Option<Creation>) -> Self {
        Self {
            deployment,
            creation,
            orphan: false,
            learnt: Learnt::default(),
        }
    }

    /// Another creation is where it was: what is learnt stays as long as its code does.
    pub fn is_as(&mut self, other: &Self) {
        self.deployment = other.deployment.clone();
        self.creation.clone_from(&other.creation);
    }

    /// A block has its creation: it is there without it.
    pub fn was_mined(&mut self) {
        self.creation = None;
    }
}

/// What former detonations showed: the next is cheaper for it.
#[derive(Debug, Clone, Default)]
pub struct Learnt {
    /// Of the code that this is of.
    pub code: B256,
    pub dispatcher: Dispatcher,
    pub edges: HashSet<u64>,
    /// Calls that went somewhere new, those first that had to do with a monitored contract.
    pub kept: Vec<Kept>,
    /// Effects on monitored contracts that were judged and are none of an attack.
    pub judged: HashSet<u64>,
    /// Functions that were called.
    pub tried: HashSet<[u8; 4]>,
    /// How often others were tried after a call.
    pub armed: HashMap<Trial, u32>,
}

/// A call that is worth a repetition.
#[derive(Debug, Clone)]
pub struct Kept {
    pub trial: Trial,
    /// The more the sooner.
    pub worth: u8,
}

impl Learnt {
    /// Forgets all where the code is another one.
    pub fn of(&mut self, hash: B256, code: &[u8]) {
        if self.code != hash {
            *self = Self {
                code: hash,
                dispatcher: Dispatcher::of(code),
                ..Self::default()
            };
        }
    }

    /// Whether any of these branches is a new one.
    pub fn is_new(&mut self, edges: &HashSet<u64>) -> bool {
        let room = EDGES.saturating_sub(self.edges.len());
        let before = self.edges.len();
        self.edges.extend(edges.iter().take(room));
        self.edges.len() > before
    }

    pub fn keep(&mut self, trial: &Trial, worth: u8) {
        if let Some(known) = self.kept.iter_mut().find(|known| known.trial == *trial) {
            known.worth = known.worth.max(worth);
        } else {
            let trial = trial.clone();
            self.kept.push(Kept { trial, worth });
        }
        // Stable: of equal worth the older ones stay.
        self.kept.sort_by_key(|kept| std::cmp::Reverse(kept.worth));
        self.kept.truncate(KEPT);
    }

    /// Kept calls, those first that are worth the most; of these others come first on each head, so that none keeps the rest
    /// from being judged.
    pub fn repeated(&self, head: u64) -> impl Iterator<Item = &Trial> {
        let turn = |kept: &Kept| SEEDED.hash_one((head, &kept.trial));
        let mut kept: Vec<_> = self.kept.iter().collect();
        kept.sort_by_cached_key(|kept| (std::cmp::Reverse(kept.worth), turn(kept)));
        kept.into_iter().map(|kept| &kept.trial)
    }

    /// That a function was called.
    pub fn tries(&mut self, selector: [u8; 4]) {
        // Contracts choose what they are tried with: those of any dispatcher fit.
        if self.tried.len() < TRIED {
            self.tried.insert(selector);
        }
    }

    /// Whether an effect has not been judged yet; from now on it has.
    pub fn judges(&mut self, effect: u64) -> bool {
        if self.judged.len() >= JUDGED {
            self.judged.clear();
        }
        self.judged.insert(effect)
    }
}
