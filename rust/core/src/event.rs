//! What leaves the core, in the order it happened. Python pulls these; nothing else crosses the boundary.

pub mod json;

use crate::chain::Reorg;
use crate::evidence::{
    Anomaly, Assessment, Breakdown, FeatureVector, Label, Outcome, ThreatDetection,
};
use crate::tx::PendingTransaction;
use std::time::Instant;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Subscribed at every endpoint that could be reached, or the replay was opened.
    Ready,
    /// A suspect is being simulated: an alert may follow within milliseconds, and who answers it can get ready. No more than
    /// a hint, and none where nobody answers.
    Stir,
    Detection(Box<ThreatDetection>),
    /// A contract that is new, with what is known of it so far, and which labels of its alerts hold no longer.
    Deployment(Box<Assessment>, Vec<Label>),
    Anomaly(Anomaly),
    Reorg(Reorg),
    /// A detected transaction reached its end.
    Outcome(Outcome),
    /// Every transaction (only with `emit = all`), in batches.
    Transactions(Vec<TransactionRecord>),
    /// The sensor fails: [`End`](Self::End) follows.
    Broken(Breakdown),
    /// The source ended (replay) or stopped; nothing follows.
    End,
}

/// One transaction as it was judged.
#[derive(Debug, Clone)]
pub struct TransactionRecord {
    pub tx: PendingTransaction,
    /// `None` where no model is loaded (`MempoolMonitor`).
    pub judged: Option<Judged>,
    /// When its frame was read, and when the last stage was done with it.
    pub arrived: Instant,
    pub finished: Instant,
}

#[derive(Debug, Clone, Copy)]
pub struct Judged {
    pub features: FeatureVector,
    pub probability: f32,
    pub score: f32,
}
