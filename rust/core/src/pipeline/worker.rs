//! The pipeline thread: takes items in order, judges transactions in small batches, emits events.

use super::codes::{Lookup, Waiting, is_payment};
use super::dedup::Dedup;
use super::follow::Tracker;
use super::judge::{Clock, Slot, Stages};
use super::latency::{Latency, LatencySnapshot};
use super::output::Output;
use super::triage::{Simulations, Waiting as Awaiting};
use super::watch::Watch;
use crate::capture::CaptureWriter;
use crate::capture::context::ContextEntry;
use crate::chain::{CodeAnswer, Head};
use crate::config::{Emit, SensorConfig};
use crate::event::{Event, Judged, TransactionRecord};
use crate::evidence::{
    Anomaly, AnomalyKind, DoneSimulation, Failure, FailureKind, Outcome, RecordedSimulation,
    Simulation, SimulationStatus,
};
use crate::feed::LiveSource;
use crate::inbox::queue::ItemReceiver;
use crate::inbox::{Item, Raw};
use crate::signatures::{RuleCost, RuleSet};
use crate::stats::Stats;
use crate::wire;
use alloy_primitives::{Address, B256};
use arc_swap::ArcSwapOption;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often expiry runs and figures are published.
const TICK: Duration = Duration::from_millis(100);

/// Announcements remembered, to compare the endpoints: of the last seconds where many come.
const ANNOUNCED: usize = 1 << 14;

/// Detections remembered, so that none is made twice.
const DETECTED: usize = 1 << 14;

/// Probability of what the model could not judge.
const NO_ANSWER: f32 = 1.0;

/// Callees asked for again with each head, of those that are waited for.
const ASK_AGAIN: usize = 64;

/// How a transaction's JSON arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Notification,
    Object,
    /// Asked for by name.
    Fetched,
}

/// Figures that live on the pipeline thread, published every tick.
#[derive(Debug, Default)]
pub struct Published {
    pub latency: LatencySnapshot,
    pub rules: Vec<RuleCost>,
    pub tracked: usize,
    pub queued: usize,
}

pub struct Worker {
    stages: Stages,
    /// Absent in a replay: a capture answers all questions itself.
    live: Option<Arc<LiveSource>>,
    /// Redacted URLs of the endpoints.
    labels: Vec<String>,
    capture: Option<CaptureWriter>,
    output: Output,
    stats: Arc<Stats>,
    reload: Arc<ArcSwapOption<RuleSet>>,
    published: Arc<Mutex<Published>>,
    /// Of the contents, see [`Dedup::fingerprint`].
    dedup: Dedup<u64>,
    /// Who announced first, and when.
    announced: Dedup<(u16, Instant)>,
    detected: Dedup<()>,
    /// Absent where nothing is simulated.
    simulations: Option<Simulations>,
    tracker: Tracker,
    latency: Latency,
    outcomes: Vec<Outcome>,
    /// The batch: the first `filled` slots are in use.
    slots: Vec<Slot>,
    filled: usize,
    probabilities: Vec<f32>,
    records: Vec<TransactionRecord>,
    /// Contracts that pending transactions will create, as it was learnt lately.
    created: Vec<Address>,
    emit: Emit,
    chain_id: u64,
    /// The latest time in what is replayed, Unix milliseconds.
    recorded_ms: u64,
    watch: Watch,
    last_tick: Instant,
}

impl Worker {
    #[allow(clippy::too_many_arguments)] // One caller, which owns them all; a struct would only repeat the names.
    pub fn new(
        config: &SensorConfig,
        stages: Stages,
        simulations: Option<Simulations>,
        live: Option<Arc<LiveSource>>,
        capture: Option<CaptureWriter>,
        output: Output,
        stats: Arc<Stats>,
        reload: Arc<ArcSwapOption<RuleSet>>,
        published: Arc<Mutex<Published>>,
        drop_after_ms: u64,
    ) -> Self {
        let watch = match live {
            Some(_) => Watch::Live(None),
            None => Watch::Recorded(None),
        };
        Self {
            stages,
            simulations,
            labels: live
                .iter()
                .flat_map(|live| live.endpoints())
                .map(|e| e.endpoint)
                .collect(),
            live,
            capture,
            output,
            reload,
            published,
            dedup: Dedup::new(config.limits.dedup),
            announced: Dedup::new(ANNOUNCED),
            detected: Dedup::new(DETECTED),
            tracker: Tracker::new(config.limits.tracked, drop_after_ms, stats.clone()),
            latency: Latency::default(),
            outcomes: Vec::new(),
            slots: (0..config.limits.batch.max(1))
                .map(|_| Slot::default())
                .collect(),
            filled: 0,
            probabilities: Vec::new(),
            records: Vec::new(),
            created: Vec::new(),
            emit: config.emit,
            chain_id: config.chain_id,
            stats,
            recorded_ms: 0,
            watch,
            last_tick: Instant::now(),
        }
    }

    pub fn run(mut self, inbox: &ItemReceiver) {
        loop {
            let mut next = inbox.recv_timeout(TICK);
            let mut ended = false;
            let mut taken = 0;
            while let Some(item) = next {
                ended = matches!(item, Item::End);
                self.take(item);
                taken += 1;
                // Bounded by items too: a flood of what fills no slot must not hold up what filled one.
                if ended || taken == self.slots.len() || self.filled == self.slots.len() {
                    break;
                }
                next = inbox.try_recv();
            }
            self.judge();
            self.flush_records();
            if self.last_tick.elapsed() >= TICK || ended {
                self.tick(inbox);
            }
            // Whoever simulates holds the queue open, too.
            let source_is_gone = || self.live.as_ref().is_some_and(|live| live.has_ended());
            if ended || (taken == 0 && source_is_gone() && inbox.is_empty()) {
                break;
            }
        }
        // Nobody simulates any more.
        while let Some(simulations) = &mut self.simulations
            && let Some((hash, failure)) = simulations.overdue(u64::MAX)
        {
            self.simulated(&hash, Err(failure), 0.0);
        }
        let finished = self.capture.as_mut().map(CaptureWriter::finish);
        self.tell_capture_troubles();
        if let Some(Err(error)) = finished
            && self.stats.anomalies.get(AnomalyKind::CaptureFailed) == 0
        {
            self.capture_trouble(error.to_string());
        }
        self.output.end();
    }

    fn take(&mut self, item: Item) {
        if let (Some(capture), Some(entry)) = (&self.capture, ContextEntry::of(&item)) {
            capture.offer_context(entry);
        }
        match item {
            Item::Notification(raw) => self.raw(&raw, Form::Notification),
            Item::Object(raw) => self.raw(&raw, Form::Object),
            Item::Fetched(raw) => self.raw(&raw, Form::Fetched),
            Item::Announced { hash, endpoint, at } => self.count_announcement(hash, endpoint, at),
            Item::Transaction { tx, at } => {
                self.slots[self.filled].tx = *tx;
                self.transaction(at, 0, None);
            }
            // What follows changes what is known: transactions before it are judged with what was known before.
            Item::Head(head) => self.after_batch(|worker| worker.head(&head)),
            Item::Code(answer) => self.after_batch(|worker| worker.code(&answer)),
            Item::Block(block) => self.after_batch(|worker| {
                let now = worker.now_ms();
                worker.tracker.block(&block, now, &mut worker.outcomes);
                if let Some(simulations) = &mut worker.simulations {
                    simulations.mined(&block.transactions);
                }
                worker.report_outcomes();
            }),
            Item::Reorg(reorg) => self.after_batch(|worker| {
                worker.stats.reorgs.add(1);
                // The new head follows: until then the number is the old one's.
                let old = worker.stages.chain.block_number.unwrap_or(reorg.number);
                let kept = old.saturating_sub(reorg.depth);
                worker
                    .tracker
                    .reorg(kept, reorg.at_ms, &mut worker.outcomes);
                worker.output.send(Event::Reorg(reorg));
                worker.report_outcomes();
            }),
            Item::Simulated(done) => self.after_batch(|worker| {
                let result = done.result.map(|simulation| *simulation);
                worker.simulated(&done.hash, result, done.took_us);
                worker.look_on();
                worker.judge_callers();
            }),
            Item::State => self.after_batch(|worker| {
                if let Some(simulations) = &mut worker.simulations {
                    simulations.look_again();
                }
                worker.look_on();
            }),
            Item::Recorded(record) => self.after_batch(|worker| {
                worker.replay(&record);
                worker.judge_callers();
            }),
            Item::Anomaly(anomaly) => self.output.anomaly(anomaly),
            Item::Ready => {
                self.watch.ready();
                self.output.send(Event::Ready);
            }
            Item::End => {}
        }
    }

    fn after_batch(&mut self, change: impl FnOnce(&mut Self)) {
        self.judge();
        change(self);
    }

    fn raw(&mut self, raw: &Raw, form: Form) {
        let clock = Clock::new(raw.at);
        let parsed = match form {
            Form::Notification => wire::parse_notification(&raw.bytes, raw.unix_ms),
            Form::Object | Form::Fetched => wire::parse_object(&raw.bytes, raw.unix_ms),
        };
        match parsed {
            Ok(tx) => {
                let slot = &mut self.slots[self.filled];
                (slot.tx, slot.clock) = (tx, clock);
                self.transaction(raw.at, raw.endpoint, Some((raw, form)));
            }
            Err(error) => {
                self.stats.unparsed.add(1);
                self.anomaly(
                    error.kind,
                    label(&self.labels, raw.endpoint).to_owned(),
                    error.reason.to_string(),
                    raw.unix_ms,
                );
            }
        }
    }

    /// The transaction in the next free slot: drops duplicates and other chains' transactions, then examines it.
    fn transaction(&mut self, at: Instant, endpoint: u16, raw: Option<(&Raw, Form)>) {
        let slot = &mut self.slots[self.filled];
        if raw.is_none() {
            slot.clock = Clock::new(at);
        }
        slot.again = false;
        // Before it can take the place of the transaction whose hash it bears.
        if let Some(chain_id) = slot.tx.chain_id.filter(|id| *id != self.chain_id) {
            let (origin, at_ms) = (slot.tx.hash.to_string(), slot.tx.seen_ms);
            let reason = format!(
                "signed for chain {chain_id}, this sensor watches {}",
                self.chain_id
            );
            self.anomaly(AnomalyKind::WrongChain, origin, reason, at_ms);
            return;
        }
        let fingerprint = self.dedup.fingerprint(&slot.tx);
        let hash = slot.tx.hash;
        let seen = self.dedup.insert(hash, fingerprint);
        // Objects were announced before, as hashes, or by nobody: a pool says nothing about who is faster.
        if raw.is_some_and(|(_, form)| form == Form::Notification) {
            self.count_announcement(hash, endpoint, at);
        }
        let slot = &self.slots[self.filled];
        match seen {
            None => {}
            Some(first) if first != fingerprint => {
                // One of the two was made up to hide the other: both are judged.
                let (origin, at_ms) = (slot.tx.hash.to_string(), slot.tx.seen_ms);
                let reason = "announced with different contents under one hash".into();
                self.anomaly(AnomalyKind::HashMismatch, origin, reason, at_ms);
            }
            Some(_) => {
                self.stats.duplicates.add(1);
                let wanted = raw.is_some_and(|(_, form)| form == Form::Fetched);
                if self.stages.judges() || !wanted {
                    return;
                }
            }
        }
        let slot = &mut self.slots[self.filled];
        if let (Some(capture), Some((raw, form))) = (&self.capture, raw) {
            capture.offer_raw(
                raw,
                form == Form::Notification,
                &slot.tx,
                label(&self.labels, endpoint),
            );
        }
        slot.fingerprint = fingerprint;
        // Those of a legacy transaction are known to every stage.
        slot.raw = match raw {
            Some((raw, form)) if self.simulations.is_some() && slot.tx.tx_type > 0 => {
                Some((raw.bytes.clone(), form == Form::Notification))
            }
            _ => None,
        };
        self.recorded_ms = self.recorded_ms.max(slot.tx.seen_ms);
        self.watch.record(slot.tx.seen_ms);
        self.tracker.pending(&slot.tx, &mut self.outcomes);
        if !self.stages.judges() {
            let (arrived, finished) = (slot.clock.arrived, Instant::now());
            self.records.push(TransactionRecord {
                tx: slot.tx.clone(),
                judged: None,
                arrived,
                finished,
            });
            self.latency
                .record(finished.saturating_duration_since(arrived));
            if self.capture.is_some() {
                // Not needed now, but whoever judges the capture has no node to ask.
                self.ask_for_code();
            }
            self.report_outcomes();
            return;
        }
        self.stages.examine(slot);
        if let Some(reason) = slot.decoded.anomaly {
            let (origin, at_ms) = (slot.tx.hash, slot.tx.seen_ms);
            self.stats.anomalies.add(AnomalyKind::MalformedCalldata);
            self.output.anomaly(Anomaly {
                at_ms,
                kind: AnomalyKind::MalformedCalldata,
                origin: origin.to_string(),
                reason: reason.into(),
            });
        }
        self.ask_for_code();
        self.filled += 1;
        self.report_outcomes();
    }

    fn count_announcement(&mut self, hash: B256, endpoint: u16, at: Instant) {
        let Some(stats) = self
            .live
            .as_ref()
            .and_then(|live| live.endpoint_stats().get(usize::from(endpoint)))
        else {
            return;
        };
        match self.announced.insert(hash, (endpoint, at)) {
            None => {
                stats.seen.add(1);
                stats.first.add(1);
            }
            Some((first, since)) if first != endpoint => {
                stats.seen.add(1);
                stats
                    .lag_sum_us
                    .add(at.saturating_duration_since(since).as_micros() as u64);
                stats.lag_count.add(1);
            }
            // Repeated by the same endpoint: says nothing about who is faster.
            Some(_) => {}
        }
    }

    /// Asks for the callee's code where it is not known, and remembers the transaction for when it is.
    fn ask_for_code(&mut self) {
        let slot = &self.slots[self.filled];
        let Some(callee) = slot.tx.to else { return };
        let block = self.stages.chain.block_number.unwrap_or(0);
        match self.stages.codes.lookup(&callee, block) {
            Lookup::Known => return,
            // Ether sent to an account without code.
            Lookup::Empty if is_payment(&slot.tx) => return,
            Lookup::Dating if !self.stages.judges() => return,
            _ if !self.stages.judges() => {}
            known => {
                let waiting = Waiting {
                    tx: slot.tx.clone(),
                    row: slot.row,
                    fingerprint: slot.fingerprint,
                    raw: slot.raw_copy(),
                    arrived: slot.clock.arrived,
                };
                self.stats
                    .rescore_dropped
                    .add(self.stages.codes.wait(callee, waiting));
                if known == Lookup::Dating {
                    return;
                }
            }
        }
        if let Some(live) = &self.live {
            live.request_code(callee);
        }
    }

    fn head(&mut self, head: &Head) {
        self.stats.heads.add(1);
        self.stats.head_number.set(head.number);
        self.stages.chain.block_number = Some(head.number);
        self.stages.chain.next_base_fee = Some(head.next_base_fee());
        self.stats
            .next_base_fee_wei
            .set(u64::try_from(head.next_base_fee()).unwrap_or(u64::MAX));
        self.watch.record(head.seen_ms);
        self.tracker.head(head.number, head.hash);
        if let Some(simulations) = &mut self.simulations {
            simulations.head(head.number, head.hash);
        }
        // A request may have failed, or the contract may only now be there.
        if let Some(live) = &self.live {
            let awaited = self.stages.codes.awaited().take(ASK_AGAIN);
            awaited.for_each(|callee| live.request_code(*callee));
            self.stages.codes.rotate_awaited(ASK_AGAIN);
        }
    }

    /// Has the next harmless one looked at, where none is.
    fn look_on(&mut self) {
        while let Some(simulations) = &mut self.simulations
            && let Some(next) = simulations.next_look()
        {
            self.resubmit(next);
        }
    }

    /// What had no verdict for want of time, room or state has it a little later.
    fn try_again(&mut self) {
        let now = self.now_ms();
        let due = self.simulations.as_mut().map(|all| all.due(now));
        for waiting in due.into_iter().flatten() {
            self.resubmit(waiting);
        }
    }

    fn resubmit(&mut self, waiting: Awaiting) {
        let now = self.now_ms();
        if let Some(simulations) = &mut self.simulations {
            let refused = simulations.resubmit(waiting, now);
            self.refused(refused);
        }
    }

    fn code(&mut self, answer: &CodeAnswer) {
        let block = self.stages.chain.block_number.unwrap_or(0);
        let waited = self
            .stages
            .codes
            .insert(answer, &self.stages.contacts, block);
        self.judge_again(waited);
    }

    fn judge_again(&mut self, waited: impl IntoIterator<Item = Waiting>) {
        for waiting in waited {
            let Waiting {
                tx,
                row,
                fingerprint,
                raw,
                arrived,
            } = waiting;
            let slot = &mut self.slots[self.filled];
            slot.clock = Clock::new(arrived);
            (slot.tx, slot.row, slot.again) = (tx, row, true);
            (slot.fingerprint, slot.raw) = (fingerprint, raw);
            self.stages.examine_again(slot);
            self.stats.rescored.add(1);
            self.filled += 1;
            if self.filled == self.slots.len() {
                self.judge();
            }
        }
        self.judge();
    }

    /// Classifies the batch and emits what it found.
    fn judge(&mut self) {
        let batch = std::mem::take(&mut self.filled);
        if batch == 0 {
            return;
        }
        let mut probabilities = std::mem::take(&mut self.probabilities);
        if let Err(error) = self
            .stages
            .classify(&self.slots[..batch], &mut probabilities)
        {
            // No answer must not pass as harmless.
            self.anomaly(
                AnomalyKind::Inference,
                "classifier".into(),
                error.to_string(),
                now_ms(),
            );
            probabilities.clear();
            probabilities.resize(batch, NO_ANSWER);
        }
        let (classified, now) = (Instant::now(), self.now_ms());
        for (i, probability) in probabilities.iter().copied().enumerate() {
            let slot = &mut self.slots[i];
            slot.clock.classified = classified;
            let probability = if probability.is_nan() {
                NO_ANSWER
            } else {
                probability
            };
            let score = probability.max(slot.signature_score);
            if !slot.again {
                self.stats.classified.add(1);
                self.latency
                    .record(classified.saturating_duration_since(slot.clock.arrived));
                if self.emit == Emit::All {
                    let judged = Some(Judged {
                        features: slot.row,
                        probability,
                        score,
                    });
                    let (tx, arrived) = (slot.tx.clone(), slot.clock.arrived);
                    self.records.push(TransactionRecord {
                        tx,
                        judged,
                        arrived,
                        finished: classified,
                    });
                }
            }
            if let Some(simulations) = &mut self.simulations {
                if simulations.awaits(slot, probability, score) {
                    continue;
                }
                self.created.extend(simulations.news(slot));
                if simulations.wants(slot, score) {
                    let slot = std::mem::take(&mut self.slots[i]);
                    let refused = simulations.submit(slot, probability, score, now);
                    self.refused(refused);
                    continue;
                }
            }
            if self.stages.is_detection(!slot.contacts.is_empty(), score) {
                let slot = std::mem::take(&mut self.slots[i]);
                self.detection(&slot, probability, score, SimulationStatus::NotRun);
                self.slots[i] = slot;
            }
        }
        self.probabilities = probabilities;
        self.report_overdue();
        self.judge_callers();
    }

    /// Judges anew who calls what is now known to be created, and came before its creation.
    fn judge_callers(&mut self) {
        for created in std::mem::take(&mut self.created) {
            let waiting = self.stages.codes.waiting_for(&created);
            self.judge_again(waiting);
        }
    }

    fn detection(
        &mut self,
        slot: &Slot,
        probability: f32,
        score: f32,
        simulation: SimulationStatus,
    ) {
        // One detection a transaction: the second judgement may find one that the first did not.
        if self.detected.insert(slot.tx.hash, ()).is_some() {
            return;
        }
        let watched_ms = self.watch.until(slot.clock.arrived, slot.tx.seen_ms);
        let detection = self
            .stages
            .detect(slot, probability, score, simulation, watched_ms);
        if let Some(detection) = detection {
            self.stats.detections.add(1);
            self.output.send(Event::Detection(Box::new(detection)));
        }
        let (hash, now) = (slot.tx.hash, self.now_ms());
        self.tracker.follow(&hash, now, &mut self.outcomes);
        self.report_outcomes();
    }

    /// A suspect that is not simulated, which a replay is to know too.
    fn refused(&mut self, refused: Option<(B256, Failure)>) {
        let Some((hash, failure)) = refused else {
            return;
        };
        if let Some(capture) = &self.capture {
            let record = RecordedSimulation {
                hash,
                failure: Some(failure.clone()),
                executed: None,
            };
            capture.offer_context(ContextEntry::Simulation(Box::new(record)));
        }
        self.simulated(&hash, Err(failure), 0.0);
    }

    /// Those whose result never came.
    fn report_overdue(&mut self) {
        let now = self.now_ms();
        while let Some(simulations) = &mut self.simulations
            && let Some((hash, failure)) = simulations.overdue(now)
        {
            self.simulated(&hash, Err(failure), 0.0);
        }
    }

    fn replay(&mut self, record: &RecordedSimulation) {
        let start = Instant::now();
        let again = self.simulations.as_mut();
        if let Some(again) = again.and_then(|all| all.recall(&record.hash)) {
            self.resubmit(again);
        }
        let result = self.simulations.as_mut().and_then(|all| all.replay(record));
        if let Some(result) = result {
            let took_us = start.elapsed().as_nanos() as f64 / 1000.0;
            self.simulated(&record.hash, result, took_us);
        }
    }

    /// A simulation is over, one way or the other.
    fn simulated(&mut self, hash: &B256, result: Result<Simulation, Failure>, took_us: f64) {
        let Some(simulations) = &mut self.simulations else {
            return;
        };
        let Some(mut waiting) = simulations.take(hash) else {
            return;
        };
        let result = result.map(|simulation| simulations.learn(&mut waiting, simulation));
        let decides = result.as_ref().is_ok_and(Simulation::decides);
        let first = decides && simulations.conclude(&waiting);
        let (probability, stage_one) = (waiting.probability, waiting.score);
        let slot = &waiting.slot;
        let contact = !slot.contacts.is_empty();
        let detected = self.stages.is_detection(contact, stage_one);
        match result {
            Ok(simulation) => {
                self.stats.simulated.add(1);
                let foreseen = simulations.foresee(&simulation.created, &slot.contacts);
                self.created.extend(foreseen);
                // A rule of full weight asks for no proof.
                let certain = slot.signature_score >= 1.0;
                let score = simulation
                    .verdict(stage_one)
                    .max(f32::from(u8::from(certain)));
                let contact = contact || !simulation.touched.is_empty();
                if self.stages.is_detection(contact, score) {
                    let done = DoneSimulation {
                        simulation,
                        took_us,
                    };
                    let status = SimulationStatus::Done(Box::new(done));
                    self.detection(slot, probability, score, status);
                    return;
                }
                // Once, however often it is looked at.
                if detected && first {
                    self.stats.exonerated.add(1);
                }
                let now = self.now_ms();
                if contact && let Some(simulations) = &mut self.simulations {
                    simulations.keep_or_put_off(waiting, decides, now);
                }
            }
            Err(failure) => {
                self.stats.simulation_failures.add(failure.kind);
                let score = failure.verdict(contact, stage_one);
                let contact = contact || failure.touched;
                if self.stages.is_detection(contact, score) {
                    let status = SimulationStatus::Failed(failure);
                    self.detection(slot, probability, score, status);
                    return;
                }
                let now = self.now_ms();
                if contact
                    && failure.kind != FailureKind::Budget
                    && let Some(simulations) = &mut self.simulations
                {
                    match self.live {
                        Some(_) => {
                            let executed = failure.kind.was_executed();
                            simulations.put_off(waiting, executed, now);
                        }
                        None => {
                            let refused = simulations.await_next(waiting, &failure, now);
                            self.refused(refused);
                        }
                    }
                }
            }
        }
    }

    fn flush_records(&mut self) {
        if !self.records.is_empty() {
            self.output
                .send(Event::Transactions(std::mem::take(&mut self.records)));
        }
    }

    fn report_outcomes(&mut self) {
        for outcome in self.outcomes.drain(..) {
            self.output.send(Event::Outcome(outcome));
        }
    }

    fn tick(&mut self, inbox: &ItemReceiver) {
        self.last_tick = Instant::now();
        if let Some(rules) = self.reload.swap(None) {
            self.stages.matcher.reload(rules);
            self.stats.reloads.add(1);
        }
        if self.live.is_some() {
            self.report_overdue();
            self.try_again();
            self.look_on();
            self.tracker.expire(now_ms(), &mut self.outcomes);
            self.report_outcomes();
        }
        self.tell_capture_troubles();
        let mut published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *published = Published {
            latency: self.latency.snapshot(),
            rules: self.stages.matcher.costs(),
            tracked: self.tracker.len(),
            queued: inbox.len(),
        };
    }

    fn tell_capture_troubles(&mut self) {
        let troubles = self.capture.iter().flat_map(CaptureWriter::troubles);
        for trouble in troubles.collect::<Vec<_>>() {
            self.capture_trouble(trouble);
        }
    }

    fn capture_trouble(&mut self, said: String) {
        self.anomaly(AnomalyKind::CaptureFailed, "capture".into(), said, now_ms());
    }

    /// Unix milliseconds: now, or in a replay as far as it has come.
    fn now_ms(&self) -> u64 {
        match self.live {
            Some(_) => now_ms(),
            None => self.recorded_ms,
        }
    }

    fn anomaly(&mut self, kind: AnomalyKind, origin: String, reason: String, at_ms: u64) {
        self.stats.anomalies.add(kind);
        self.output.anomaly(Anomaly {
            at_ms,
            kind,
            origin,
            reason,
        });
    }
}

fn label(labels: &[String], endpoint: u16) -> &str {
    labels
        .get(usize::from(endpoint))
        .map_or("replay", String::as_str)
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64)
}
