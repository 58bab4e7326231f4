//! Recording what the pipeline received, so that a replay gives the same detections.
//!
//! The pipeline offers each transaction after dedup and parsing, and each context entry, in its own order. A writer
//! thread appends them to a [journal](journal); a full journal is turned into Parquet by a second thread, so that writing
//! never waits for compression. Nothing here ever blocks the pipeline: what does not fit is dropped and counted.

mod appender;
pub(crate) mod columns;
pub mod context;
pub(crate) mod journal;
pub(crate) mod record;
pub mod replay;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod segment;
#[cfg(test)]
mod tests;

use crate::config::CaptureConfig;
use crate::error::{Error, Result};
use crate::inbox::Raw;
use crate::stats::Stats;
use crate::tx::PendingTransaction;
use appender::Appender;
use bytes::Bytes;
use context::ContextEntry;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

/// Waiting for the writer, at the most.
const QUEUE: usize = 16_384;
const QUEUE_BYTES: usize = 32 << 20;
/// Things gone wrong that nobody has asked for yet, at the most; a disk that fails says the same again and again.
const TROUBLES: usize = 16;

enum Offer {
    Transaction {
        json: Bytes,
        is_notification: bool,
        seen_ms: u64,
        source: Box<str>,
    },
    Context(ContextEntry),
}

impl Offer {
    /// Bytes that it holds, at the most.
    fn footprint(&self) -> usize {
        match self {
            Self::Transaction { json, source, .. } => json.len() + source.len(),
            Self::Context(entry) => entry.footprint(),
        }
    }
}

/// Records to a folder until [`finish`](Self::finish) or drop.
pub struct CaptureWriter {
    offers: Option<Sender<Offer>>,
    held: Arc<AtomicUsize>,
    stats: Arc<Stats>,
    troubles: Receiver<String>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl CaptureWriter {
    /// Creates the folder where needed, and turns what a crashed capture left there into Parquet in the background.
    ///
    /// # Errors
    /// Where the folder cannot be written, or the rotation is zero.
    pub fn start(config: &CaptureConfig, chain_id: u64, stats: Arc<Stats>) -> Result<Self> {
        if config.rotate_ms == 0 || config.rotate_rows == 0 {
            return Err(Error::Config("capture rotation must be above 0".into()));
        }
        let dir = config.dir.clone();
        std::fs::create_dir_all(&dir).map_err(|source| Error::Io {
            path: dir.clone(),
            source,
        })?;
        let left_behind = segment::left_behind(&dir)?;
        let journal = segment::create(&dir, unix_ms(), chain_id)?;
        let (trouble, troubles) = bounded(TROUBLES);
        let (full, converter) = start_converter(trouble.clone())?;
        for path in left_behind {
            let _ = full.send(path);
        }
        let (offers, inbox) = bounded(QUEUE);
        let held = Arc::new(AtomicUsize::new(0));
        let appender = Appender::new(
            config.clone(),
            chain_id,
            journal,
            full,
            stats.clone(),
            trouble,
        );
        let levels = held.clone();
        let thread = spawn("capture", move || appender.run(&inbox, &levels, converter))?;
        Ok(Self {
            offers: Some(offers),
            held,
            stats,
            troubles,
            thread: Some(thread),
        })
    }

    /// Offers a transaction in the form it arrived: `raw` is a whole notification, or an object. `tx` is what the
    /// pipeline parsed from it, `source` who announced it. Never waits.
    pub fn offer_raw(
        &self,
        raw: &Raw,
        is_notification: bool,
        tx: &PendingTransaction,
        source: &str,
    ) {
        let json = raw.bytes.clone();
        self.offer(Offer::Transaction {
            json,
            is_notification,
            seen_ms: tx.seen_ms,
            source: source.into(),
        });
    }

    /// Offers what else the pipeline received. Never waits.
    pub fn offer_context(&self, entry: ContextEntry) {
        self.offer(Offer::Context(entry));
    }

    fn offer(&self, offer: Offer) {
        let bytes = offer.footprint();
        let held = self.held.fetch_add(bytes, Relaxed);
        // One above the bound passes alone.
        let fits = held == 0 || held + bytes <= QUEUE_BYTES;
        if !fits
            || self
                .offers
                .as_ref()
                .is_none_or(|offers| offers.try_send(offer).is_err())
        {
            self.held.fetch_sub(bytes, Relaxed);
            self.stats.dropped_capture.add(1);
        }
    }

    /// What has gone wrong since this was last asked, for people.
    pub fn troubles(&self) -> impl Iterator<Item = String> {
        self.troubles.try_iter()
    }

    /// Writes what is waiting, turns the last journal into Parquet, and gives the first error there was.
    pub fn finish(&mut self) -> Result<()> {
        self.offers = None;
        match self.thread.take() {
            Some(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(Error::Config("the capture thread panicked".into()))),
            None => Ok(()),
        }
    }
}

impl Drop for CaptureWriter {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// Turns journals into Parquet until the sender is gone. A journal that fails stays, and can be replayed as it is.
fn start_converter(trouble: Sender<String>) -> Result<(Sender<PathBuf>, JoinHandle<Result<()>>)> {
    let (full, inbox) = unbounded::<PathBuf>();
    let thread = spawn("capture-convert", move || {
        let mut first_error = Ok(());
        for path in inbox {
            if let Err(error) = segment::convert(&path) {
                trouble.try_send(format!("stays a journal: {error}")).ok();
                first_error = first_error.and(Err(error));
            }
        }
        first_error
    })?;
    Ok((full, thread))
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let io = |source| Error::Io {
        path: "thread".into(),
        source,
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(io)
}

fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
