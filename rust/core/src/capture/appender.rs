//! The writer thread: offers become journal records.

use super::journal::JournalWriter;
use super::record::{Record, RecordedTransaction};
use super::{Offer, segment, unix_ms};
use crate::config::CaptureConfig;
use crate::error::{Error, Result};
use crate::stats::Stats;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A record is on the disk at the latest this long after it was offered.
const SYNC: Duration = Duration::from_secs(1);
/// Between two attempts to begin a new file, where the first failed.
const ROTATE_AGAIN: Duration = Duration::from_secs(10);
/// Handed to the operating system at once beyond this, else as soon as nothing more waits.
const FLUSH_BYTES: usize = 1 << 20;

/// The writer thread's state.
pub(super) struct Appender {
    config: CaptureConfig,
    chain_id: u64,
    journal: JournalWriter,
    /// Transactions, and all records, of the current journal.
    rows: u64,
    entries: u64,
    opened: Instant,
    synced: Instant,
    /// After a rotation failed: not tried again before.
    rotate_after: Instant,
    full: Sender<PathBuf>,
    stats: Arc<Stats>,
    trouble: Sender<String>,
    /// That it loses transactions has been said.
    loss_told: bool,
    error: Option<Error>,
}

impl Appender {
    /// Records to `journal` first; full journals go to `full`.
    pub(super) fn new(
        config: CaptureConfig,
        chain_id: u64,
        journal: JournalWriter,
        full: Sender<PathBuf>,
        stats: Arc<Stats>,
        trouble: Sender<String>,
    ) -> Self {
        let now = Instant::now();
        Self {
            config,
            chain_id,
            journal,
            rows: 0,
            entries: 0,
            opened: now,
            synced: now,
            rotate_after: now,
            full,
            stats,
            trouble,
            loss_told: false,
            error: None,
        }
    }

    pub(super) fn run(
        mut self,
        inbox: &Receiver<Offer>,
        held: &AtomicUsize,
        converter: JoinHandle<Result<()>>,
    ) -> Result<()> {
        loop {
            match inbox.recv_timeout(SYNC) {
                Ok(offer) => {
                    held.fetch_sub(offer.footprint(), Relaxed);
                    self.record(offer);
                    if inbox.is_empty() || self.journal.pending_bytes() > FLUSH_BYTES {
                        self.flush();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.synced.elapsed() >= SYNC {
                self.sync();
            }
            let is_due = self.rows >= self.config.rotate_rows
                || self.opened.elapsed().as_millis() >= self.config.rotate_ms.into();
            if is_due && Instant::now() >= self.rotate_after {
                self.rotate();
            }
        }
        self.flush();
        self.sync();
        let Self {
            journal,
            entries,
            full,
            error,
            ..
        } = self;
        let path = journal.path().to_path_buf();
        // Unlocked before the converter looks at it.
        drop(journal);
        if entries > 0 {
            let _ = full.send(path);
        } else {
            let _ = std::fs::remove_file(path);
        }
        drop(full);
        let converted = converter
            .join()
            .unwrap_or_else(|_| Err(Error::Config("the capture's converter panicked".into())));
        error.map_or(converted, Err)
    }

    fn record(&mut self, offer: Offer) {
        let record = match offer {
            Offer::Context(entry) => Record::Context(entry),
            Offer::Transaction {
                json,
                is_notification,
                seen_ms,
                source,
            } => {
                let Some(recorded) =
                    RecordedTransaction::from_json(&json, is_notification, seen_ms, source.into())
                else {
                    self.stats.dropped_capture.add(1);
                    return;
                };
                self.rows += 1;
                Record::Transaction(recorded)
            }
        };
        self.entries += 1;
        self.journal.append(&record);
    }

    fn flush(&mut self) {
        if let Err((lost, source)) = self.journal.flush() {
            self.stats.dropped_capture.add(lost);
            self.fail(source);
        }
    }

    fn sync(&mut self) {
        self.flush();
        self.synced = Instant::now();
        if let Err(source) = self.journal.sync() {
            self.fail(source);
        }
    }

    /// A new journal; the old one goes to the converter. Without room for a new one the old one is written on.
    fn rotate(&mut self) {
        self.opened = Instant::now();
        if self.entries == 0 {
            return;
        }
        self.sync();
        match segment::create(&self.config.dir, unix_ms(), self.chain_id) {
            Ok(next) => {
                let full = std::mem::replace(&mut self.journal, next);
                let path = full.path().to_path_buf();
                drop(full);
                let _ = self.full.send(path);
                (self.rows, self.entries) = (0, 0);
            }
            Err(e) => {
                self.rotate_after = Instant::now() + ROTATE_AGAIN;
                self.trouble.try_send(format!("cannot rotate: {e}")).ok();
                self.error.get_or_insert(e);
            }
        }
    }

    fn fail(&mut self, source: std::io::Error) {
        let error = Error::Io {
            path: self.journal.path().into(),
            source,
        };
        if !std::mem::replace(&mut self.loss_told, true) {
            let said = format!("loses transactions: {error}");
            self.trouble.try_send(said).ok();
        }
        self.error.get_or_insert(error);
    }
}
