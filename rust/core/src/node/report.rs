//! What the source has to say besides transactions: items that must not be lost, and anomalies at a bounded rate.

use super::transport::Arrival;
use crate::evidence::{Anomaly, AnomalyKind};
use crate::inbox::Item;
use crate::inbox::queue::{Closed, ItemSender};
use crate::stats::Stats;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Anomalies that wait for the queue; further ones are only counted.
const WAITING: usize = 1024;
/// One anomaly of a kind and origin in this time; the next one says how many were left out.
const INTERVAL: Duration = Duration::from_secs(1);

/// Puts `item` into the queue however long it takes, without blocking the thread.
pub async fn emit(items: &ItemSender, mut item: Item) -> Result<(), Closed> {
    while let Some(back) = items.try_send(item)? {
        item = back;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Anomalies come from code that cannot wait; they are put down here and delivered by a task of their own.
#[derive(Default)]
pub struct Outbox {
    waiting: RefCell<VecDeque<Anomaly>>,
    filled: Notify,
}

impl Outbox {
    fn put(&self, anomaly: Anomaly) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < WAITING {
            waiting.push_back(anomaly);
            self.filled.notify_one();
        }
    }

    /// Delivers what is there now.
    pub async fn flush(&self, items: &ItemSender) -> Result<(), Closed> {
        loop {
            let Some(anomaly) = self.waiting.borrow_mut().pop_front() else {
                return Ok(());
            };
            emit(items, Item::Anomaly(anomaly)).await?;
        }
    }

    /// Delivers until the pipeline is gone.
    pub async fn deliver(&self, items: &ItemSender) {
        while self.flush(items).await.is_ok() {
            self.filled.notified().await;
        }
    }
}

/// When an anomaly of one kind was told, and how many were not since.
#[derive(Clone, Copy, Default)]
struct Told {
    last: Option<Instant>,
    left_out: u64,
}

/// Counts and tells the anomalies of one origin.
pub struct Reporter {
    outbox: Rc<Outbox>,
    stats: Arc<Stats>,
    origin: String,
    told: [Cell<Told>; AnomalyKind::ALL.len()],
}

impl Reporter {
    /// `origin`: a redacted endpoint.
    pub fn new(outbox: Rc<Outbox>, stats: Arc<Stats>, origin: String) -> Self {
        Self {
            outbox,
            stats,
            origin,
            told: Default::default(),
        }
    }

    /// Counts always, tells at most once a second per kind.
    pub fn report(&self, kind: AnomalyKind, reason: &str) {
        let told = &self.told[kind as usize];
        let Told { last, left_out } = told.get();
        let now = Instant::now();
        if last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            self.stats.anomalies.add(kind);
            told.set(Told {
                last,
                left_out: left_out + 1,
            });
            return;
        }
        told.set(Told {
            last: Some(now),
            left_out: 0,
        });
        match left_out {
            0 => self.tell(kind, reason.to_owned()),
            n => self.tell(kind, format!("{reason} (and {n} more since the last)")),
        }
    }

    /// Counts and tells: for what is said once.
    pub fn tell(&self, kind: AnomalyKind, reason: String) {
        self.stats.anomalies.add(kind);
        self.outbox.put(Anomaly {
            at_ms: Arrival::now().unix_ms,
            kind,
            origin: self.origin.clone(),
            reason,
        });
    }
}
