//! What one chain is: its rules, its fees, its pace. Data, not code: `data/chains/*.toml`, or a file of the user's.

use super::fees::BaseFee;
use super::forks::{Forks, HeaderFields, Rules};
use crate::error::{Error, Result};
use alloy_primitives::{Address, address};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// What comes with the core.
const BUILT_IN: [&str; 8] = [
    include_str!("../../data/chains/ethereum.toml"),
    include_str!("../../data/chains/sepolia.toml"),
    include_str!("../../data/chains/holesky.toml"),
    include_str!("../../data/chains/hoodi.toml"),
    include_str!("../../data/chains/bsc.toml"),
    include_str!("../../data/chains/polygon.toml"),
    include_str!("../../data/chains/base.toml"),
    include_str!("../../data/chains/arbitrum.toml"),
];

/// Milliseconds.
const DAY: u64 = 86_400_000;

/// See docs/operating.md for the keys of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainSpec {
    pub id: u64,
    pub name: String,
    /// Symbol of the native asset.
    pub native: String,
    /// Milliseconds from block to block.
    pub block_time_ms: u64,
    /// Whether nodes tell each other of pending transactions.
    #[serde(default = "yes")]
    pub public_pool: bool,
    /// EIP-2718 types that its pool takes; 0 is a legacy transaction. Its blocks may hold others, which are never pending.
    #[serde(default = "all_types")]
    pub transaction_types: Vec<u8>,
    /// Has built its blocks for years, so that it is no stranger to code that looks for one.
    #[serde(default = "known_builder")]
    pub builder: Address,
    /// When its rules changed.
    #[serde(default, skip_serializing)]
    pub forks: Forks,
    /// How the next base fee follows from a block. Absent: by nothing that a block tells; its own is the best guess.
    #[serde(default, skip_serializing)]
    pub base_fee: Option<BaseFee>,
}

impl ChainSpec {
    /// The chain's own, where the user gives no file; [`ChainSpec::unknown`] for one that has none here.
    ///
    /// # Errors
    /// [`Error::Config`], naming the file, and the line or key in it; [`Error::Io`].
    pub fn load(id: u64, file: Option<&Path>) -> Result<Arc<Self>> {
        let Some(path) = file else {
            return Ok(Arc::new(Self::of(id)));
        };
        let text = std::fs::read_to_string(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let wrong = |why: String| Error::Config(format!("chain.spec: {}: {why}", path.display()));
        let spec = Self::parse(&text).map_err(wrong)?;
        if spec.id != id {
            return Err(wrong(format!("id is {}, but chain.id is {id}", spec.id)));
        }
        Ok(Arc::new(spec))
    }

    /// The chain's own, or of one that is not known.
    pub fn of(id: u64) -> Self {
        let known = BUILT_IN.iter().map(|text| Self::parse(text));
        let known = known.map(|spec| spec.expect("tested"));
        let mut known = known.filter(|spec| spec.id == id);
        known.next().unwrap_or_else(|| Self::unknown(id))
    }

    /// Of a chain without a spec: its headers tell its rules, the rest is as on Ethereum.
    pub fn unknown(id: u64) -> Self {
        Self {
            id,
            name: format!("chain {id}"),
            native: "ETH".into(),
            block_time_ms: 12_000,
            public_pool: true,
            transaction_types: all_types(),
            builder: known_builder(),
            forks: Forks::Headers,
            base_fee: Some(BaseFee::ETHEREUM),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let spec: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let wrong = match &spec {
            spec if spec.id == 0 => "id: not 0",
            spec if !(1..=3_600_000).contains(&spec.block_time_ms) => {
                "block_time_ms: between 1 and 3600000"
            }
            spec if !named(&spec.name, 32) => "name: 1 to 32 printable characters",
            spec if !named(&spec.native, 12) => "native: 1 to 12 printable characters",
            spec if spec.transaction_types.is_empty() => "transaction_types: one at least",
            spec if spec.base_fee.is_some_and(|fee| !fee.is_valid()) => {
                "base_fee: elasticity between 1 and 64, denominator 1 at least"
            }
            _ => return Ok(spec),
        };
        Err(wrong.into())
    }

    /// Of its block with this number and time, in Unix seconds; `fields`: what its header has.
    pub fn rules(&self, number: u64, timestamp: u64, fields: HeaderFields) -> Rules {
        match &self.forks {
            Forks::Headers => Rules::of_header(fields),
            Forks::Schedule(schedule) => schedule.at(number, timestamp),
        }
    }

    /// Wei per gas in the block after one with these figures, 0 after one without a base fee; `extra`: its extra data, empty
    /// where it is not known.
    pub fn next_base_fee(
        &self,
        own: Option<u128>,
        gas_used: u64,
        gas_limit: u64,
        extra: &[u8],
    ) -> u128 {
        match (own, &self.base_fee) {
            (None, _) => 0,
            (Some(own), None) => own,
            (Some(own), Some(rule)) => rule.next(own, gas_used, gas_limit, extra),
        }
    }

    /// Unix seconds of the block after one at `own`, whose parent was at `before`: it comes as that one came, within what is
    /// usual. Blocks that are less than a second apart may share one.
    pub fn next_timestamp(&self, own: u64, before: Option<u64>) -> u64 {
        let usual = self.block_time_ms.div_ceil(1_000);
        let least = (self.block_time_ms / 1_000).min(1);
        let interval = before.map_or(usual, |before| own.saturating_sub(before));
        own.saturating_add(interval.clamp(least, usual))
    }

    /// Blocks in a day.
    pub fn blocks_a_day(&self) -> u64 {
        DAY / self.block_time_ms
    }

    /// Whether its pool may hold transactions of this type.
    pub fn takes(&self, tx_type: u8) -> bool {
        self.transaction_types.contains(&tx_type)
    }
}

fn named(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn yes() -> bool {
    true
}

fn all_types() -> Vec<u8> {
    vec![0, 1, 2, 3, 4]
}

/// Mainnet's best known.
fn known_builder() -> Address {
    address!("95222290dd7278aa3ddd389cc1e1d165cc4bafe5")
}

#[cfg(test)]
mod tests;
