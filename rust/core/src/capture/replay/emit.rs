//! The way out of a replay: pacing, counting, stopping.

use crate::capture::record::{Form, Record, object_item};
use crate::error::Error;
use crate::evidence::{Anomaly, AnomalyKind};
use crate::inbox::Item;
use crate::inbox::queue::ItemSender;
use crate::stats::Stats;
use crate::tx::PendingTransaction;
use crate::wire::WireError;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// The replay was told to stop, or nobody listens any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopped;

pub(super) struct Emitter {
    items: ItemSender,
    stats: Arc<Stats>,
    stopped: Arc<AtomicBool>,
    speed: f64,
    /// Wall clock and recorded time of the first paced item.
    origin: Option<(Instant, u64)>,
    /// Recorded time of the last transaction: anomalies are dated by it.
    recorded_ms: u64,
    pub(super) max_bytes: usize,
}

impl Emitter {
    pub(super) fn new(
        items: ItemSender,
        stats: Arc<Stats>,
        stopped: Arc<AtomicBool>,
        speed: f64,
        max_bytes: usize,
    ) -> Self {
        Self {
            items,
            stats,
            stopped,
            speed,
            origin: None,
            recorded_ms: 0,
            max_bytes,
        }
    }

    pub(super) fn transaction(&mut self, tx: PendingTransaction) -> Result<(), Stopped> {
        self.pace(tx.seen_ms)?;
        self.item(Item::Transaction {
            tx: Box::new(tx),
            at: Instant::now(),
        })
    }

    /// A transaction's JSON, due at the recorded time `due_ms`. With `unix_ms` 0 its own `timestamp_ms` counts.
    pub(super) fn object(&mut self, json: Bytes, unix_ms: u64, due_ms: u64) -> Result<(), Stopped> {
        self.pace(due_ms)?;
        self.item(object_item(json, unix_ms))
    }

    /// A transaction as a capture keeps it; `origin` tells where it stands.
    pub(super) fn record(
        &mut self,
        record: Record,
        origin: impl FnOnce() -> String,
    ) -> Result<(), Stopped> {
        match record {
            Record::Context(entry) => self.item(entry.into()),
            Record::Transaction(recorded) => {
                self.stats.received.add(1);
                match recorded.form {
                    Form::Object(json) => self.object(json, recorded.seen_ms, recorded.seen_ms),
                    Form::Raw(_) => match recorded.transaction() {
                        Ok(tx) => self.transaction(tx),
                        Err(error) => self.bad_transaction(error, origin()),
                    },
                }
            }
        }
    }

    /// Counts rows or lines read.
    pub(super) fn received(&self, count: u64) {
        self.stats.received.add(count);
    }

    pub(super) fn bad_transaction(
        &mut self,
        error: WireError,
        origin: String,
    ) -> Result<(), Stopped> {
        self.anomaly(error.kind, origin, error.reason.into_owned())
    }

    pub(super) fn bad_capture(
        &mut self,
        origin: String,
        reason: impl Into<String>,
    ) -> Result<(), Stopped> {
        self.anomaly(AnomalyKind::MalformedCapture, origin, reason.into())
    }

    pub(super) fn anomaly(
        &mut self,
        kind: AnomalyKind,
        origin: String,
        mut reason: String,
    ) -> Result<(), Stopped> {
        self.stats.anomalies.add(kind);
        reason.truncate(reason.floor_char_boundary(200));
        self.item(Item::Anomaly(Anomaly {
            at_ms: self.recorded_ms,
            kind,
            origin,
            reason,
        }))
    }

    pub(super) fn item(&mut self, item: Item) -> Result<(), Stopped> {
        if self.stopped.load(Relaxed) {
            return Err(Stopped);
        }
        self.items.send(item).map_err(|_| Stopped)
    }

    pub(super) fn end(self) {
        let _ = self.items.send(Item::End);
    }

    /// Waits until what was recorded at `unix_ms` is due.
    fn pace(&mut self, unix_ms: u64) -> Result<(), Stopped> {
        self.recorded_ms = unix_ms;
        if self.speed == 0.0 {
            return Ok(());
        }
        let (start, first_ms) = *self.origin.get_or_insert_with(|| (Instant::now(), unix_ms));
        let elapsed_s = unix_ms.saturating_sub(first_ms) as f64 / 1000.0 / self.speed;
        // Gaps beyond what a clock can hold are as good as for ever.
        let due = Duration::try_from_secs_f64(elapsed_s)
            .ok()
            .and_then(|wait| start.checked_add(wait));
        loop {
            if self.stopped.load(Relaxed) {
                return Err(Stopped);
            }
            let left = due.map_or(Duration::from_secs(3600), |due| {
                due.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return Ok(());
            }
            std::thread::park_timeout(left);
        }
    }
}

/// A file that cannot be replayed at all; `reason` is for people.
pub(super) fn bad(path: &Path, reason: &str) -> Error {
    Error::Capture {
        path: path.into(),
        reason: reason.into(),
    }
}
