//! The bounded channel to Python.

use crate::event::Event;
use crate::evidence::{Anomaly, AnomalyKind, Breakdown};
use crate::stats::Stats;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Anomaly events of one kind per second; the counters count all.
const ANOMALIES_PER_SECOND: u32 = 10;

/// How long the last events wait for a reader.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes waiting for Python. Transactions (only with `emit = all`) find room in the first three quarters alone: where Python
/// does not keep up they are lost first, long before an alert is.
const WAITING_BYTES: usize = 64 << 20;
const TRANSACTION_BYTES: usize = WAITING_BYTES / 4 * 3;
/// Of a record without its calldata.
const RECORD_BYTES: usize = 512;

/// A replay waits for room; a live pipeline never waits for Python: what finds no room is lost and counted.
#[derive(Debug)]
pub struct Output {
    events: Sender<Event>,
    /// Bytes waiting; the receiver takes off what it reads.
    held: Arc<AtomicUsize>,
    lossless: bool,
    stats: Arc<Stats>,
    window: Instant,
    in_window: [u32; AnomalyKind::ALL.len()],
}

impl Output {
    pub fn new(
        capacity: usize,
        lossless: bool,
        stats: Arc<Stats>,
    ) -> (Self, Receiver<Event>, Arc<AtomicUsize>) {
        let (events, receiver) = bounded(capacity.max(1));
        let held = Arc::new(AtomicUsize::new(0));
        let output = Self {
            events,
            held: held.clone(),
            lossless,
            stats,
            window: Instant::now(),
            in_window: Default::default(),
        };
        (output, receiver, held)
    }

    /// For when the pipeline itself is no more.
    pub fn last_words(&self) -> LastWords {
        LastWords(self.events.clone())
    }

    pub fn send(&mut self, event: Event) {
        let bytes = footprint(&event);
        if self.lossless {
            while self.held.load(Relaxed) + bytes > WAITING_BYTES && !self.events.is_empty() {
                std::thread::sleep(Duration::from_micros(200));
            }
            self.held.fetch_add(bytes, Relaxed);
            // Fails only where the receiver is gone, and with it everyone who could miss the event.
            let _ = self.events.send(event);
            return;
        }
        let (lost, most) = match &event {
            Event::Transactions(records) => (records.len() as u64, TRANSACTION_BYTES),
            _ => (1, WAITING_BYTES),
        };
        let held = self.held.fetch_add(bytes, Relaxed);
        let full = bytes > 0 && held > 0 && held + bytes > most;
        if full || self.events.try_send(event).is_err() {
            self.held.fetch_sub(bytes, Relaxed);
            self.stats.dropped_events.add(lost);
        }
    }

    /// Where there is no room, whoever reads has enough to do.
    pub fn stir(&self) {
        let _ = self.events.try_send(Event::Stir);
    }

    /// Why nothing follows is never lost, either.
    pub fn broken(&mut self, breakdown: Breakdown) {
        let event = Event::Broken(breakdown);
        let _ = self.events.send_timeout(event, PATIENCE);
    }

    /// The end is never lost.
    pub fn end(&mut self) {
        let _ = self.events.send_timeout(Event::End, PATIENCE);
    }

    /// Reports an anomaly, at a bounded rate: garbage must not crowd out alerts. Whoever found it has counted it.
    pub fn anomaly(&mut self, anomaly: Anomaly) {
        if self.window.elapsed() >= Duration::from_secs(1) {
            self.window = Instant::now();
            self.in_window = Default::default();
        }
        let seen = &mut self.in_window[anomaly.kind as usize];
        *seen += 1;
        if *seen <= ANOMALIES_PER_SECOND {
            self.send(Event::Anomaly(anomaly));
        }
    }
}

/// Says why nothing follows.
pub struct LastWords(Sender<Event>);

impl LastWords {
    pub fn say(self, broken: Breakdown) {
        let events = [Event::Broken(broken), Event::End];
        for event in events {
            let _ = self.0.send_timeout(event, PATIENCE);
        }
    }
}

/// Bytes that count against the bound: at least what the event holds.
pub fn footprint(event: &Event) -> usize {
    match event {
        Event::Transactions(records) => records
            .iter()
            .map(|record| record.tx.input.len() + RECORD_BYTES)
            .sum(),
        Event::Detection(detection) => size_of_val(&**detection) + detection.footprint(),
        Event::Deployment(assessment, _) => size_of_val(&**assessment) + assessment.footprint(),
        Event::Anomaly(anomaly) => anomaly.footprint(),
        Event::Ready
        | Event::Stir
        | Event::Reorg(_)
        | Event::Outcome(_)
        | Event::Broken(_)
        | Event::End => 0,
    }
}

#[cfg(test)]
mod tests;
