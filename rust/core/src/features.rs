//! The 22 transaction features. Order is the schema.
//!
//! wᵢ are the 32-byte words after the selector, the last one padded with zeros as the EVM reads it; n is their count and L
//! the calldata's length in bytes. Words beyond [`MAX_WORDS`] and bytes beyond [`MAX_BYTES`] are not looked at: no
//! transaction of the public pool is longer. [`MISSING`] (−1) stands for what cannot be known:
//!
//! | # | feature | what the formula leaves open | missing |
//! |---|---|---|---|
//! | 1 | selector_entropy | | creation, L < 4 |
//! | 2 | unknown_function | the built-in table counts as known; L < 4 = 0 | creation |
//! | 3 | zero_address_param | embedded calls of known functions count; n = 0 = 0 | creation |
//! | 4 | max_uint_param | n = 0 = 0 | creation |
//! | 5, 6 | small, large_value_ratio | left-aligned: first byte not 0, last byte 0, not a power of two | creation, n = 0 |
//! | 7 | param_count | of a creation: its init code | never |
//! | 8 | param_complexity | entropy of all L bytes; an offset is valid if it is a multiple of 32, points to a later word, and that word is no more than the bytes after it; none in a creation | L = 0 |
//! | 9 | value_log | clipped at 30 | never |
//! | 10, 11 | tip_percentile, tip_anomaly | base fee 0 before the first head; the window excludes the transaction itself; ε = 10⁻⁹ | fewer than 32 transactions before it; isolated |
//! | 12 | gas_limit_log | clipped at 1 | gas = 0 |
//! | 13 | call_depth | a creation = 0 | never |
//! | 14–16 | delegatecall, external_calls, state_change | of a creation: its init code; no code, or no site = 0 | callee's code unknown |
//! | 17–19 | …_match | see `features/patterns.rs`; what the code would add is 0 while it is unknown | never |
//! | 20 | new_sender | "first seen" counts once memory reaches back 24 h (nonce 0: at once); isolated: nonce alone | never |
//! | 21 | timing_anomaly | Δt in ms, at least 1; μ, σ over the last 256 or so | creation, isolated, fewer than 8 Δt |
//! | 22 | callee_age | | creation block or head unknown |

mod accounts;
mod extract;
mod fees;
mod patterns;
mod payload;
#[cfg(test)]
mod tests;

pub use crate::decode::KnownSelectors;
pub use crate::evidence::{FEATURES, FeatureVector};
pub use extract::Extractor;
pub use payload::{MAX_BYTES, MAX_WORDS};

/// Raise it whenever a formula, the order or a built-in pattern set behind a feature changes.
pub const SCHEMA_VERSION: u32 = 1;
/// A feature that cannot be known.
pub const MISSING: f32 = -1.0;

pub const NAMES: [&str; FEATURES] = [
    "selector_entropy",
    "unknown_function",
    "zero_address_param",
    "max_uint_param",
    "small_value_ratio",
    "large_value_ratio",
    "param_count",
    "param_complexity",
    "value_log",
    "tip_percentile",
    "tip_anomaly",
    "gas_limit_log",
    "call_depth",
    "delegatecall",
    "external_calls",
    "state_change",
    "reentrancy_match",
    "flash_loan_match",
    "price_manipulation_match",
    "new_sender",
    "timing_anomaly",
    "callee_age",
];

/// The chain as the features see it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChainView {
    /// Wei per gas; `None` before the first head (tip features then use a base fee of 0).
    pub next_base_fee: Option<u128>,
    pub block_number: Option<u64>,
}
