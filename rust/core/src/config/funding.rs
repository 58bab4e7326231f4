//! Where the funding index is, and what counts as funding.

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FundingConfig {
    pub chain_id: u64,
    /// Of the index; created where there is none.
    pub path: PathBuf,
    /// More services, or others, of the user's: a file in the form of `data/funding_sources.csv`.
    #[serde(default)]
    pub sources: Option<PathBuf>,
    /// Hours by service, instead of what its rows say.
    #[serde(default)]
    pub windows: BTreeMap<String, u64>,
    /// The wrapped native asset, instead of the chain's own in `data/funding_assets.csv`.
    #[serde(default)]
    pub wrapped: Option<Address>,
    /// Less than this is no funding; smallest units of the native asset, instead of the chain's own.
    #[serde(default)]
    pub least: Option<U256>,
    #[serde(default)]
    pub limits: FundingLimits,
}

/// Bounds of what can grow, and what counts as one account's purse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FundingLimits {
    /// Of the index; some 400 bytes each. What would be forgotten first goes first.
    pub records: u64,
    /// Of one account. Above it, what says least goes first.
    pub per_account: usize,
    /// An account passes money on so many times within a window; who does it more often is a business, whose customers have
    /// nothing to do with where its money is from.
    pub spread: usize,
}

impl Default for FundingLimits {
    fn default() -> Self {
        Self {
            records: 500_000,
            per_account: 32,
            spread: 64,
        }
    }
}
