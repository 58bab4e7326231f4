//! The bounded channel to Python.

use crate::event::{Anomaly, AnomalyKind, Event};
use crate::stats::Stats;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Anomaly events of one kind per second; the counters count all.
const ANOMALIES_PER_SECOND: u32 = 10;

/// A replay waits for room; a live pipeline never waits for Python: what finds no room is lost and counted.
#[derive(Debug)]
pub struct Output {
    events: Sender<Event>,
    lossless: bool,
    stats: Arc<Stats>,
    window: Instant,
    in_window: [u32; AnomalyKind::ALL.len()],
}

impl Output {
    pub fn new(capacity: usize, lossless: bool, stats: Arc<Stats>) -> (Self, Receiver<Event>) {
        let (events, receiver) = bounded(capacity.max(1));
        let output = Self {
            events,
            lossless,
            stats,
            window: Instant::now(),
            in_window: Default::default(),
        };
        (output, receiver)
    }

    pub fn send(&mut self, event: Event) {
        if self.lossless {
            // Fails only where the receiver is gone, and with it everyone who could miss the event.
            let _ = self.events.send(event);
            return;
        }
        let lost = match &event {
            Event::Transactions(records) => records.len() as u64,
            _ => 1,
        };
        if self.events.try_send(event).is_err() {
            self.stats.dropped_events.add(lost);
        }
    }

    /// The end is never lost.
    pub fn end(&mut self) {
        let _ = self
            .events
            .send_timeout(Event::End, Duration::from_secs(60));
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
