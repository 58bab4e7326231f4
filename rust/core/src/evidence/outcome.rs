//! What became of a detected transaction.

use alloy_primitives::B256;

/// How a detected pending transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub at_ms: u64,
    pub hash: B256,
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
