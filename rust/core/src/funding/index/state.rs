//! What is in the index.

use alloy_primitives::Address;
use serde::Serialize;

/// What came of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fed {
    /// It is in; so many blocks had left the chain and were undone.
    Added { records: usize, undone: u64 },
    /// It was in.
    Known,
    /// Later blocks are in, and money is followed forwards: left out.
    Behind,
}

/// Blocks that are in, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    pub first: u64,
    pub last: u64,
    /// Unix seconds of both.
    pub since: u64,
    pub until: u64,
}

/// What is in the index, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    pub chain_id: u64,
    pub records: u64,
    /// Ascending.
    pub blocks: Vec<Span>,
    /// Addresses of services, sorted.
    pub sources: Vec<Address>,
    /// Seconds of the longest window.
    pub longest_window: u64,
    /// The wrapped native asset, where it is known.
    pub wrapped: Option<Address>,
    /// Records that went before their time: the index was full, or their account had too many.
    pub evicted: u64,
    pub crowded_out: u64,
    /// Since it was opened: blocks left out, and blocks undone.
    pub behind: u64,
    pub undone: u64,
    /// Why it had to begin anew; the damaged file is beside it.
    pub rebuilt: Option<String>,
}
