//! Triage: what is simulated, and what becomes of it.
//!
//! A state machine. What happened goes in ([`Triage::judged`], [`Occurrence`]), what is to be done comes out ([`Action`]); it has
//! no clock, no thread and no node of its own, so that a replay does what was done live.
//!
//! ```text
//! judged ─► Running ─┬─ an attack ─────────────────────────► emitted
//!            ▲  ▲    │                                        └─ no block can have it yet ─► Obstructed ─ another state ─► Running
//!            │  │    ├─ harmless, touches a contract ─► Harmless ─ another state ─► Running
//!            │  │    ├─ no verdict, its alert may be out ──► PutOff ─ a little later ─► Running
//!            │  │    └─ of no interest, or its nonce is used ─► dropped
//! ```
//!
//! What is harmless by itself runs once more after what others have pending, where these may prepare it ([`together`]).

mod ending;
mod lately;
mod parked;
mod policy;
pub mod predecessors;
mod suspects;
mod suspicion;
mod takings;
#[cfg(test)]
mod tests;
mod together;

use super::codes::AwaitsCode;
use super::dedup::Dedup;
use super::slot::Slot;
use crate::chain::MinedTransaction;
use crate::evidence::{
    Authenticity, Factor, Failure, FailureKind, FeatureVector, Identity, Simulation,
    SimulationStatus, Taken,
};
use crate::simulate::pool::suspect::{Earlier, Key, Suspect};
use crate::stats::Stats;
use alloy_primitives::{Address, B256};
pub use policy::{Alarm, Policy};
use predecessors::{Predecessors, unite};
use std::sync::Arc;
use std::time::Instant;
use suspects::{RUNNING, Suspects, last_nonces};
pub use suspicion::Said;
use suspicion::{Phase, Suspicion};
use takings::Takings;
use together::{WOKEN_PER_STATE, Waiting};

/// Suspects remembered, so that none is simulated twice.
const TRIAGED: usize = 1 << 14;
/// Harmless ones looked at again with each state, and those that are tried again at once.
const AGAIN: usize = 32;
/// Calls of one account that are judged anew at once.
const CALLERS: usize = 16;
/// How often what had no verdict for want of time, room or state is tried again soon, and after which pause.
const RETRIES: u32 = 3;
const PAUSE_MS: u64 = 500;
/// How much longer than the deadline a result may be on its way to the pipeline.
const GRACE_MS: u64 = 5_000;

/// What happened.
#[derive(Debug)]
pub enum Occurrence<'a> {
    /// A simulation came to its end, or a suspect has none.
    Ended {
        key: Key,
        identity: Identity,
        result: Result<Box<Simulation>, Failure>,
        took_us: f64,
    },
    /// The state of another head is there: what is harmless on one need not be so on the next.
    State,
    /// The block of this number has these: their nonces are used.
    Mined(u64, &'a [MinedTransaction]),
    /// The blocks above this number left the chain.
    Reorged(u64),
    /// In a replay: the recording has a simulation of this hash.
    Recorded(B256),
    /// Time went on.
    Time,
    /// Nobody simulates any more.
    End,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Has it simulated. [`Occurrence::Ended`] follows.
    Submit(Suspect),
    /// It is an attack.
    Emit(Box<Emission>),
    /// Asks for its contents once more: those that were told are not what its hash says.
    AskAgain(B256),
    /// Judges anew who calls what is now known to be created here, and came before its creation.
    JudgeCallers(Address),
}

/// A detection in the making.
#[derive(Debug)]
pub struct Emission {
    pub slot: Slot,
    pub verdict: Verdict,
    /// By the alert that is out, if there is one.
    pub said: Said,
}

/// What is known of a transaction beside itself.
#[derive(Debug)]
pub struct Verdict {
    /// Of the model.
    pub probability: f32,
    pub score: f32,
    /// What moved the probability, where that was asked before.
    pub factors: Option<Vec<Factor>>,
    pub simulation: SimulationStatus,
}

/// A suspect of a replay that waits for what was recorded.
pub struct Awaited<'a> {
    pub slot: &'a Slot,
    /// Of the first stage.
    pub score: f32,
    /// All that may have been executed before it.
    pub before: Vec<Earlier>,
    /// What others took by then.
    pub taken: &'a [Taken],
}

/// What becomes of a judged transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It waits for its simulation, or has its verdict: the first stage's judgement is not the last word.
    Held,
    /// The first stage's judgement stands.
    Passed,
}

pub struct Triage {
    policy: Policy,
    suspects: Suspects,
    /// Passed on before, and of these with a verdict.
    triaged: Dedup<(), Key>,
    /// By hash.
    seen: Dedup<()>,
    /// Features of those that were passed.
    passed: Dedup<FeatureVector, Key>,
    concluded: Dedup<(), Key>,
    /// Had to do with no monitored contract when they were simulated: whether that is all that is known of them.
    uninvolved: Dedup<bool, Key>,
    /// Whose contents are what their hash says, by fingerprint: others under that hash are a lie.
    proven: Dedup<u64>,
    predecessors: Predecessors,
    /// For a call of somebody else that may prepare them, and how many are woken by one on this state still.
    waiting: Waiting,
    woken: usize,
    takings: Takings,
    /// How many states there were, how many looks are left on this one, and who is looked at.
    state: u64,
    looks: usize,
    looked_at: Option<Key>,
    /// Of the obstructed ones.
    asked_anew: Option<Key>,
    stats: Arc<Stats>,
}

impl Triage {
    pub fn new(policy: Policy, stats: Arc<Stats>) -> Self {
        Self {
            policy,
            suspects: Suspects::default(),
            triaged: Dedup::new(TRIAGED),
            seen: Dedup::new(TRIAGED),
            passed: Dedup::new(TRIAGED),
            concluded: Dedup::new(TRIAGED),
            uninvolved: Dedup::new(TRIAGED),
            proven: Dedup::new(TRIAGED),
            predecessors: Predecessors::default(),
            waiting: Waiting::default(),
            takings: Takings::default(),
            woken: WOKEN_PER_STATE,
            state: 0,
            looks: 0,
            looked_at: None,
            asked_anew: None,
            stats,
        }
    }

    /// A transaction was judged by the first stage, perhaps not for the first time. Takes it out of `slot` where it is
    /// passed on.
    pub fn judged(
        &mut self,
        slot: &mut Slot,
        probability: f32,
        score: f32,
        now_ms: u64,
        out: &mut Vec<Action>,
    ) -> Course {
        let created = self.inherit(slot);
        let key = slot.key();
        // What it has to do with a monitored contract came to be known since.
        let turned = !slot.contacts.is_empty() && self.uninvolved.get(&key) == Some(true);
        if turned {
            self.uninvolved.replace(key, false);
        } else if self.concluded.get(&key).is_some() {
            return Course::Held;
        }
        if let Some(suspicion) = self.suspects.all.get_mut(&key)
            && (suspicion.runs() || suspicion.said != Said::Nothing)
        {
            suspicion.judged_again(slot, probability, score, created);
            return Course::Held;
        }
        out.extend(self.news(slot).map(Action::JudgeCallers));
        if !self.wants(slot, score, created, turned) {
            return Course::Passed;
        }
        let suspicion = Suspicion::new(std::mem::take(slot), probability, score);
        self.submit(suspicion, now_ms, out);
        Course::Held
    }

    /// It was passed, and is of no more use to anybody else: later ones may wait for it. Takes its contents.
    pub fn passed(&mut self, slot: &mut Slot, now_ms: u64, out: &mut Vec<Action>) {
        let (sender, nonce, callee) = (slot.tx.from, slot.tx.nonce, slot.tx.to);
        self.passed.insert(slot.key(), slot.row);
        let earlier = Earlier {
            fingerprint: slot.fingerprint,
            original: slot.kept_original(),
            tx: Arc::new(std::mem::take(&mut slot.tx)),
        };
        if self.predecessors.judged(earlier) {
            self.unblock(&sender, nonce, now_ms, out);
            self.wake_callers(&sender, callee, now_ms, out);
        }
    }

    /// Who calls this account and was passed, or had to do with nobody when it was simulated, to be judged anew; the newest.
    pub fn passed_callers(&self, callee: &Address) -> Vec<AwaitsCode> {
        let callers = self.predecessors.callers(callee);
        let passed = callers.filter_map(|one| {
            let key = one.key();
            let row = self.passed.get(&key)?;
            let untried =
                self.triaged.get(&key).is_none() || self.uninvolved.get(&key) == Some(true);
            untried.then(|| AwaitsCode {
                tx: one.tx.as_ref().clone(),
                row,
                fingerprint: one.fingerprint,
                original: one.original.clone(),
                arrived: Instant::now(),
            })
        });
        passed.take(CALLERS).collect()
    }

    /// Whether a transaction was passed on to be simulated.
    pub fn has_seen(&self, hash: &B256) -> bool {
        self.seen.get(hash).is_some()
    }

    /// What is new comes before some that no block could have: perhaps it was what they waited for.
    fn unblock(&mut self, sender: &Address, nonce: u64, now_ms: u64, out: &mut Vec<Action>) {
        let waiting = self.suspects.obstructed_after(sender, nonce);
        for key in waiting {
            if let Some(suspicion) = self.suspects.unpark(&key) {
                self.submit_again(suspicion, now_ms, out);
            }
        }
    }

    /// Milliseconds only grow.
    pub fn handle(&mut self, event: Occurrence, now_ms: u64, out: &mut Vec<Action>) {
        match event {
            Occurrence::Ended {
                key,
                identity,
                result,
                took_us,
            } => {
                let suspicion = self.take_running(&key);
                if let Some(suspicion) = self.identify(suspicion, identity, now_ms, out) {
                    match result {
                        Ok(simulation) => self.weigh(suspicion, *simulation, took_us, now_ms, out),
                        Err(failure) => self.fail(suspicion, failure, now_ms, out),
                    }
                }
                self.look(now_ms, out);
            }
            Occurrence::State => {
                self.state += 1;
                self.looks = AGAIN;
                self.woken = WOKEN_PER_STATE;
                self.look(now_ms, out);
            }
            Occurrence::Mined(number, transactions) => self.mined(number, transactions),
            Occurrence::Reorged(kept) => self.takings.reorged(kept),
            Occurrence::Recorded(hash) => {
                let parked = self.suspects.parked(&hash);
                if let Some(suspicion) = parked.and_then(|key| self.suspects.unpark(&key)) {
                    self.submit_again(suspicion, now_ms, out);
                }
            }
            Occurrence::Time => {
                if self.expire(now_ms, out) {
                    self.look(now_ms, out);
                }
                // A recording says itself what was tried again.
                if !self.policy.replay {
                    self.retry(now_ms, out);
                }
            }
            Occurrence::End => _ = self.expire(u64::MAX, out),
        }
    }

    /// In a replay: the suspect of this hash that waits for what was recorded, the one that waits longest first.
    pub fn awaits_record(&self, hash: &B256) -> Option<Awaited<'_>> {
        let suspicion = self.suspects.running_of(hash)?;
        let Phase::Running { before, .. } = &suspicion.phase else {
            return None;
        };
        // What was announced between two tries is remembered since.
        let mut before = before.clone();
        before.extend(self.predecessors.before(&suspicion.slot.tx));
        Some(Awaited {
            slot: &suspicion.slot,
            score: suspicion.score,
            before,
            taken: &suspicion.taken,
        })
    }

    /// A suspect whose factors nobody asked for yet.
    pub fn unexplained(&mut self, key: &Key) -> Option<&mut Suspicion> {
        let suspicion = self.suspects.all.get_mut(key);
        suspicion.filter(|suspicion| suspicion.factors.is_none())
    }

    /// Whether other contents are known to be what this hash stands for. Who lies about the sender alone has the same ones.
    pub fn is_refuted(&self, slot: &Slot) -> bool {
        let proven = self.proven.get(&slot.tx.hash);
        slot.authenticity != Authenticity::Proven
            && proven.is_some_and(|proven| proven != slot.fingerprint)
    }

    /// Whether its callee is still to be created; then it touches what the creation does.
    fn inherit(&self, slot: &mut Slot) -> bool {
        let callee = slot.tx.to.as_ref();
        let created = callee.and_then(|callee| self.predecessors.creates(callee));
        unite(&mut slot.contacts, created.unwrap_or_default());
        created.is_some()
    }

    /// Whether a judged transaction is to be simulated: it touches a monitored contract, or calls what a pending creation
    /// with such a contact will create, or its score is suspicious, or the code that it runs is young. Answers no for what
    /// was simulated before.
    fn wants(&mut self, slot: &Slot, score: f32, created: bool, turned: bool) -> bool {
        let Some(reason) = self.policy.reason(slot, score, created) else {
            if slot.tx.to.is_none() {
                let tx = Arc::new(slot.tx.clone());
                let (key, original) = (slot.key(), slot.kept_original());
                self.predecessors
                    .remember(key.1, tx, original, &slot.contacts);
            }
            return false;
        };
        // What had no verdict has another chance now that its callee's code is there.
        if self.triaged.insert(slot.key(), ()).is_some() && !slot.again && !turned {
            return false;
        }
        self.seen.insert(slot.tx.hash, ());
        reason.counter(&self.stats).add(1);
        true
    }

    fn submit(&mut self, mut suspicion: Suspicion, now_ms: u64, out: &mut Vec<Action>) {
        let slot = &mut suspicion.slot;
        let key = slot.key();
        let tx = Arc::new(slot.tx.clone());
        let mut before = self.predecessors.before(&tx);
        slot.original = slot.kept_original();
        let (original, contact) = (slot.original.clone(), !slot.contacts.is_empty());
        let score = suspicion.score;
        let news = self
            .predecessors
            .remember(key.1, tx.clone(), original.clone(), &slot.contacts);
        suspicion.known = before.len();
        suspicion.heard = self.takings.of_others(&suspicion);
        let mut others = match suspicion.after_others {
            true => self.others_before(&suspicion),
            false => Vec::new(),
        };
        suspicion.taken = self.takings.of_these(&suspicion, &others);
        others.append(&mut before);
        before = others;
        // Where nothing comes before it, nothing is left out.
        suspicion.alone &= !before.is_empty();
        let recorded = match self.policy.replay {
            true => std::mem::take(&mut before),
            false => Vec::new(),
        };
        if suspicion.alone || self.policy.one_at_a_time {
            before.clear();
        }
        // The question whether a pause would help may take as long again.
        let due_ms = now_ms.saturating_add(
            self.policy
                .deadline_ms
                .saturating_mul(2)
                .saturating_add(GRACE_MS),
        );
        suspicion.phase = Phase::Running {
            due_ms,
            state: self.state,
            before: recorded,
        };
        let (sender, nonce, callee) = (tx.from, tx.nonce, tx.to);
        let (among_others, taken) = (suspicion.after_others, suspicion.taken.clone());
        self.suspects.run(key, due_ms, suspicion);
        out.push(Action::Submit(Suspect {
            fingerprint: key.1,
            tx,
            original,
            before,
            among_others,
            taken,
            contact,
            score,
        }));
        if news {
            self.unblock(&sender, nonce, now_ms, out);
            self.wake_callers(&sender, callee, now_ms, out);
        }
        if self.policy.replay && self.suspects.running() > RUNNING {
            self.give_way(now_ms, out);
        }
    }

    fn submit_again(&mut self, suspicion: Suspicion, now_ms: u64, out: &mut Vec<Action>) {
        self.stats.simulated_again.add(1);
        self.submit(suspicion, now_ms, out);
    }

    fn take_running(&mut self, key: &Key) -> Option<Suspicion> {
        self.looked_at.take_if(|looked_at| looked_at == key);
        self.asked_anew.take_if(|asked| asked == key);
        self.suspects.take_running(key)
    }

    /// Those whose result is overdue: in a replay, what the recording has no simulation of. Answers whether there were any.
    fn expire(&mut self, now_ms: u64, out: &mut Vec<Action>) -> bool {
        let mut any = false;
        while let Some(key) = self.suspects.overdue(now_ms) {
            self.end_without_result(&key, now_ms, out);
            any = true;
        }
        any
    }

    /// Too many wait for what was recorded: the oldest gives way.
    fn give_way(&mut self, now_ms: u64, out: &mut Vec<Action>) {
        while self.suspects.running() > RUNNING
            && let Some(oldest) = self.suspects.overdue(u64::MAX)
        {
            self.end_without_result(&oldest, now_ms, out);
        }
    }

    fn end_without_result(&mut self, key: &Key, now_ms: u64, out: &mut Vec<Action>) {
        let (kind, reason) = match self.policy.replay {
            true => (FailureKind::NotCaptured, "not in the capture"),
            false => (FailureKind::Deadline, "no result in time"),
        };
        if let Some(suspicion) = self.take_running(key) {
            self.fail(suspicion, Failure::new(kind, reason), now_ms, out);
        }
    }

    /// Remembers what was found harmless, to look at it again with each state.
    fn keep(&mut self, mut suspicion: Suspicion) {
        if let Phase::Running { state, .. } = suspicion.phase {
            suspicion.phase = Phase::Harmless { state };
        }
        (suspicion.alone, suspicion.after_others) = (false, false);
        self.awaits_callers(&suspicion);
        self.suspects.park(suspicion);
    }

    /// Remembers an attack whose alert is out, to ask anew with each state whether the next block can have it; at once where
    /// what comes before it became known meanwhile.
    fn obstruct(&mut self, mut suspicion: Suspicion, now_ms: u64, out: &mut Vec<Action>) {
        (suspicion.said, suspicion.alone) = (Said::Attack, false);
        suspicion.after_others = false;
        let before = self.predecessors.before(&suspicion.slot.tx);
        match before.len() > suspicion.known && !suspicion.mined {
            true => self.submit_again(suspicion, now_ms, out),
            false => self.wait(suspicion),
        }
    }

    fn wait(&mut self, mut suspicion: Suspicion) {
        if self.is_replaced(&suspicion) {
            return;
        }
        if let Phase::Running { state, .. } = suspicion.phase {
            suspicion.phase = Phase::Obstructed { state };
        }
        self.suspects.park(suspicion);
    }

    fn is_replaced(&self, suspicion: &Suspicion) -> bool {
        self.predecessors.is_replaced(&suspicion.slot.tx)
    }

    /// Remembers what had no verdict, to try again soon, and after some times with each state: nobody gets past the
    /// simulation by keeping it busy for a moment. What was executed in vain is executed alone the next time, and the other
    /// way round.
    fn put_off(&mut self, mut suspicion: Suspicion, executed: bool, now_ms: u64) {
        suspicion.retries += 1;
        suspicion.alone ^= executed;
        if suspicion.retries > RETRIES {
            return self.keep(suspicion);
        }
        suspicion.phase = Phase::PutOff {
            due_ms: now_ms.saturating_add(PAUSE_MS),
        };
        self.suspects.park(suspicion);
    }

    /// Has the next one looked at that is obstructed, and the next harmless one, the longest ago first; none of those while
    /// one of them is looked at: new suspects do not wait for the old ones.
    fn look(&mut self, now_ms: u64, out: &mut Vec<Action>) {
        self.ask_anew(now_ms, out);
        if self.looks == 0 || self.looked_at.is_some() {
            return;
        }
        let Some(next) = self.suspects.next_harmless(self.state) else {
            return;
        };
        let Some(suspicion) = self.suspects.unpark(&next) else {
            return;
        };
        self.looks -= 1;
        self.looked_at = Some(next);
        self.submit_again(suspicion, now_ms, out);
    }

    fn ask_anew(&mut self, now_ms: u64, out: &mut Vec<Action>) {
        while self.asked_anew.is_none() {
            let next = self.suspects.next_obstructed(self.state);
            let Some(suspicion) = next.and_then(|key| self.suspects.unpark(&key)) else {
                return;
            };
            if !self.is_replaced(&suspicion) {
                self.asked_anew = next;
                self.submit_again(suspicion, now_ms, out);
            }
        }
    }

    /// Some of those whose next try is due.
    fn retry(&mut self, now_ms: u64, out: &mut Vec<Action>) {
        for key in self.suspects.due(now_ms, AGAIN) {
            if let Some(suspicion) = self.suspects.unpark(&key) {
                self.submit_again(suspicion, now_ms, out);
            }
        }
    }

    /// Too late for a look at these, or at what they stand in place of.
    fn mined(&mut self, number: u64, transactions: &[MinedTransaction]) {
        self.takings.mined(number, transactions);
        let last = last_nonces(transactions);
        // A recording says what was executed, and may do so after the block.
        if !self.policy.replay {
            for (sender, nonce) in &last {
                self.predecessors.mined(sender, *nonce);
            }
        }
        self.suspects.mined(&last);
    }

    /// What a judged creation will create, where that was not known, or not to touch what this touches.
    fn news(&self, slot: &Slot) -> Option<Address> {
        let creates = slot.tx.to.is_none();
        let created = creates.then(|| slot.tx.from.create(slot.tx.nonce));
        created.filter(|created| self.is_news(created, &slot.contacts))
    }

    /// What a simulated transaction creates: calls of it touch what this touches, too. Answers what of it was not known.
    fn foresee(&mut self, created: &[Address], contacts: &[u16]) -> Vec<Address> {
        let news = created.iter().copied();
        let news: Vec<_> = news.filter(|at| self.is_news(at, contacts)).collect();
        for address in &news {
            self.predecessors.foresee(*address, contacts);
        }
        news
    }

    fn is_news(&self, created: &Address, contacts: &[u16]) -> bool {
        let known = self.predecessors.creates(created);
        !known.is_some_and(|known| contacts.iter().all(|contact| known.contains(contact)))
    }
}
