//! What has been called so far, and what is to be tried on what that left.

use super::look::{Concern, Look};
use crate::evidence::Trial;
use crate::simulate::evm::execute::Sandbox;
use hashbrown::{HashMap, HashSet};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Calls that wait, that are doubtful, and that may come first.
const WAITING: usize = 4_096;
const DOUBTFUL: usize = 16;
/// Calls remembered after which others were tried.
const ARMED: usize = 1_024;
const ARMING: usize = 64;

/// How promising a call is, the most promising first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// The first call of a function that was not called on any head yet.
    Untried,
    /// It was worth something on another head, or before what was called here.
    Repeated,
    First,
    /// It has what the contract compared something with.
    Solved,
    /// As one that had to do with a monitored contract, in one respect another.
    Near,
    Guessed,
    /// It lacked gas.
    Costly,
    /// By somebody who has nothing to do with it.
    Stranger,
}

/// A call that waits; `turn`: among those of its tier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    tier: Tier,
    turn: usize,
    /// Index of its call.
    order: usize,
}

/// A state that calls are tried on.
pub struct Stage<'s, S> {
    /// What was called before, in order.
    pub before: Vec<Trial>,
    pub sandbox: Sandbox<'s, S>,
    /// What changes a monitored contract and takes nothing that can be seen at once.
    pub doubtful: Vec<(u64, Trial)>,
    arming: Vec<(Rank, u64, Trial)>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    calls: Vec<(Trial, Gas)>,
    tried: HashSet<(Trial, Gas)>,
    pub dropped: bool,
}

/// The less the sooner it is tried what comes after it.
type Rank = bool;

/// How much gas a call is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gas {
    Little,
    Most,
}

impl<'s, S> Stage<'s, S> {
    pub fn new(before: Vec<Trial>, sandbox: Sandbox<'s, S>) -> Self {
        Self {
            before,
            sandbox,
            doubtful: Vec::new(),
            arming: Vec::new(),
            waiting: BinaryHeap::new(),
            calls: Vec::new(),
            tried: HashSet::new(),
            dropped: false,
        }
    }

    pub fn push(&mut self, tier: Tier, turn: usize, trial: Trial) {
        self.put(tier, turn, trial, Gas::Little);
    }

    /// Once more, with as much gas as there may be.
    pub fn push_costly(&mut self, tier: Tier, trial: Trial) {
        self.put(tier, 0, trial, Gas::Most);
    }

    fn put(&mut self, tier: Tier, turn: usize, trial: Trial, gas: Gas) {
        if self.waiting.len() >= WAITING {
            self.dropped = true;
            return;
        }
        let call = (trial, gas);
        if self.tried.insert(call.clone()) {
            let order = self.calls.len();
            self.calls.push(call);
            self.waiting.push(Reverse(Waiting { tier, turn, order }));
        }
    }

    pub fn pop(&mut self) -> Option<(Tier, Trial, Gas)> {
        let Reverse(next) = self.waiting.pop()?;
        let (trial, gas) = self.calls[next.order].clone();
        Some((next.tier, trial, gas))
    }

    pub fn doubts(&mut self, trial: &Trial, look: &Look) {
        let known = self
            .doubtful
            .iter()
            .any(|(effect, _)| *effect == look.effect);
        if look.concern == Concern::Changes && !known && self.doubtful.len() < DOUBTFUL {
            self.doubtful.push((look.effect, trial.clone()));
        }
    }

    /// Notes that a call left something changed, which others may wait for.
    pub fn may_arm(&mut self, trial: &Trial, look: &Look) {
        let Some(left) = look.left else { return };
        let known = self.arming.iter().any(|(_, known, _)| *known == left);
        if !known && !self.before.contains(trial) && self.arming.len() < ARMING {
            self.arming.push((!look.wrote, left, trial.clone()));
        }
    }

    /// Calls to go on after, those first that wrote into the contract itself or a monitored one, and after which the least was
    /// tried on other heads: `armed` has how often that was.
    pub fn arming(&self, most: usize, armed: &mut HashMap<Trial, u32>) -> Vec<Trial> {
        let mut arming: Vec<_> = self.arming.iter().collect();
        arming.sort_by_key(|(rank, _, trial)| (*rank, armed.get(trial).copied()));
        let trials = arming.into_iter().map(|(.., trial)| trial.clone());
        let trials: Vec<_> = trials.take(most).collect();
        if armed.len() >= ARMED {
            armed.clear();
        }
        for trial in &trials {
            *armed.entry(trial.clone()).or_default() += 1;
        }
        trials
    }
}
