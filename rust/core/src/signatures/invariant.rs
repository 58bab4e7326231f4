//! Invariants that users write: what a view may not answer after a transaction, by what it answered before.

use alloy_primitives::{Bytes, U256};
use serde::Serialize;
use std::sync::Arc;

/// A view of a monitored contract, and how much its answer may change in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Invariant {
    /// Unique over all files.
    pub id: u32,
    pub name: Arc<str>,
    /// Name of the monitored contract it is for; `None`: all of them.
    pub contract: Option<Arc<str>>,
    /// As written: `sharePrice()`.
    pub call: Arc<str>,
    /// The call, encoded.
    pub data: Bytes,
    pub compare: Compare,
    pub threshold: Tolerance,
    /// 0 to 1: how likely it is an attack by this alone.
    pub weight: f32,
    /// 1 is worst, and alarms without a second sign; 4 least.
    pub severity: u8,
    pub reference: Vec<String>,
    pub enabled: bool,
    /// File it came from.
    pub file: Arc<str>,
}

/// Which way the answer may not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    Drop,
    Rise,
    /// Either.
    Change,
}

/// How far the answer may move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// Of the answer before; 0.001 is 0.1 %.
    Share(f64),
    Amount(U256),
}

impl Invariant {
    /// Whether an answer moved too far: strictly further than the threshold, in its direction.
    pub fn broken(&self, before: U256, after: U256) -> bool {
        let moved = match self.compare {
            Compare::Drop => before.saturating_sub(after),
            Compare::Rise => after.saturating_sub(before),
            Compare::Change => before.abs_diff(after),
        };
        match self.threshold {
            Tolerance::Amount(limit) => moved > limit,
            // From nothing to something is beyond every share.
            Tolerance::Share(_) if before.is_zero() => !moved.is_zero(),
            Tolerance::Share(share) => f64::from(moved) / f64::from(before) > share,
        }
    }
}
