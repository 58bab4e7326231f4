//! The one queue before the pipeline: bounded in items and in bytes.

use super::Item;
use crate::config::Limits;
use crate::stats::Stats;
use crate::thread::critical;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};
use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// Items that wait; about a megabyte of frames, half of a current processor's second cache.
const FAR_AHEAD: usize = 512;

/// A queue of `limits.queue_frames` items holding at most `limits.queue_bytes`: raw JSON, calldata, code, blocks, what
/// simulations read. A single item above that passes alone.
pub fn queue(limits: &Limits, stats: Arc<Stats>) -> (ItemSender, ItemReceiver) {
    let (tx, rx) = bounded(limits.queue_frames);
    let level = Arc::new(Level::default());
    let sender = ItemSender {
        tx,
        level: level.clone(),
        max_bytes: limits.queue_bytes,
        stats,
    };
    // On a single core the spinning thread would keep the source from running.
    let alone = available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let receiver = ItemReceiver {
        rx,
        level,
        spin: Duration::from_micros(if alone { 0 } else { limits.spin_us }),
        dense: Cell::new(false),
        resting_until: Cell::new(None),
    };
    (sender, receiver)
}

#[derive(Default)]
struct Level {
    bytes: AtomicUsize,
    /// The receiver is gone: bytes will not go down any more.
    closed: AtomicBool,
}

/// The pipeline has stopped: the source should too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

#[derive(Clone)]
pub struct ItemSender {
    tx: Sender<Item>,
    level: Arc<Level>,
    max_bytes: usize,
    stats: Arc<Stats>,
}

impl ItemSender {
    /// Waits for room. For replay, and for items that must not be lost (heads, code, anomalies, end).
    pub fn send(&self, item: Item) -> Result<(), Closed> {
        let len = item.footprint();
        while self.is_over(len) {
            if self.level.closed.load(Relaxed) {
                return Err(Closed);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.level.bytes.fetch_add(len, Relaxed);
        self.tx.send(item).map_err(|_| Closed)
    }

    /// Runs what nothing works without: where it panics, whoever reads the queue is told so.
    pub fn told_of_panics(&self, thread: &'static str, run: impl FnOnce()) {
        if let Err(broken) = critical(thread, run) {
            self.send(Item::Broken(broken)).ok();
        }
    }

    /// Whether `len` more bytes exceed the bound. An item above the bound passes alone.
    fn is_over(&self, len: usize) -> bool {
        self.level.bytes.load(Relaxed).saturating_add(len) > self.max_bytes && !self.tx.is_empty()
    }

    /// Gives the item back where there is no room now, so that an async caller can wait without blocking its thread.
    pub fn try_send(&self, item: Item) -> Result<Option<Item>, Closed> {
        let len = item.footprint();
        if self.is_over(len) {
            return if self.level.closed.load(Relaxed) {
                Err(Closed)
            } else {
                Ok(Some(item))
            };
        }
        // Added before the receiver can subtract it.
        self.level.bytes.fetch_add(len, Relaxed);
        match self.tx.try_send(item) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(item)) => {
                self.level.bytes.fetch_sub(len, Relaxed);
                Ok(Some(item))
            }
            Err(TrySendError::Disconnected(_)) => Err(Closed),
        }
    }

    /// Lets the pipeline run first where it is far behind and shares the core: frames that wait for long fall out of the
    /// processor's cache, and are then read at a tenth of the speed. With a core for each, this returns at once.
    pub fn yield_if_ahead(&self) {
        if self.tx.len() >= FAR_AHEAD {
            std::thread::yield_now();
        }
    }

    /// For live sources: waits up to `patience` for room, yielding to other tasks, then drops the item and counts it.
    pub async fn offer(&self, item: Item, patience: Duration) -> Result<(), Closed> {
        let Some(mut item) = self.try_send(item)? else {
            return Ok(());
        };
        let deadline = tokio::time::Instant::now() + patience;
        while tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
            match self.try_send(item)? {
                None => return Ok(()),
                Some(back) => item = back,
            }
        }
        self.stats.dropped_queue.add(1);
        Ok(())
    }
}

pub struct ItemReceiver {
    rx: Receiver<Item>,
    level: Arc<Level>,
    spin: Duration,
    /// The last item came within `spin`.
    dense: Cell<bool>,
    resting_until: Cell<Option<Instant>>,
}

impl ItemReceiver {
    /// `None` where nothing came in time; `Item::End` where every sender is gone.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Item> {
        let start = Instant::now();
        let rests = self.resting_until.get().is_some_and(|until| start < until);
        while self.dense.get() && !rests && start.elapsed() < self.spin {
            if let Some(item) = self.try_recv() {
                return Some(item);
            }
            spin_loop();
        }
        let received = self.rx.recv_timeout(timeout);
        self.dense.set(start.elapsed() < self.spin);
        match received {
            Ok(item) => Some(self.release(item)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Item::End),
        }
    }

    /// For as long as it would look for the next item, it sleeps instead: whoever was just told something may need this
    /// very core to answer.
    pub fn rest(&self) {
        self.resting_until.set(Some(Instant::now() + self.spin));
    }

    pub fn try_recv(&self) -> Option<Item> {
        match self.rx.try_recv() {
            Ok(item) => Some(self.release(item)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Item::End),
        }
    }

    /// Items waiting now.
    pub fn len(&self) -> usize {
        self.rx.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rx.is_empty()
    }

    /// Bytes waiting now.
    pub fn bytes(&self) -> usize {
        self.level.bytes.load(Relaxed)
    }

    fn release(&self, item: Item) -> Item {
        self.level.bytes.fetch_sub(item.footprint(), Relaxed);
        item
    }
}

impl Drop for ItemReceiver {
    fn drop(&mut self) {
        self.level.closed.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests;
