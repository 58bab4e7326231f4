//! What is looked for in new contracts, and what calling them may take.

use super::FundingConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyConfig {
    /// Hints are events, too.
    #[serde(default)]
    pub beta: bool,
    /// Instead of the model's for this chain.
    #[serde(default)]
    pub high_recall: Option<f32>,
    #[serde(default)]
    pub high_precision: Option<f32>,
    /// Absent: nobody knows whose money an account has.
    #[serde(default)]
    pub funding: Option<FundingConfig>,
    /// List of known attackers.
    #[serde(default)]
    pub labels: Option<PathBuf>,
    /// Absent: nothing is called.
    #[serde(default)]
    pub detonation: Option<DetonationConfig>,
}

/// What calling new contracts may take.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetonationConfig {
    /// Of one contract on one head: calls, the gas of all together, and milliseconds.
    pub calls: usize,
    pub gas: u64,
    pub contract_ms: u64,
    /// Of all contracts on one head.
    pub head_ms: u64,
    /// Contracts that are called again with each head, and for how many heads.
    pub contracts: usize,
    pub young_blocks: u64,
}

impl Default for DetonationConfig {
    fn default() -> Self {
        Self {
            calls: 512,
            gas: 200_000_000,
            contract_ms: 100,
            head_ms: 1_000,
            contracts: 256,
            young_blocks: 300,
        }
    }
}
