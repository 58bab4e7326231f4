//! Triage: what is simulated, and what waits for its simulation.

mod predecessors;
#[cfg(test)]
mod tests;

use super::dedup::Dedup;
use super::judge::{Slot, held};
use crate::chain::MinedTransaction;
use crate::config::{Executor, SimulationConfig};
use crate::evidence::{Failure, FailureKind, RecordedSimulation, Simulation, Witness};
use crate::simulate::evm::backend::Local;
use crate::simulate::judge::simulator::{Simulator, Step, Unfinished};
use crate::simulate::pool::Pool;
use crate::simulate::pool::suspect::{Earlier, Suspect};
use crate::simulate::state::keeper::Keeper;
use crate::stats::Stats;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256};
use hashbrown::HashMap;
use predecessors::{Predecessors, unite};
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
const HARMLESS_PER_SENDER: usize = 16;
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
    /// Without what comes before it, which may be there to use up its time.
    alone: bool,
    /// A block has it, or another one in its place.
    mined: bool,
    /// The state that was the newest when it was passed on.
    state: u64,
    /// In a replay: what came before it when it was passed on.
    before: Vec<Earlier>,
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
    /// How many states there were, how many of them are still to be looked at on this one, and the one that is.
    state: u64,
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
            state: 0,
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
    /// with such a contact will create, or its score is suspicious, or the code that it runs is young. Answers no for what
    /// was simulated before.
    pub fn wants(&mut self, slot: &mut Slot, score: f32) -> bool {
        let age = match self.inherit(slot) {
            true => Some(0),
            false => slot.callee_age(),
        };
        let contact = !slot.contacts.is_empty();
        let young = self.simulator.watches()
            && self.config.young_blocks > 0
            && age.is_some_and(|age| age <= self.config.young_blocks);
        if !contact && score < self.threshold && !young {
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
        let counter = match contact {
            true => &self.stats.triaged_contact,
            false if score >= self.threshold => &self.stats.triaged_score,
            false => &self.stats.triaged_young,
        };
        counter.add(1);
        true
    }

    /// Whether it has its verdict, or waits for it: then a second judgement of the first stage is only remembered. Of two
    /// contents under one hash, the second one is neither.
    pub fn awaits(&mut self, slot: &mut Slot, probability: f32, score: f32) -> bool {
        let created = self.inherit(slot);
        if self.judged.get(&slot.tx.hash) == Some(slot.fingerprint) {
            return true;
        }
        let waiting = self.waiting.get_mut(&slot.tx.hash);
        let Some(waiting) = waiting.filter(|w| w.slot.fingerprint == slot.fingerprint) else {
            return false;
        };
        let known = waiting.slot.contacts.len();
        unite(&mut waiting.slot.contacts, &slot.contacts);
        // It is being executed without the creation that was announced meanwhile.
        waiting.alone |= created && waiting.slot.contacts.len() > known;
        if score > waiting.score {
            (waiting.probability, waiting.score) = (probability, score);
            waiting.slot.row = slot.row;
            waiting.slot.matched.clone_from(&slot.matched);
            waiting.slot.signature_score = slot.signature_score;
        }
        true
    }

    /// Whether its callee is still to be created; then it touches what the creation does.
    fn inherit(&self, slot: &mut Slot) -> bool {
        let callee = slot.tx.to.as_ref();
        let created = callee.and_then(|callee| self.predecessors.creates(callee));
        unite(&mut slot.contacts, created.unwrap_or_default());
        created.is_some()
    }

    /// Passes a transaction on. Who will have no simulation is answered at once; it may be another one that gives way.
    pub fn submit(
        &mut self,
        slot: Slot,
        probability: f32,
        score: f32,
        now_ms: u64,
    ) -> Option<(B256, Failure)> {
        let waiting = Waiting {
            slot,
            probability,
            score,
            due_ms: 0,
            retries: 0,
            alone: false,
            mined: false,
            state: 0,
            before: Vec::new(),
        };
        self.pass_on(waiting, now_ms)
    }

    /// Passes on once more what has been before.
    pub fn resubmit(&mut self, waiting: Waiting, now_ms: u64) -> Option<(B256, Failure)> {
        self.stats.simulated_again.add(1);
        self.pass_on(waiting, now_ms)
    }

    fn pass_on(&mut self, mut waiting: Waiting, now_ms: u64) -> Option<(B256, Failure)> {
        let slot = &mut waiting.slot;
        let hash = slot.tx.hash;
        let tx = Arc::new(slot.tx.clone());
        let before = self.predecessors.before(&tx);
        slot.raw = slot.raw_copy();
        let (raw, contact) = (slot.raw.clone(), !slot.contacts.is_empty());
        self.remember(&waiting.slot, tx.clone());
        // Where nothing comes before it, nothing is left out.
        waiting.alone &= !before.is_empty();
        waiting.due_ms = now_ms.saturating_add(self.config.deadline_ms + GRACE_MS);
        waiting.state = self.state;
        let left_out = waiting.alone || self.config.backend == Executor::DebugTraceCall;
        let suspect = match &self.live {
            Some(_) => Some(Suspect {
                tx,
                raw,
                before: if left_out { Vec::new() } else { before },
                contact,
            }),
            None => {
                waiting.before = before;
                None
            }
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
        self.predecessors
            .remember(tx, slot.raw_copy(), &slot.contacts);
    }

    /// What a judged creation will create, where that was not known, or not to touch what this touches.
    pub fn news(&self, slot: &Slot) -> Option<Address> {
        let created = slot
            .tx
            .to
            .is_none()
            .then(|| slot.tx.from.create(slot.tx.nonce));
        created.filter(|created| self.news_of(created, &slot.contacts))
    }

    /// What a simulation teaches of its suspect: whom it touches, and, where it was executed without what comes before it,
    /// that this is not how it will be.
    pub fn learn(&self, waiting: &mut Waiting, mut simulation: Simulation) -> Simulation {
        let touched = self.simulator.indices(&simulation.touched);
        unite(&mut waiting.slot.contacts, &touched);
        simulation.complete &= !waiting.alone;
        simulation
    }

    /// What a simulated transaction creates: calls of it touch what this touches, too. Answers what of it was not known.
    pub fn foresee(&mut self, created: &[Address], contacts: &[u16]) -> Vec<Address> {
        let created = created.iter().copied();
        let created: Vec<_> = created
            .filter(|address| self.news_of(address, contacts))
            .collect();
        for address in &created {
            self.predecessors.foresee(*address, contacts);
        }
        created
    }

    fn news_of(&self, created: &Address, contacts: &[u16]) -> bool {
        let known = self.predecessors.creates(created);
        !known.is_some_and(|known| contacts.iter().all(|contact| known.contains(contact)))
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
    pub fn keep(&mut self, mut waiting: Waiting) {
        waiting.alone = false;
        remember(&mut self.harmless, waiting);
    }

    /// Remembers what had no verdict, to try again soon, and after some times with each head: nobody gets past the
    /// simulation by keeping it busy for a moment. What was executed in vain is executed alone the next time, and the other
    /// way round.
    pub fn put_off(&mut self, mut waiting: Waiting, executed: bool, now_ms: u64) {
        waiting.retries += 1;
        waiting.alone ^= executed;
        waiting.due_ms = now_ms.saturating_add(PAUSE_MS);
        match waiting.retries <= RETRIES {
            true => remember(&mut self.put_off, waiting),
            false => self.keep(waiting),
        }
    }

    /// Remembers what was found harmless where that was without what comes before it: that is not how it will be.
    pub fn keep_or_put_off(&mut self, waiting: Waiting, decides: bool, now_ms: u64) {
        match waiting.alone && !decides {
            true => self.put_off(waiting, true, now_ms),
            false => self.keep(waiting),
        }
    }

    /// In a replay: what was recorded without a verdict waits for what was recorded of the next try; where nothing was, for
    /// a later look. Answers who gives way.
    pub fn await_next(
        &mut self,
        waiting: Waiting,
        failure: &Failure,
        now_ms: u64,
    ) -> Option<(B256, Failure)> {
        if failure.reason == NOT_CAPTURED {
            self.keep(waiting);
            return None;
        }
        self.resubmit(waiting, now_ms)
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
        self.state += 1;
        self.looks = AGAIN;
    }

    /// The next harmless one to look at again, longest ago first; none while one is looked at: new suspects do not wait
    /// for the old ones.
    pub fn next_look(&mut self) -> Option<Waiting> {
        if self.looks == 0 || self.looked_at.is_some() {
            return None;
        }
        let mut harmless = self.harmless.iter();
        let next = harmless.position(|waiting| waiting.state != self.state)?;
        let next = self.harmless.remove(next)?;
        self.looks -= 1;
        self.looked_at = Some(next.slot.tx.hash);
        Some(next)
    }

    /// In a replay: the harmless one that the capture says was looked at again.
    pub fn recall(&mut self, hash: &B256) -> Option<Waiting> {
        let is_it = |waiting: &Waiting| waiting.slot.tx.hash == *hash;
        let position = self.harmless.iter().position(is_it)?;
        self.harmless.remove(position)
    }

    /// A block has these: too late for a look at them, or at what they stand in place of.
    pub fn mined(&mut self, transactions: &[MinedTransaction]) {
        if self.harmless.is_empty() && self.put_off.is_empty() && self.waiting.is_empty() {
            return;
        }
        let mut last = HashMap::<Address, u64>::new();
        for mined in transactions {
            let nonce = last.entry(mined.from).or_default();
            *nonce = mined.nonce.max(*nonce);
        }
        let over = |waiting: &Waiting| {
            let tx = &waiting.slot.tx;
            last.get(&tx.from).is_some_and(|nonce| tx.nonce <= *nonce)
        };
        self.harmless.retain(|waiting| !over(waiting));
        self.put_off.retain(|waiting| !over(waiting));
        for waiting in self.waiting.values_mut() {
            waiting.mined |= over(waiting);
        }
    }

    /// Ends the waiting of one.
    pub fn take(&mut self, hash: &B256) -> Option<Waiting> {
        self.looked_at.take_if(|looked_at| looked_at == hash);
        self.waiting.remove(hash)
    }

    /// Does again what a capture recorded; `None` for what nobody waits for.
    pub fn replay(&mut self, record: &RecordedSimulation) -> Option<Result<Simulation, Failure>> {
        let waiting = self.waiting.get(&record.hash)?;
        if let Some(failure) = &record.failure {
            return Some(Err(failure.clone()));
        }
        let unreadable = |reason: String| Failure::new(FailureKind::State, reason);
        let Some(executed) = &record.executed else {
            return Some(Err(unreadable("an empty record".into())));
        };
        // What was announced between two tries is remembered since.
        let mut before = waiting.before.clone();
        before.extend(self.predecessors.before(&waiting.slot.tx));
        let done = execute(&mut self.simulator, &waiting.slot, &before, executed);
        Some(done.map_err(|error| match error {
            Unfinished::State(error) => error.into(),
            Unfinished::Failed(failure) => failure,
        }))
    }
}

/// The oldest give way, by number and by bytes, and first those of the same sender.
fn remember(queue: &mut VecDeque<Waiting>, waiting: Waiting) {
    if waiting.mined {
        return;
    }
    queue.retain(|other| other.slot.tx.hash != waiting.slot.tx.hash);
    let sender = waiting.slot.tx.from;
    let all = queue.iter().enumerate();
    let mut of_sender = all.filter(|(_, other)| other.slot.tx.from == sender);
    if let Some((oldest, _)) = of_sender.next()
        && of_sender.count() + 1 >= HARMLESS_PER_SENDER
    {
        queue.remove(oldest);
    }
    queue.push_back(waiting);
    let bytes = |waiting: &Waiting| held(&waiting.slot.tx, waiting.slot.raw.as_ref());
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
    executed: &Witness,
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
