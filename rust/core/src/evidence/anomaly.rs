//! What cannot be what it claims to be: attackers send garbage on purpose.

use schemars::JsonSchema;
use serde::Serialize;

/// Malformed or impossible input: counted, reported at a bounded rate, never fatal.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "anomaly_kind")]
#[repr(u8)]
pub enum AnomalyKind {
    /// Not JSON, or JSON of another shape than JSON-RPC.
    MalformedFrame,
    /// A frame or line above the size limit.
    OversizedFrame,
    /// A transaction object with a missing, mistyped or out-of-range field.
    MalformedTransaction,
    /// An EIP-2718 type that this version does not know, or that the chain's pool does not take.
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
    /// The defense cannot do what it is there for. Told by Python, which counts it.
    Defense,
}

impl AnomalyKind {
    pub const ALL: [AnomalyKind; 12] = [
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
        Self::Defense,
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
            Self::Defense => "defense",
        }
    }
}
