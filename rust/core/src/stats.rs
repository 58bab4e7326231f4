//! Counters. Each is incremented where the thing it counts happens.

mod early;

pub use early::EarlyStats;

use crate::evidence::{AnomalyKind, FailureKind};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// A relaxed atomic counter.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
    #[inline]
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }
}

/// Shared by all threads of one sensor.
#[derive(Debug, Default)]
pub struct Stats {
    /// Frames (live), rows or lines (replay) received.
    pub received: Counter,
    /// Received, already seen by hash.
    pub duplicates: Counter,
    /// Lost because a queue before the pipeline was full for too long.
    pub dropped_queue: Counter,
    /// Lost because the capture writer fell behind.
    pub dropped_capture: Counter,
    pub classified: Counter,
    pub detections: Counter,
    /// Re-scored when their callee's code arrived.
    pub rescored: Counter,
    /// Gave way to newer ones before their callee's code arrived: judged once, without it.
    pub rescore_dropped: Counter,
    /// Lost because Python did not pull events in time.
    pub dropped_events: Counter,
    /// Forgotten before their end because more were pending than are followed.
    pub untracked: Counter,
    pub mined: Counter,
    pub replaced: Counter,
    pub dropped: Counter,
    pub reorgs: Counter,
    pub heads: Counter,
    pub reconnects: Counter,
    /// Transactions recovered from `txpool_content` after a connection was lost.
    pub recovered: Counter,
    pub code_requests: Counter,
    pub code_failures: Counter,
    pub code_dropped: Counter,
    pub reloads: Counter,
    /// Received, but no transaction this version can read (each is an anomaly too).
    pub unparsed: Counter,
    /// Passed on to be simulated, because they touch a monitored contract, by their score, or because their code is young.
    pub triaged_contact: Counter,
    pub triaged_score: Counter,
    pub triaged_young: Counter,
    /// Of new contracts.
    pub early: EarlyStats,
    /// Mined transactions that changed a monitored contract, as a node's trace tells; and of these, seen pending and passed on.
    pub mined_contact: Counter,
    pub mined_contact_seen: Counter,
    /// Simulated to a verdict.
    pub simulated: Counter,
    /// Passed on once more with a new head, because the former simulation found them harmless.
    pub simulated_again: Counter,
    /// Of these, executed after what is pending of others, who may have prepared it.
    pub simulated_after_others: Counter,
    /// Passed on, and without a verdict; by [`FailureKind`](crate::evidence::FailureKind).
    pub simulation_failures: Failures,
    /// Detections of the first stage that their simulation found harmless.
    pub exonerated: Counter,
    /// Heads over which the known state was carried, and over which it was lost.
    pub state_carried: Counter,
    pub state_discarded: Counter,
    /// Heads that no node gave a header of.
    pub state_failures: Counter,
    /// Simulations whose state was asked for.
    pub state_fetches: Counter,
    pub head_number: Counter,
    pub next_base_fee_wei: Counter,
    pub anomalies: Anomalies,
}

/// One counter per [`AnomalyKind`].
#[derive(Debug, Default)]
pub struct Anomalies([Counter; AnomalyKind::ALL.len()]);

impl Anomalies {
    #[inline]
    pub fn add(&self, kind: AnomalyKind) {
        self.0[kind as usize].add(1);
    }
    pub fn get(&self, kind: AnomalyKind) -> u64 {
        self.0[kind as usize].get()
    }
}

/// One counter per [`FailureKind`].
#[derive(Debug, Default)]
pub struct Failures([Counter; FailureKind::ALL.len()]);

impl Failures {
    pub fn add(&self, kind: FailureKind) {
        self.0[kind.told() as usize].add(1);
    }
    pub fn get(&self, kind: FailureKind) -> u64 {
        self.0[kind.told() as usize].get()
    }
}

/// Counters of one endpoint.
#[derive(Debug, Default)]
pub struct EndpointStats {
    /// Transactions this endpoint announced.
    pub seen: Counter,
    /// Of these, how many it announced before every other endpoint.
    pub first: Counter,
    /// Sum of microseconds by which it came after the first, and how often: mean lag = sum/count.
    pub lag_sum_us: Counter,
    pub lag_count: Counter,
    pub connects: Counter,
    pub disconnects: Counter,
    pub messages: Counter,
    pub bytes: Counter,
    /// 1 while subscribed.
    pub up: Counter,
}

/// A snapshot of one endpoint's counters.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "endpoint")]
pub struct EndpointSnapshot {
    /// Redacted URL.
    pub endpoint: String,
    pub up: bool,
    pub seen: u64,
    pub first: u64,
    pub mean_lag_us: f64,
    pub connects: u64,
    pub disconnects: u64,
    pub messages: u64,
    pub bytes: u64,
}

impl Stats {
    /// All counters by name.
    pub fn snapshot(&self) -> serde_json::Map<String, serde_json::Value> {
        let anomalies: serde_json::Map<_, _> = AnomalyKind::ALL
            .iter()
            .map(|kind| (kind.name().to_owned(), self.anomalies.get(*kind).into()))
            .collect();
        let mut all: serde_json::Map<_, _> = self
            .named()
            .into_iter()
            .map(|(name, counter)| (name.to_owned(), counter.get().into()))
            .collect();
        all.insert("anomalies".into(), anomalies.into());
        let failures: serde_json::Map<_, _> = FailureKind::ALL
            .iter()
            .map(|kind| {
                (
                    kind.name().to_owned(),
                    self.simulation_failures.get(*kind).into(),
                )
            })
            .collect();
        all.insert("simulation_failures".into(), failures.into());
        all.insert("early".into(), self.early.snapshot().into());
        all
    }

    fn named(&self) -> [(&'static str, &Counter); 37] {
        [
            ("received", &self.received),
            ("duplicates", &self.duplicates),
            ("dropped_queue", &self.dropped_queue),
            ("dropped_events", &self.dropped_events),
            ("dropped_capture", &self.dropped_capture),
            ("classified", &self.classified),
            ("detections", &self.detections),
            ("rescored", &self.rescored),
            ("rescore_dropped", &self.rescore_dropped),
            ("mined", &self.mined),
            ("replaced", &self.replaced),
            ("dropped", &self.dropped),
            ("untracked", &self.untracked),
            ("reorgs", &self.reorgs),
            ("heads", &self.heads),
            ("reconnects", &self.reconnects),
            ("recovered", &self.recovered),
            ("code_requests", &self.code_requests),
            ("code_failures", &self.code_failures),
            ("code_dropped", &self.code_dropped),
            ("reloads", &self.reloads),
            ("head_number", &self.head_number),
            ("next_base_fee_wei", &self.next_base_fee_wei),
            ("unparsed", &self.unparsed),
            ("triaged_contact", &self.triaged_contact),
            ("triaged_score", &self.triaged_score),
            ("triaged_young", &self.triaged_young),
            ("mined_contact", &self.mined_contact),
            ("mined_contact_seen", &self.mined_contact_seen),
            ("simulated", &self.simulated),
            ("simulated_again", &self.simulated_again),
            ("simulated_after_others", &self.simulated_after_others),
            ("exonerated", &self.exonerated),
            ("state_carried", &self.state_carried),
            ("state_discarded", &self.state_discarded),
            ("state_failures", &self.state_failures),
            ("state_fetches", &self.state_fetches),
        ]
    }
}
