//! The 22 transaction features. Order is the schema.

use crate::decode::{Decoded, Decoder};
use crate::tx::PendingTransaction;
use alloy_primitives::Address;
use std::sync::Arc;

pub const FEATURES: usize = 22;
/// Raise it whenever a formula, the order or a built-in pattern set behind a feature changes.
pub const SCHEMA_VERSION: u32 = 1;
pub type FeatureVector = [f32; FEATURES];
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

/// What one scan of a contract's runtime code tells. Push data is never read as opcodes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CodeFacts {
    pub size: u32,
    pub delegatecall: bool,
    pub known_proxy: bool,
    pub call_sites: u32,
    pub sload_sites: u32,
    pub sstore_sites: u32,
    /// PUSH4 constants, sorted, bounded.
    pub selectors: Vec<[u8; 4]>,
    /// PUSH20 constants (and PUSH32 with 12 zero bytes), sorted, bounded.
    pub addresses: Vec<Address>,
    pub created_at: Option<u64>,
}

impl CodeFacts {
    pub fn scan(_code: &[u8], _created_at: Option<u64>) -> Self {
        todo!()
    }
}

/// Four-byte selectors seen in public signature collections: part of the model's artifacts.
#[derive(Debug, Default)]
pub struct KnownSelectors {}

impl KnownSelectors {
    /// Little-endian-free format: sorted big-endian u32, 4 bytes each.
    pub fn from_bytes(_bytes: &[u8]) -> crate::error::Result<Self> {
        todo!()
    }
    pub fn contains(&self, _selector: [u8; 4]) -> bool {
        todo!()
    }
}

/// The chain as the features see it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChainView {
    /// Wei per gas; `None` before the first head (tip features then use a base fee of 0).
    pub next_base_fee: Option<u128>,
    pub block_number: Option<u64>,
}

/// Holds what features remember between transactions (fees, senders, targets): bounded, single-threaded, deterministic.
#[derive(Debug)]
pub struct Extractor {}

impl Extractor {
    /// `accounts` bounds the senders and targets remembered. `known_addresses`: monitored contracts, added to the built-in ones.
    pub fn new(_decoder: Arc<Decoder>, _known: Arc<KnownSelectors>, _known_addresses: &[Address], _accounts: usize) -> Self {
        todo!()
    }
    /// Features of `tx`, then remembers it.
    pub fn extract(&mut self, _tx: &PendingTransaction, _decoded: &Decoded, _code: Option<&CodeFacts>, _chain: &ChainView) -> FeatureVector {
        todo!()
    }
    /// Recomputes what depends on the callee's code when that arrives after the transaction.
    pub fn refresh_code(&self, _row: &mut FeatureVector, _tx: &PendingTransaction, _decoded: &Decoded, _code: &CodeFacts, _chain: &ChainView) {
        todo!()
    }
    /// Without memory: features 10, 11, 21 are MISSING, 20 by nonce alone. For training rows, which are no sequence.
    pub fn extract_isolated(&self, _tx: &PendingTransaction, _decoded: &Decoded, _code: Option<&CodeFacts>, _chain: &ChainView) -> FeatureVector {
        todo!()
    }
}
