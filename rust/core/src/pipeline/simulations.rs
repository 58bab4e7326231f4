//! Triage: what is simulated, and what waits for its simulation.

#[cfg(test)]
mod tests;

use super::dedup::Dedup;
use super::predecessors::Predecessors;
use super::stage::Slot;
use crate::config::{Executor, SimulationConfig};
use crate::simulate::backend::Local;
use crate::simulate::keeper::Keeper;
use crate::simulate::pool::Pool;
use crate::simulate::record::{Executed, Record};
use crate::simulate::simulation::Simulation;
use crate::simulate::simulator::{Simulator, Step, Unfinished};
use crate::simulate::suspect::{Earlier, Failure, FailureKind, Suspect};
use crate::stats::Stats;
use crate::tx::PendingTransaction;
use alloy_primitives::B256;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Suspects remembered, so that none is simulated twice.
const TRIAGED: usize = 1 << 14;
/// Suspects of a replay that wait for what was recorded, at the most.
const WAITING: usize = 4_096;
/// Harmless ones remembered, and how many of them are looked at again with each head.
const HARMLESS: usize = 256;
const HARMLESS_BYTES: usize = 16 << 20;
const AGAIN: usize = 32;
/// How often what had no verdict for want of time, room or state is tried again at once, and after which pause.
const RETRIES: u32 = 3;
const PAUSE_MS: u64 = 500;
/// Why a replay has no simulation of what waited for one.
const NOT_CAPTURED: &str = "not in the capture";
/// How much longer than the deadline a result may be on its way to the pipeline.
const GRACE_MS: u64 = 5_000;
/// A replay has no hurry: what the capture says was done in time is done.
const REPLAY: Duration = Duration::from_secs(60);

/// What runs beside a live pipeline.
pub struct Live {
    pub pool: Pool,
    pub keeper: Keeper,
}

/// A transaction whose simulation is under way.
pub struct Waiting {
    /// As it was judged.
    pub slot: Slot,
    pub probability: f32,
    pub score: f32,
    due_ms: u64,
    retries: u32,
}

pub struct Simulations {
    config: SimulationConfig,
    threshold: f32,
    /// Absent in a replay: a capture has the results.
    live: Option<Live>,
    simulator: Simulator,
    waiting: HashMap<B256, Waiting>,
    order: VecDeque<B256>,
    /// Passed on, and of these with a verdict: their contents' fingerprints.
    triaged: Dedup<u64>,
    judged: Dedup<u64>,
    predecessors: Predecessors,
    /// Found harmless though they touch a monitored contract: what they do may change with the state, until they are mined.
    harmless: VecDeque<Waiting>,
    /// How many of them are still to be looked at on this state, and the one that is looked at.
    looks: usize,
    looked_at: Option<B256>,
    /// Without a verdict though they touch a monitored contract, to be tried again when they are due.
    put_off: VecDeque<Waiting>,
    stats: Arc<Stats>,
}

impl Simulations {
    /// `detection_threshold`: from this score on everything is simulated.
    pub fn new(
        config: &SimulationConfig,
        detection_threshold: f32,
        simulator: Simulator,
        live: Option<Live>,
        stats: Arc<Stats>,
    ) -> Self {
        Self {
            config: config.clone(),
            threshold: config.threshold.min(detection_threshold),
            live,
            simulator,
            waiting: HashMap::new(),
            order: VecDeque::new(),
            triaged: Dedup::new(TRIAGED),
            predecessors: Predecessors::default(),
            harmless: VecDeque::new(),
            looks: 0,
            looked_at: None,
            put_off: VecDeque::new(),
            judged: Dedup::new(TRIAGED),
            stats,
        }
    }

    pub fn head(&self, number: u64, hash: B256) {
        if let Some(live) = &self.live {
            live.keeper.head(number, hash);
        }
    }

    /// Whether a judged transaction is to be simulated: it touches a monitored contract, or calls what a pending creation
    /// with such a contact will create, or its score is suspicious. Answers no for what was simulated before.
    pub fn wants(&mut self, slot: &Slot, score: f32) -> bool {
        let callee = slot.tx.to.as_ref();
        let created = callee.and_then(|callee| self.predecessors.creates(callee));
        let contact = !slot.contacts.is_empty() || created == Some(true);
        if !contact && score < self.threshold {
            if slot.tx.to.is_none() {
                self.remember(slot, Arc::new(slot.tx.clone()));
            }
            return false;
        }
        let before = self.triaged.insert(slot.tx.hash, slot.fingerprint);
        // What had no verdict has another chance now that its callee's code is there.
        if before.is_some_and(|before| before != slot.fingerprint || !slot.again) {
            return false;
        }
        match contact {
            true => self.stats.triaged_contact.add(1),
            false => self.stats.triaged_score.add(1),
        }
        true
    }

    /// Whether it has its verdict, or waits for it: then a second judgement of the first stage is only remembered. Of two
    /// contents under one hash, the second one is neither.
    pub fn awaits(&mut self, slot: &Slot, probability: f32, score: f32) -> bool {
        if self.judged.get(&slot.tx.hash) == Some(slot.fingerprint) {
            return true;
        }
        let waiting = self.waiting.get_mut(&slot.tx.hash);
        let Some(waiting) = waiting.filter(|w| w.slot.fingerprint == slot.fingerprint) else {
            return false;
        };
        if score > waiting.score {
            (waiting.probability, waiting.score) = (probability, score);
            waiting.slot.row = slot.row;
            waiting.slot.contacts.clone_from(&slot.contacts);
            waiting.slot.matched.clone_from(&slot.matched);
            waiting.slot.signature_score = slot.signature_score;
        }
        true
    }

    /// Passes a transaction on. Who will have no simulation is answered at once; it may be another one that gives way.
    pub fn submit(
        &mut self,
        slot: Slot,
        probability: f32,
        score: f32,
        now_ms: u64,
    ) -> Option<(B256, Failure)> {
        self.pass_on(slot, probability, score, 0, now_ms)
    }

    /// Passes on once more what has been before.
    pub fn resubmit(&mut self, waiting: Waiting, now_ms: u64) -> Option<(B256, Failure)> {
        self.stats.simulated_again.add(1);
        let Waiting {
            slot,
            probability,
            score,
            retries,
            ..
        } = waiting;
        self.pass_on(slot, probability, score, retries, now_ms)
    }

    fn pass_on(
        &mut self,
        mut slot: Slot,
        probability: f32,
        score: f32,
        retries: u32,
        now_ms: u64,
    ) -> Option<(B256, Failure)> {
        let hash = slot.tx.hash;
        let tx = Arc::new(slot.tx.clone());
        self.remember(&slot, tx.clone());
        slot.raw = slot.raw_copy();
        let raw = slot.raw.clone();
        let suspect = self.live.is_some().then(|| Suspect {
            before: match self.config.backend {
                Executor::DebugTraceCall => Vec::new(),
                // What comes before it may be there to use up its time.
                _ if retries % 2 == 1 => Vec::new(),
                _ => self.predecessors.before(&tx),
            },
            tx,
            raw,
            contact: !slot.contacts.is_empty(),
        });
        let due_ms = now_ms.saturating_add(self.config.deadline_ms + GRACE_MS);
        let waiting = Waiting {
            slot,
            probability,
            score,
            due_ms,
            retries,
        };
        self.waiting.insert(hash, waiting);
        self.order.push_back(hash);
        match (&self.live, suspect) {
            (Some(live), Some(suspect)) => live.pool.offer(suspect),
            _ if self.waiting.len() > WAITING => self.overdue(u64::MAX),
            _ => None,
        }
    }

    fn remember(&mut self, slot: &Slot, tx: Arc<PendingTransaction>) {
        let contact = !slot.contacts.is_empty();
        self.predecessors.remember(tx, slot.raw_copy(), contact);
    }

    /// The next one whose result is overdue at `now_ms`: in a replay, what the capture has no simulation of.
    pub fn overdue(&mut self, now_ms: u64) -> Option<(B256, Failure)> {
        while let Some(hash) = self.order.front().copied() {
            match self.waiting.get(&hash) {
                Some(waiting) if waiting.due_ms >= now_ms => return None,
                Some(_) => {
                    self.order.pop_front();
                    let (kind, reason) = match self.live {
                        Some(_) => (FailureKind::Deadline, "no result in time"),
                        None => (FailureKind::NotReady, NOT_CAPTURED),
                    };
                    return Some((hash, Failure::new(kind, reason)));
                }
                None => self.order.pop_front(),
            };
        }
        None
    }

    /// It has a verdict, whatever the first stage may still learn; answers whether it is its first.
    pub fn conclude(&mut self, waiting: &Waiting) -> bool {
        let Slot {
            tx, fingerprint, ..
        } = &waiting.slot;
        self.judged.insert(tx.hash, *fingerprint).is_none()
    }

    /// Remembers what was found harmless, to look at it again with each head.
    pub fn keep(&mut self, waiting: Waiting) {
        remember(&mut self.harmless, waiting);
    }

    /// Remembers what had no verdict, to try again soon, and after some times with each head: nobody gets past the
    /// simulation by keeping it busy for a moment.
    pub fn put_off(&mut self, waiting: Waiting, now_ms: u64) {
        let retries = waiting.retries + 1;
        let due_ms = now_ms.saturating_add(PAUSE_MS);
        let waiting = Waiting {
            retries,
            due_ms,
            ..waiting
        };
        match retries <= RETRIES {
            true => remember(&mut self.put_off, waiting),
            false => self.keep(waiting),
        }
    }

    /// In a replay: what was recorded without a verdict waits for what was recorded of the next try. Answers who gives
    /// way.
    pub fn await_next(
        &mut self,
        waiting: Waiting,
        failure: &Failure,
        now_ms: u64,
    ) -> Option<(B256, Failure)> {
        match failure.reason == NOT_CAPTURED {
            true => None,
            false => self.resubmit(waiting, now_ms),
        }
    }

    /// Some of those whose next try is due.
    pub fn due(&mut self, now_ms: u64) -> Vec<Waiting> {
        let due = self.put_off.iter();
        let due = due.take(AGAIN).take_while(|one| one.due_ms <= now_ms);
        let count = due.count();
        self.put_off.drain(..count).collect()
    }

    /// There is another state: what is harmless on one need not be so on the next.
    pub fn look_again(&mut self) {
        self.looks = self.harmless.len().min(AGAIN);
    }

    /// The next harmless one to look at again, longest ago first; none while one is looked at: new suspects do not wait
    /// for the old ones.
    pub fn next_look(&mut self) -> Option<Waiting> {
        if self.looks == 0 || self.looked_at.is_some() {
            return None;
        }
        self.looks -= 1;
        let next = self.harmless.pop_front()?;
        self.looked_at = Some(next.slot.tx.hash);
        Some(next)
    }

    /// In a replay: the harmless one that the capture says was looked at again.
    pub fn recall(&mut self, hash: &B256) -> Option<Waiting> {
        let is_it = |waiting: &Waiting| waiting.slot.tx.hash == *hash;
        let position = self.harmless.iter().position(is_it)?;
        self.harmless.remove(position)
    }

    /// They are in a block: too late for a look.
    pub fn mined<'a>(&mut self, mut hashes: impl Iterator<Item = &'a B256>) {
        if self.harmless.is_empty() && self.put_off.is_empty() {
            return;
        }
        let mined: hashbrown::HashSet<&B256> = hashes.by_ref().collect();
        for queue in [&mut self.harmless, &mut self.put_off] {
            queue.retain(|waiting| !mined.contains(&waiting.slot.tx.hash));
        }
    }

    /// Ends the waiting of one.
    pub fn take(&mut self, hash: &B256) -> Option<Waiting> {
        self.looked_at.take_if(|looked_at| looked_at == hash);
        self.waiting.remove(hash)
    }

    /// Does again what a capture recorded; `None` for what nobody waits for.
    pub fn replay(&mut self, record: &Record) -> Option<Result<Simulation, Failure>> {
        let waiting = self.waiting.get(&record.hash)?;
        if let Some(failure) = &record.failure {
            return Some(Err(failure.clone()));
        }
        let unreadable = |reason: String| Failure::new(FailureKind::State, reason);
        let Some(executed) = &record.executed else {
            return Some(Err(unreadable("an empty record".into())));
        };
        let before = self.predecessors.before(&waiting.slot.tx);
        let done = execute(&mut self.simulator, &waiting.slot, &before, executed);
        Some(done.map_err(|error| match error {
            Unfinished::State(error) => error.into(),
            Unfinished::Failed(failure) => failure,
        }))
    }
}

/// The oldest give way, by number and by bytes.
fn remember(queue: &mut VecDeque<Waiting>, waiting: Waiting) {
    queue.push_back(waiting);
    let bytes = |waiting: &Waiting| {
        let raw = waiting.slot.raw.as_ref().map_or(0, |(raw, _)| raw.len());
        waiting.slot.tx.input.len() + raw
    };
    let mut held: usize = queue.iter().map(bytes).sum();
    while (queue.len() > HARMLESS || held > HARMLESS_BYTES)
        && let Some(oldest) = queue.pop_front()
    {
        held -= bytes(&oldest);
    }
}

fn execute(
    simulator: &mut Simulator,
    slot: &Slot,
    before: &[Earlier],
    executed: &Executed,
) -> Result<Simulation, Unfinished> {
    let environment = executed
        .environment()
        .map_err(|reason| Unfinished::Failed(Failure::new(FailureKind::State, reason)))?;
    let (state, deadline) = (executed.state(), Instant::now() + REPLAY);
    let known = |hash| before.iter().find(|earlier| earlier.tx.hash == hash);
    let steps = executed.before().iter().map(|one| {
        let tx = &known(one.hash)?.tx;
        Some(Step {
            tx,
            extras: &one.extras,
        })
    });
    let Some(mut steps) = steps.collect::<Option<Vec<_>>>() else {
        let said = "a transaction before it is not in the capture";
        return Err(Unfinished::Failed(Failure::new(
            FailureKind::NotReady,
            said,
        )));
    };
    steps.push(Step {
        tx: &slot.tx,
        extras: executed.extras(),
    });
    simulator.simulate(&Local(&state), &environment, &steps, deadline)
}
