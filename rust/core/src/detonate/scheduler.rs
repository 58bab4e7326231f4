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
/// Heads after which what never concerned a monitored contract is looked at again, at the most; the same of one that is as
/// suspicious as one that holds a monitored contract: it may wait for what another one does.
const SELDOM: u64 = 32;
const OFTEN: u64 = 4;
const SUSPICIOUS: f32 = 0.5;
/// Attempts that did not come to their end after which a contract is new no longer.
const ATTEMPTS: u32 = 3;
/// How often what is kept waiting is tried again on one head.
const STARVED: u32 = 4;
/// How much sooner a contract comes for what is known of it.
const CONCERNING: f32 = 2.0;
const PROVED: f32 = 0.25;

/// What all detonations may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Contracts that wait, and of one deployer. Those that no block has, which cost nothing, may be half of them.
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
    /// Of a new one: its time was over after a few calls.
    Begun,
    /// There is no such contract yet, or any more: nothing was called.
    Absent,
    Gone,
}

/// A detonation to be made: `contract` is to be given back by [`Scheduler::done`].
#[derive(Debug)]
pub struct Task<T> {
    pub address: Address,
    pub contract: T,
    pub budget: Budget,
    /// It has not been looked at.
    pub is_new: bool,
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
    /// A block has it.
    mined: bool,
    /// Block that it is young from.
    since: u64,
    /// The head from which it is its turn again.
    due: u64,
    detonated: u64,
    /// Attempts that did not come to their end since the last one that did.
    attempts: u32,
    /// Since it last concerned a monitored contract.
    idle: u32,
    took: Duration,
    last: Outcome,
    /// The head on which it was kept waiting, and how often.
    starved: (u64, u32),
    /// Nothing while it is being detonated.
    contract: Option<T>,
}

impl<T> Waiting<T> {
    /// How soon it comes: the longer it waits, the less it took, and the less its deployer's others took on this head, the sooner.
    fn urgency(&self, head: u64, spent: &HashMap<Address, Duration>) -> f32 {
        let waits = 1.0 + head.saturating_sub(self.due) as f32;
        let others = spent.get(&self.deployer).copied().unwrap_or_default();
        let costs = (self.took.max(LEAST) + others).as_secs_f32() / LEAST.as_secs_f32();
        let known = match self.last {
            Outcome::Proved => PROVED,
            Outcome::Concerning | Outcome::Unfinished | Outcome::Starved | Outcome::Begun => {
                CONCERNING
            }
            Outcome::Nothing | Outcome::Absent | Outcome::Gone => 1.0,
        };
        known * waits * self.suspicion.max(0.01) / costs.sqrt()
    }

    /// How often it was kept waiting on this head before.
    fn starves(&mut self, head: u64) -> u32 {
        let before = match self.starved {
            (of, count) if of == head => count,
            _ => 0,
        };
        self.starved = (head, before + 1);
        before
    }

    /// It has not been looked at.
    fn is_new(&self) -> bool {
        self.detonated == 0 && self.attempts < ATTEMPTS
    }

    /// It was called, and did nothing to anybody.
    fn is_idle(&self) -> bool {
        self.detonated > 0 && self.last == Outcome::Nothing
    }

    /// How many heads it rests for.
    fn rests(&self) -> u64 {
        let most = match self.suspicion >= SUSPICIOUS {
            true => OFTEN,
            false => SELDOM,
        };
        let rests = 1_u64.checked_shl(self.idle.saturating_sub(1));
        rests.unwrap_or(most).min(most)
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

    /// A new contract, `suspicion` 0 to 1; `mined`: a block has it. Where there are too many one is dropped, whichever that is,
    /// and answered. One that is known is as suspicious as the more suspicious of both, and young again: it is its turn.
    pub fn add(
        &mut self,
        address: Address,
        deployer: Address,
        suspicion: f32,
        mined: bool,
        contract: T,
    ) -> Option<Address> {
        let head = self.head;
        if let Some(known) = self.find(address) {
            known.suspicion = known.suspicion.max(suspicion);
            known.mined |= mined;
            (known.since, known.due, known.idle) = (head, head, 0);
            return None;
        }
        self.counts.added += 1;
        self.waiting.push(Waiting {
            address,
            deployer,
            suspicion,
            mined,
            since: head,
            due: head,
            detonated: 0,
            attempts: 0,
            idle: 0,
            took: LEAST,
            last: Outcome::Nothing,
            starved: (head, 0),
            contract: Some(contract),
        });
        let of_deployer = |one: &Waiting<T>| one.deployer == deployer;
        let unmined = |one: &Waiting<T>| !one.mined;
        let count =
            |of: &dyn Fn(&Waiting<T>) -> bool| self.waiting.iter().filter(|one| of(one)).count();
        if count(&of_deployer) > self.limits.per_deployer {
            return self.drop_one(of_deployer);
        }
        if count(&unmined) > (self.limits.contracts / 2).max(1) {
            return self.drop_one(unmined);
        }
        if self.waiting.len() > self.limits.contracts {
            return self.drop_one(|_| true);
        }
        None
    }

    /// It has another code: it is new again.
    pub fn renew(&mut self, address: Address) {
        if let Some(known) = self.find(address) {
            (known.detonated, known.attempts, known.took) = (0, 0, LEAST);
            known.last = Outcome::Nothing;
        }
    }

    /// There is nothing to be called yet: it has no part of the time that is for those who were not looked at.
    pub fn put_back(&mut self, address: Address) {
        if let Some(known) = self.find(address) {
            known.attempts = ATTEMPTS;
        }
    }

    /// A block has it.
    pub fn was_mined(&mut self, address: Address) {
        if let Some(known) = self.find(address) {
            known.mined = true;
        }
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
            let time = match one.is_new() {
                true => for_new,
                false => for_others,
            };
            one.contract.is_some() && one.due <= head && time
        };
        let waiting = self.waiting.iter_mut().filter(may);
        let next = waiting.max_by(|a, b| {
            let urgency = |one: &Waiting<T>| one.urgency(head, &self.spent);
            let urgency = urgency(a).total_cmp(&urgency(b));
            a.is_new().cmp(&b.is_new()).then(urgency)
        })?;
        let left = match next.is_new() {
            true => self.left,
            false => self.left - reserved,
        };
        next.due = head + 1;
        Some(Task {
            address: next.address,
            is_new: next.is_new(),
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
        one.contract = Some(contract);
        *self.spent.entry(one.deployer).or_default() += took;
        match outcome {
            // Not looked at: its turn is on the next head.
            Outcome::Absent => return,
            // A few times on each head: what it asked nodes for is at hand then.
            Outcome::Starved if one.starves(head) < STARVED => {
                (one.took, one.last, one.due) = (took, outcome, head);
                self.counts.unfinished += 1;
                return;
            }
            // What is touched for the first time is slow, once: at once again, a few times in all.
            Outcome::Begun if one.is_new() => {
                (one.took, one.last, one.due) = (took, outcome, head);
                one.attempts += 1;
                self.counts.unfinished += 1;
                return;
            }
            Outcome::Unfinished => {
                (one.took, one.last) = (took, outcome);
                one.attempts = one.attempts.saturating_add(1);
                self.counts.unfinished += 1;
                return;
            }
            Outcome::Nothing | Outcome::Gone => one.idle = one.idle.saturating_add(1),
            Outcome::Concerning | Outcome::Proved | Outcome::Starved | Outcome::Begun => {
                one.idle = 0;
            }
        }
        one.due += one.rests() - 1;
        if outcome == Outcome::Gone {
            return;
        }
        let repeated = one.detonated > 0;
        (one.took, one.last, one.attempts) = (took, outcome, 0);
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

    /// Of these the one that was called and did nothing, else one that no block has, else any: of equal ones the least
    /// suspicious, the one that has been looked at, the last one.
    fn drop_one(&mut self, of: impl Fn(&Waiting<T>) -> bool) -> Option<Address> {
        let waiting = self.waiting.iter().enumerate();
        let may = waiting.filter(|(_, one)| one.contract.is_some() && of(one));
        let least = may.min_by(|(at, a), (bt, b)| {
            let keeps = |one: &Waiting<T>| (!one.is_idle(), one.mined);
            let suspicion = a.suspicion.total_cmp(&b.suspicion);
            let order = keeps(a).cmp(&keeps(b)).then(suspicion);
            order.then(b.detonated.cmp(&a.detonated)).then(bt.cmp(at))
        });
        let (at, _) = least?;
        self.counts.dropped += 1;
        Some(self.waiting.remove(at).address)
    }
}
