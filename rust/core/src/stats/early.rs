//! What is counted of new contracts.

use super::Counter;
use serde_json::{Map, Value};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub struct EarlyStats {
    /// That were told of, and that were not, for want of room.
    pub deployments: Counter,
    pub deployments_dropped: Counter,
    /// Creations that failed; code too small to do harm; pending creations that could not be executed.
    pub deployments_failed: Counter,
    pub deployments_small: Counter,
    pub deployments_unexecuted: Counter,
    /// Contracts that the models gave no score, and those whose maker's money could not be looked up.
    pub scores_failed: Counter,
    pub fundings_failed: Counter,
    /// Blocks of whose contracts nothing is known, however often nodes were asked, and those that no trace told of, which shows less.
    pub blocks_unsurveyed: Counter,
    pub blocks_untraced: Counter,
    /// Detonations that came to their end, and what they called; those in which something was done, that met a guard, that are
    /// proof.
    pub detonated: Counter,
    pub calls: Counter,
    pub entered: Counter,
    pub guarded: Counter,
    pub proved: Counter,
    /// Proofs of contracts that are remembered no longer.
    pub proofs_lost: Counter,
    /// Contracts that were not called, for want of room, and those whose state could not be had.
    pub detonations_dropped: Counter,
    pub detonations_failed: Counter,
    /// Contracts whose first detonation is still to come.
    pub waiting: Counter,
    pub alerts: Counter,
    /// How blocks are told of.
    method: Mutex<Option<&'static str>>,
}

impl EarlyStats {
    pub fn told_by(&self, method: &'static str) {
        let mut last = self.method.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(method);
    }

    /// All by name.
    pub fn snapshot(&self) -> Map<String, Value> {
        let counters = [
            ("deployments", &self.deployments),
            ("deployments_dropped", &self.deployments_dropped),
            ("deployments_failed", &self.deployments_failed),
            ("deployments_small", &self.deployments_small),
            ("deployments_unexecuted", &self.deployments_unexecuted),
            ("scores_failed", &self.scores_failed),
            ("fundings_failed", &self.fundings_failed),
            ("blocks_unsurveyed", &self.blocks_unsurveyed),
            ("blocks_untraced", &self.blocks_untraced),
            ("detonated", &self.detonated),
            ("calls", &self.calls),
            ("entered", &self.entered),
            ("guarded", &self.guarded),
            ("proved", &self.proved),
            ("proofs_lost", &self.proofs_lost),
            ("detonations_dropped", &self.detonations_dropped),
            ("detonations_failed", &self.detonations_failed),
            ("waiting", &self.waiting),
            ("alerts", &self.alerts),
        ];
        let counters = counters.into_iter();
        let mut all: Map<_, _> = counters
            .map(|(name, counter)| (name.to_owned(), counter.get().into()))
            .collect();
        let method = *self.method.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert("method".into(), method.into());
        all
    }
}
