//! What leaves the core, in the order it happened. Python pulls these; nothing else crosses the boundary.

pub mod wire;

use crate::evidence::ThreatDetection;
use crate::evidence::FeatureVector;
use crate::tx::PendingTransaction;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Subscribed at every endpoint that could be reached, or the replay was opened.
    Ready,
    Detection(Box<ThreatDetection>),
    Anomaly(Anomaly),
    Reorg(Reorg),
    /// A detected transaction reached its end.
    Outcome(Outcome),
    /// Every transaction (only with `emit = all`), in batches.
    Transactions(Vec<TransactionRecord>),
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

/// Malformed or impossible input: counted, reported at a bounded rate, never fatal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// Unix milliseconds.
    pub at_ms: u64,
    pub kind: AnomalyKind,
    /// Where it came from: a redacted endpoint, a file with a position, or a transaction hash.
    pub origin: String,
    /// For people; bounded in length, no raw input beyond a short prefix.
    pub reason: String,
}

/// Names of anomaly counters. The wire form is the snake_case name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum AnomalyKind {
    /// Not JSON, or JSON of another shape than JSON-RPC.
    MalformedFrame,
    /// A frame or line above the size limit.
    OversizedFrame,
    /// A transaction object with a missing, mistyped or out-of-range field.
    MalformedTransaction,
    /// An EIP-2718 type this version does not know.
    UnknownTransactionType,
    /// Calldata that its function's ABI cannot have produced, or that exceeds the decoding budget.
    MalformedCalldata,
    /// Recorded or sent hash is not the hash of the transaction.
    HashMismatch,
    /// Signed for another chain.
    WrongChain,
    /// A node answered with an error, or not at all.
    NodeError,
    /// A row or file of a capture that cannot be read.
    MalformedCapture,
    /// The model gave no answer: what it was asked about counts as detected.
    Inference,
    /// What was received could not be recorded.
    CaptureFailed,
}

impl AnomalyKind {
    pub const ALL: [AnomalyKind; 11] = [
        Self::MalformedFrame,
        Self::OversizedFrame,
        Self::MalformedTransaction,
        Self::UnknownTransactionType,
        Self::MalformedCalldata,
        Self::HashMismatch,
        Self::WrongChain,
        Self::NodeError,
        Self::MalformedCapture,
        Self::Inference,
        Self::CaptureFailed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::MalformedFrame => "malformed_frame",
            Self::OversizedFrame => "oversized_frame",
            Self::MalformedTransaction => "malformed_transaction",
            Self::UnknownTransactionType => "unknown_transaction_type",
            Self::MalformedCalldata => "malformed_calldata",
            Self::HashMismatch => "hash_mismatch",
            Self::WrongChain => "wrong_chain",
            Self::NodeError => "node_error",
            Self::MalformedCapture => "malformed_capture",
            Self::Inference => "inference",
            Self::CaptureFailed => "capture_failed",
        }
    }
}

/// The canonical chain changed below `common_ancestor + 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reorg {
    pub at_ms: u64,
    /// Blocks that left the canonical chain.
    pub depth: u64,
    pub old_head: B256,
    pub new_head: B256,
    pub number: u64,
}

/// How a detected pending transaction ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub at_ms: u64,
    pub hash: B256,
    #[serde(flatten)]
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Fate {
    Mined {
        block: u64,
    },
    /// Another transaction of the same sender and nonce took its place.
    Replaced {
        by: B256,
    },
    /// Not heard of for the tracking time; it can still be mined after that.
    Dropped,
    /// Its block left the canonical chain: it is pending again.
    Reorged,
}
