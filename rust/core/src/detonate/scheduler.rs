//! Which contract is detonated next: what is suspicious and cheap first, none forgotten, in bounded memory and time.
//!
//! No clock, no threads: told of new contracts, heads, and what each detonation took, it answers what is to be done.

#[cfg(test)]
mod tests;

use super::Budget;
use alloy_primitives::Address;
use hashbrown::HashMap;
use std::time::Duration;

/// A detonation that could take less than this is not begun.
const LEAST: Duration = Duration::from_millis(1);
/// Heads after which what never concerned a monitored contract is looked at again, at the most.
const SELDOM: u64 = 32;
/// How much sooner a contract comes for what is known of it.
const NEW: f32 = 8.0;
const CONCERNING: f32 = 2.0;
const PROVED: f32 = 0.25;

/// What all detonations may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Contracts that wait, and of one deployer.
    pub contracts: usize,
    pub per_deployer: usize,
    /// Blocks that a contract is young.
    pub young: u64,
    /// On one head: half of it is for contracts that have not been looked at yet.
    pub head: Duration,
    /// Of one contract on one head.
    pub each: Budget,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            contracts: 256,
            per_deployer: 32,
            young: 7_200,
            head: Duration::from_millis(500),
            each: Budget::default(),
        }
    }
}

/// What became of contracts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub added: u64,
    /// There were too many, of its deployer or of all.
    pub dropped: u64,
    /// No longer young.
    pub expired: u64,
    /// Detonations that came to their end, and those of them that were not the contract's first.
    pub detonated: u64,
    pub repeated: u64,
    /// Others, which the head that moved on has ended.
    pub unfinished: u64,
}

/// What one detonation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing of what it does has to do with a monitored contract.
    Nothing,
    Concerning,
    Proved,
    /// It did not come to its end.
    Unfinished,
    /// Nodes, or the processor, kept it waiting until its patience was over.
    Starved,
}

/// A detonation to be made: `contract` is to be given back by [`Scheduler::done`].
#[derive(Debug)]
pub struct Task<T> {
    pub address: Address,
    pub contract: T,
    pub budget: Budget,
}

/// Contracts that wait; `T` is what is kept of each.
#[derive(Debug)]
pub struct Scheduler<T> {
    limits: Limits,
    waiting: Vec<Waiting<T>>,
    head: u64,
    /// Of this head's time.
    left: Duration,
    /// What each deployer's contracts took of it.
    spent: HashMap<Address, Duration>,
    counts: Counts,
}

#[derive(Debug)]
struct Waiting<T> {
    address: Address,
    deployer: Address,
    /// 0 to 1.
    suspicion: f32,
    /// Block that it is young from.
    since: u64,
    /// The head from which it is its turn again.
    due: u64,
    detonated: u64,
    /// Since it last concerned a monitored contract.
    idle: u32,
    took: Duration,
    last: Outcome,
    /// The head on which it was tried once more.
    again: Option<u64>,
    /// Nothing while it is being detonated.
    contract: Option<T>,
}

impl<T> Waiting<T> {
    /// How soon it comes: the longer it waits, the less it took, and the less its deployer's others took on this head, the sooner.
    fn urgency(&self, head: u64, spent: &HashMap<Address, Duration>) -> f32 {
        let waits = 1.0 + head.saturating_sub(self.due) as f32;
        let others = spent.get(&self.deployer).copied().unwrap_or_default();
        let costs = (self.took.max(LEAST) + others).as_secs_f32() / LEAST.as_secs_f32();
        let known = match (self.detonated, self.last) {
            (0, _) => NEW,
            (_, Outcome::Concerning | Outcome::Unfinished | Outcome::Starved) => CONCERNING,
            (_, Outcome::Proved) => PROVED,
            (_, Outcome::Nothing) => 1.0,
        };
        known * waits * self.suspicion.max(0.01) / costs.sqrt()
    }
}

impl<T> Scheduler<T> {
    pub fn new(limits: Limits) -> Self {
        Self {
            left: limits.head,
            spent: HashMap::new(),
            limits,
            waiting: Vec::new(),
            head: 0,
            counts: Counts::default(),
        }
    }

    /// A new contract, `suspicion` 0 to 1. Where there are too many the least suspicious is dropped, whichever that is, and
    /// answered. One that is known is only as suspicious as the more suspicious of both.
    pub fn add(
        &mut self,
        address: Address,
        deployer: Address,
        suspicion: f32,
        contract: T,
    ) -> Option<Address> {
        if let Some(known) = self.find(address) {
            known.suspicion = known.suspicion.max(suspicion);
            return None;
        }
        self.counts.added += 1;
        self.waiting.push(Waiting {
            address,
            deployer,
            suspicion,
            since: self.head,
            due: self.head,
            detonated: 0,
            idle: 0,
            took: LEAST,
            last: Outcome::Nothing,
            again: None,
            contract: Some(contract),
        });
        let of_deployer = |one: &Waiting<T>| one.deployer == deployer;
        let own = self.waiting.iter().filter(|one| of_deployer(one)).count();
        if own > self.limits.per_deployer {
            return self.drop_one(of_deployer);
        }
        if self.waiting.len() > self.limits.contracts {
            return self.drop_one(|_| true);
        }
        None
    }

    /// What is known of a contract, while it waits.
    pub fn contract(&mut self, address: Address) -> Option<&mut T> {
        self.find(address)?.contract.as_mut()
    }

    /// A new head: all may be looked at again, and those that are no longer young are forgotten.
    pub fn head(&mut self, number: u64) {
        (self.head, self.left) = (number, self.limits.head);
        self.spent.clear();
        let (before, young) = (self.waiting.len(), self.limits.young);
        self.waiting
            .retain(|one| one.contract.is_none() || one.since.saturating_add(young) > number);
        self.counts.expired += (before - self.waiting.len()) as u64;
    }

    /// What is to be done now, as far as this head's time allows.
    pub fn task(&mut self) -> Option<Task<T>> {
        let (head, reserved) = (self.head, self.limits.head / 2);
        let for_new = self.left >= LEAST;
        let for_others = self.left.saturating_sub(reserved) >= LEAST;
        let may = |one: &&mut Waiting<T>| {
            let time = if one.detonated == 0 {
                for_new
            } else {
                for_others
            };
            one.contract.is_some() && one.due <= head && time
        };
        let waiting = self.waiting.iter_mut().filter(may);
        let urgency = |one: &Waiting<T>| one.urgency(head, &self.spent);
        let next = waiting.max_by(|a, b| urgency(a).total_cmp(&urgency(b)))?;
        let left = match next.detonated {
            0 => self.left,
            _ => self.left - reserved,
        };
        Some(Task {
            address: next.address,
            contract: next.contract.take()?,
            budget: Budget {
                time: self.limits.each.time.min(left),
                ..self.limits.each
            },
        })
    }

    /// A task is done, and took so long.
    pub fn done(&mut self, address: Address, contract: T, took: Duration, outcome: Outcome) {
        self.left = self.left.saturating_sub(took);
        let head = self.head;
        let Some(one) = self.waiting.iter_mut().find(|one| one.address == address) else {
            return;
        };
        (one.contract, one.took, one.last) = (Some(contract), took, outcome);
        *self.spent.entry(one.deployer).or_default() += took;
        // Once: what it asked nodes for is at hand now.
        if outcome == Outcome::Starved && one.again.replace(head) != Some(head) {
            self.counts.unfinished += 1;
            return;
        }
        one.idle = match outcome {
            Outcome::Nothing => one.idle.saturating_add(1),
            _ => 0,
        };
        let rests = 1_u64
            .checked_shl(one.idle.saturating_sub(1))
            .unwrap_or(SELDOM);
        one.due = match outcome {
            // The head moved on: it is its turn at once.
            Outcome::Unfinished => head,
            _ => head + rests.min(SELDOM),
        };
        let repeated = one.detonated > 0;
        if outcome == Outcome::Unfinished {
            self.counts.unfinished += 1;
            return;
        }
        one.detonated += 1;
        self.counts.detonated += 1;
        self.counts.repeated += u64::from(repeated);
    }

    pub fn remove(&mut self, address: Address) {
        self.waiting.retain(|one| one.address != address);
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Contracts that have not been detonated yet.
    pub fn unseen(&self) -> usize {
        let unseen = |one: &&Waiting<T>| one.detonated == 0;
        self.waiting.iter().filter(unseen).count()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn find(&mut self, address: Address) -> Option<&mut Waiting<T>> {
        self.waiting.iter_mut().find(|one| one.address == address)
    }

    /// The least suspicious of these; of equal ones the one that has been looked at, else the last one.
    fn drop_one(&mut self, of: impl Fn(&Waiting<T>) -> bool) -> Option<Address> {
        let waiting = self.waiting.iter().enumerate();
        let may = waiting.filter(|(_, one)| one.contract.is_some() && of(one));
        let least = may.min_by(|(at, a), (bt, b)| {
            let suspicion = a.suspicion.total_cmp(&b.suspicion);
            suspicion
                .then(b.detonated.cmp(&a.detonated))
                .then(bt.cmp(at))
        });
        let (at, _) = least?;
        self.counts.dropped += 1;
        Some(self.waiting.remove(at).address)
    }
}
