//! What leaves monitored contracts and nothing accounts for: too little by itself for an alert, and more with the next one.

use super::transfers::Asset;
use alloy_primitives::U256;
use std::sync::Arc;

/// What one transaction takes of one asset, and neither books nor authority account for.
#[derive(Debug, Clone, PartialEq)]
pub struct Unaccounted {
    /// The monitored contract's name.
    pub contract: Arc<str>,
    pub asset: Asset,
    /// Smallest units.
    pub amount: U256,
    /// What the contract had of it before.
    pub before: U256,
    /// More than usual leaves at once: what is small with others is not made an alert by it.
    pub large: bool,
    /// The share of that above which it is an alert together with what others take, 0 to 1.
    pub limit: f64,
}

/// What others take of one asset of one contract, pending or in the last blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    pub contract: Arc<str>,
    pub asset: Asset,
    /// Smallest units, of all together.
    pub amount: U256,
    /// The most that the contract had of it before any of them.
    pub before: U256,
    /// How many transactions.
    pub count: usize,
}

impl Unaccounted {
    /// Whether what another transaction takes is summed up with it.
    pub fn counts(&self, other: &Self) -> bool {
        let same = self.contract == other.contract && self.asset == other.asset;
        same && (self.large || !other.large)
    }

    /// The share that leaves with what others take.
    pub fn share(&self, others: &Taken) -> f64 {
        let amount = self.amount.saturating_add(others.amount);
        let before = self.before.max(others.before);
        (f64::from(amount) / f64::from(before).max(1.0)).min(1.0)
    }

    /// Whether that is too much.
    pub fn exceeds(&self, others: &Taken) -> bool {
        let same = self.contract == others.contract && self.asset == others.asset;
        same && self.share(others) > self.limit
    }
}
