//! The pipeline thread: takes items in order, judges transactions in small batches, emits events.

mod early;
mod judging;
mod simulating;
#[cfg(test)]
mod tests;

use super::changes::{Changed, Touch};
use super::clock::Clock;
use super::dedup::Dedup;
use super::early::Desk;
use super::follow::Tracker;
use super::intake::{Admission, Form, Intake};
use super::judge::Stages;
use super::latency::{Latency, LatencySnapshot};
use super::output::{LastWords, Output};
use super::runner::Runner;
use super::slot::{Slot, Timings};
use super::triage::{self, Action, Triage};
use super::watch::Watch;
use crate::capture::CaptureWriter;
use crate::capture::context::ContextEntry;
use crate::chain::{BlockChanges, BlockContents, ChainSpec, CodeAnswer, Head, Reorg};
use crate::config::{Emit, SensorConfig};
use crate::error::{Error, Result};
use crate::event::{Event, TransactionRecord};
use crate::evidence::{Anomaly, AnomalyKind, Authenticity, Outcome};
use crate::feed::LiveSource;
use crate::inbox::queue::ItemReceiver;
use crate::inbox::{Item, Raw};
use crate::signatures::{RuleCost, RuleSet};
use crate::stats::Stats;
use crate::thread::critical;
use crate::wire::Original;
use alloy_primitives::Address;
use arc_swap::ArcSwapOption;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const THREAD: &str = "ids-pipeline";

/// How often expiry runs and figures are published.
const TICK: Duration = Duration::from_millis(100);

/// Detections remembered, so that none is made twice.
const DETECTED: usize = 1 << 14;

/// Callees asked for again with each head, of those that are waited for.
const ASK_AGAIN: usize = 64;

/// Figures that live on the pipeline thread, published every tick.
#[derive(Debug, Default)]
pub struct Published {
    pub latency: LatencySnapshot,
    pub rules: Vec<RuleCost>,
    pub tracked: usize,
    pub queued: usize,
}

/// What simulates, and what is simulated.
pub struct Simulating {
    pub triage: Triage,
    pub runner: Runner,
}

/// Of a transaction's last detection.
#[derive(Debug, Clone, Copy)]
struct Told {
    authenticity: Authenticity,
    /// The first one may have been made of a lie.
    corrects: bool,
    /// The first one had no verdict.
    proves: bool,
}

pub struct Worker {
    stages: Stages,
    intake: Intake,
    /// Absent in a replay: a capture answers all questions itself.
    live: Option<Arc<LiveSource>>,
    capture: Option<CaptureWriter>,
    output: Output,
    stats: Arc<Stats>,
    reload: Arc<ArcSwapOption<RuleSet>>,
    published: Arc<Mutex<Published>>,
    /// By what the first detection's contents rested on; and those whose truth followed.
    detected: Dedup<Told>,
    /// Absent where nothing is simulated.
    simulating: Option<Simulating>,
    /// The newest contracts. Absent where nobody looks for them.
    desk: Option<Desk>,
    tracker: Tracker,
    /// What the last blocks did to monitored contracts.
    changed: Changed,
    clock: Clock,
    latency: Latency,
    outcomes: Vec<Outcome>,
    /// The batch: the first `filled` slots are in use.
    slots: Vec<Slot>,
    filled: usize,
    probabilities: Vec<f32>,
    records: Vec<TransactionRecord>,
    actions: Vec<Action>,
    /// Contracts that pending transactions will create, or that have to do with monitored ones, as it was learnt lately.
    created: Vec<Address>,
    /// An alert is out since the last look for items.
    alerted: bool,
    emit: Emit,
    /// Somebody answers alerts, live.
    stirs: bool,
    chain: Arc<ChainSpec>,
    watch: Watch,
    last_tick: Instant,
}

impl Worker {
    #[allow(clippy::too_many_arguments)] // One caller, which owns them all; a struct would only repeat the names.
    pub fn new(
        config: &SensorConfig,
        chain: Arc<ChainSpec>,
        stages: Stages,
        simulating: Option<Simulating>,
        desk: Option<Desk>,
        live: Option<Arc<LiveSource>>,
        capture: Option<CaptureWriter>,
        output: Output,
        stats: Arc<Stats>,
        reload: Arc<ArcSwapOption<RuleSet>>,
        published: Arc<Mutex<Published>>,
        drop_after_ms: u64,
    ) -> Self {
        let endpoints = live.iter().flat_map(|live| live.endpoints());
        let labels = endpoints.map(|endpoint| endpoint.endpoint).collect();
        let figures = live.iter().flat_map(|live| live.endpoint_stats()).cloned();
        let watch = match live {
            Some(_) => Watch::Live(None),
            None => Watch::Recorded(None),
        };
        Self {
            stages,
            simulating,
            desk,
            intake: Intake::new(
                config,
                chain.clone(),
                labels,
                figures.collect(),
                stats.clone(),
            ),
            clock: match live {
                Some(_) => Clock::live(),
                None => Clock::Recorded { latest_ms: 0 },
            },
            stirs: live.is_some() && config.contracts.iter().any(|c| c.pause.is_some()),
            live,
            capture,
            output,
            reload,
            published,
            detected: Dedup::new(DETECTED),
            tracker: Tracker::new(config.limits.tracked, drop_after_ms, stats.clone()),
            changed: Changed::default(),
            latency: Latency::default(),
            outcomes: Vec::new(),
            slots: (0..config.limits.batch.max(1))
                .map(|_| Slot::default())
                .collect(),
            filled: 0,
            probabilities: Vec::new(),
            records: Vec::new(),
            actions: Vec::new(),
            created: Vec::new(),
            alerted: false,
            emit: config.emit,
            chain,
            stats,
            watch,
            last_tick: Instant::now(),
        }
    }

    /// On a thread of its own, until nothing follows; where our own code fails in it, that is said.
    ///
    /// # Errors
    /// [`Error::Io`]: no thread can be had.
    pub fn start(mut self, inbox: ItemReceiver, last_words: LastWords) -> Result<JoinHandle<()>> {
        let run = move || {
            if let Err(broken) = critical(THREAD, || self.run(&inbox)) {
                last_words.say(broken);
            }
        };
        let thread = std::thread::Builder::new().name(THREAD.into());
        thread.spawn(run).map_err(|source| Error::Io {
            path: format!("thread {THREAD}").into(),
            source,
        })
    }

    fn run(&mut self, inbox: &ItemReceiver) {
        loop {
            let mut next = inbox.recv_timeout(TICK);
            let mut ended = false;
            let mut taken = 0;
            while let Some(item) = next {
                ended = matches!(item, Item::End | Item::Broken(_));
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
            if std::mem::take(&mut self.alerted) {
                inbox.rest();
            }
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
        self.triage(triage::Occurrence::End);
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
        if let Some(capture) = &self.capture
            && let Some(entry) = ContextEntry::of(&item)
        {
            capture.offer_context(entry);
        }
        match item {
            Item::Notification(raw) => self.raw(&raw, Form::Notification),
            Item::Object(raw) => self.raw(&raw, Form::Object),
            Item::Fetched(raw) => self.raw(&raw, Form::Fetched),
            Item::Announced { hash, endpoint, at } => self.intake.announced(hash, endpoint, at),
            Item::Transaction { tx, at } => {
                let slot = &mut self.slots[self.filled];
                (slot.tx, slot.timings) = (*tx, Timings::new(at));
                self.transaction(None);
            }
            // What follows changes what is known: transactions before it are judged with what was known before.
            Item::Head(head) => self.after_batch(|worker| worker.head(&head)),
            Item::Code(answer) => self.after_batch(|worker| worker.code(&answer)),
            Item::Block(block) => self.after_batch(|worker| worker.block(&block)),
            Item::Changes(changes) => self.after_batch(|worker| worker.changes(&changes)),
            Item::Reorg(reorg) => self.after_batch(|worker| worker.reorg(reorg)),
            Item::Simulated(done) => self.after_batch(|worker| worker.simulated(*done)),
            Item::State => self.after_batch(|worker| worker.triage(triage::Occurrence::State)),
            Item::Recorded(record) => self.after_batch(|worker| worker.replay(&record)),
            Item::Deployed(found, score) => {
                self.after_batch(|worker| worker.deployed(*found, score.map(|score| *score)));
            }
            Item::Detonated(done) => self.after_batch(|worker| worker.detonated(*done)),
            Item::DetonatedThen(record) => {
                self.after_batch(|worker| worker.detonate_again(&record))
            }
            Item::Anomaly(anomaly) => self.output.anomaly(anomaly),
            Item::Broken(broken) => self.output.broken(broken),
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
        let timings = Timings::new(raw.at);
        match self.intake.parse(raw, form) {
            Ok(tx) => {
                let slot = &mut self.slots[self.filled];
                (slot.tx, slot.timings) = (tx, timings);
                self.transaction(Some((raw, form)));
            }
            Err(anomaly) => self.anomaly(anomaly),
        }
    }

    /// The transaction in the next free slot: examines it where it was not seen before.
    fn transaction(&mut self, raw: Option<(&Raw, Form)>) {
        let slot = &mut self.slots[self.filled];
        slot.again = false;
        match self.intake.admit(slot, raw) {
            Admission::Admitted => {}
            Admission::Again => slot.again = true,
            Admission::Beside(anomaly) => self.anomaly(anomaly),
            Admission::Refused(anomaly) => return self.anomaly(anomaly),
            // Who only receives has asked for it by name.
            Admission::Known
                if !self.stages.judges() && raw.is_some_and(|(_, form)| form == Form::Fetched) => {}
            Admission::Known => return,
        }
        let slot = &mut self.slots[self.filled];
        if let (Some(capture), Some((raw, form))) = (&self.capture, raw) {
            let label = self.intake.label(raw.endpoint);
            capture.offer_raw(raw, form == Form::Notification, &slot.tx, label);
        }
        slot.original = raw.map(Original::from);
        slot.authenticity = Authenticity::default();
        self.clock.recorded(slot.tx.seen_ms);
        self.watch.record(slot.tx.seen_ms);
        let now_ms = self.clock.elapsed_ms();
        self.tracker.pending(&slot.tx, now_ms, &mut self.outcomes);
        self.scout_creation();
        let slot = &mut self.slots[self.filled];
        if self.stages.judges() {
            self.stages.examine(slot);
            if let Some(reason) = slot.decoded.anomaly {
                let anomaly = Anomaly {
                    at_ms: slot.tx.seen_ms,
                    kind: AnomalyKind::MalformedCalldata,
                    origin: slot.tx.hash.to_string(),
                    reason: reason.into(),
                };
                self.anomaly(anomaly);
            }
            self.ask_for_code();
            self.filled += 1;
        } else {
            self.receive();
        }
        self.report_outcomes();
    }

    /// Hands on a transaction that nobody judges.
    fn receive(&mut self) {
        let slot = &self.slots[self.filled];
        let (arrived, finished) = (slot.timings.arrived, Instant::now());
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
    }

    fn head(&mut self, head: &Head) {
        self.stats.heads.add(1);
        self.stats.head_number.set(head.number);
        self.stages.chain.block_number = Some(head.number);
        let next_base_fee = head.next_base_fee(&self.chain);
        self.stages.chain.next_base_fee = Some(next_base_fee);
        self.stats
            .next_base_fee_wei
            .set(u64::try_from(next_base_fee).unwrap_or(u64::MAX));
        self.watch.record(head.seen_ms);
        self.tracker.head(head.number, head.hash);
        if let Some(simulating) = &self.simulating {
            simulating.runner.head(head.number, head.hash);
        }
        // A request may have failed, or the contract may only now be there.
        if let Some(live) = &self.live {
            let awaited = self.stages.codes.awaited().take(ASK_AGAIN);
            awaited.for_each(|callee| live.request_code(*callee));
            self.stages.codes.rotate_awaited(ASK_AGAIN);
        }
    }

    fn block(&mut self, block: &BlockContents) {
        let now_ms = self.clock.unix_ms();
        self.tracker.block(block, now_ms, &mut self.outcomes);
        // Before their nonces are used up: it is asked what was seen of them.
        let touches = self.changed.block(block);
        self.touched(touches);
        self.triage(triage::Occurrence::Mined(block.number, &block.transactions));
        self.report_outcomes();
    }

    fn changes(&mut self, changes: &BlockChanges) {
        self.learn(&changes.named);
        self.name(&changes.named);
        let touches = self.changed.changes(changes);
        self.touched(touches);
    }

    /// Mined transactions that changed monitored contracts: how much of that is seen, and by whom it comes.
    fn touched(&mut self, touches: Vec<Touch>) {
        for Touch {
            hash,
            callee,
            contracts,
        } in touches
        {
            self.stats.mined_contact.add(1);
            let triage = self
                .simulating
                .as_ref()
                .map(|simulating| &simulating.triage);
            if triage.is_some_and(|triage| triage.has_seen(&hash)) {
                self.stats.mined_contact_seen.add(1);
                // Its simulation has shown who led there: a router that was told is none.
                continue;
            }
            let leads = callee
                .iter()
                .flat_map(|to| contracts.iter().map(|one| (*to, *one)));
            self.learn(&leads.collect::<Vec<_>>());
        }
        self.judge_callers();
    }

    /// Who has to do with monitored contracts: calls of whom that was not known of are judged anew.
    fn learn(&mut self, leads: &[(Address, Address)]) {
        for (account, contract) in leads {
            let contact = self.stages.contacts.index(contract);
            let is_monitored = self.stages.contacts.index(account).is_some();
            if let Some(contact) = contact.filter(|_| !is_monitored)
                && self.stages.acquaintances.learn(*account, contact)
            {
                self.created.push(*account);
            }
        }
    }

    fn reorg(&mut self, reorg: Reorg) {
        self.stats.reorgs.add(1);
        // The new head follows: until then the number is the old one's.
        let old = self.stages.chain.block_number.unwrap_or(reorg.number);
        let kept = old.saturating_sub(reorg.depth);
        let now = super::clock::Now {
            unix_ms: reorg.at_ms,
            ..self.clock.now()
        };
        self.tracker.reorg(kept, now, &mut self.outcomes);
        self.triage(triage::Occurrence::Reorged(kept));
        self.output.send(Event::Reorg(reorg));
        self.report_outcomes();
    }

    fn code(&mut self, answer: &CodeAnswer) {
        let block = self.stages.chain.block_number.unwrap_or(0);
        let waited = self
            .stages
            .codes
            .insert(answer, &self.stages.contacts, block);
        self.judge_again(waited);
    }

    fn flush_records(&mut self) {
        if !self.records.is_empty() {
            let records = std::mem::take(&mut self.records);
            self.output.send(Event::Transactions(records));
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
            self.triage(triage::Occurrence::Time);
            self.tracker.expire(self.clock.now(), &mut self.outcomes);
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

    fn capture_trouble(&mut self, reason: String) {
        self.anomaly(Anomaly {
            at_ms: self.clock.unix_ms(),
            kind: AnomalyKind::CaptureFailed,
            origin: "capture".into(),
            reason,
        });
    }

    fn anomaly(&mut self, anomaly: Anomaly) {
        self.stats.anomalies.add(anomaly.kind);
        self.output.anomaly(anomaly);
    }
}
