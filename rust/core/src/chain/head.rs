//! What nodes tell of the chain: heads, blocks, reorgs, code.

use super::spec::ChainSpec;
use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

/// A new canonical head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub number: u64,
    pub hash: B256,
    pub parent: B256,
    /// Seconds, as the block says.
    pub timestamp: u64,
    /// Wei per gas of this block; `None` before London.
    pub base_fee: Option<u128>,
    pub gas_used: u64,
    pub gas_limit: u64,
    /// When the sensor heard of it: Unix milliseconds.
    pub seen_ms: u64,
}

impl Head {
    /// Wei per gas in the next block, by the chain's rule; 0 before London.
    pub fn next_base_fee(&self, chain: &ChainSpec) -> u128 {
        chain.next_base_fee(self.base_fee, self.gas_used, self.gas_limit, &[])
    }
}

/// A block's transactions, for following pending ones to their end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockContents {
    pub number: u64,
    pub hash: B256,
    pub transactions: Vec<MinedTransaction>,
}

impl BlockContents {
    /// Bytes that it holds beside its own fields, at the most.
    pub fn footprint(&self) -> usize {
        self.transactions.capacity() * size_of::<MinedTransaction>()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinedTransaction {
    pub hash: B256,
    pub from: Address,
    pub nonce: u64,
    #[serde(default)]
    pub to: Option<Address>,
    /// True where `to` is null: creates the contract at CREATE(from, nonce).
    pub creates: bool,
}

/// What a block's transactions did to monitored contracts, as its trace tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockChanges {
    pub number: u64,
    pub hash: B256,
    /// Transactions that changed some, by hash.
    pub touched: Vec<(B256, Vec<Address>)>,
    /// Accounts that have the address of a monitored contract in storage since; each with that one.
    pub named: Vec<(Address, Address)>,
}

impl BlockChanges {
    /// Bytes that it holds beside its own fields, at the most.
    pub fn footprint(&self) -> usize {
        let contracts = self
            .touched
            .iter()
            .map(|(_, contracts)| contracts.capacity());
        self.touched.capacity() * size_of::<(B256, Vec<Address>)>()
            + contracts.sum::<usize>() * size_of::<Address>()
            + self.named.capacity() * size_of::<(Address, Address)>()
    }
}

/// The answer of a background `eth_getCode`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeAnswer {
    pub address: Address,
    /// Empty for an account without code.
    pub code: Bytes,
    /// What its first slots hold, and the code that a clone, a proxy or a delegation runs: addresses in it are whom it calls.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub inside: Bytes,
    /// First block with this code, where it could be found.
    pub created_at: Option<u64>,
    /// It is still looked for: another answer follows.
    #[serde(default)]
    pub dating: bool,
}

fn is_empty(bytes: &Bytes) -> bool {
    bytes.is_empty()
}

/// The canonical chain changed below `common_ancestor + 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reorg {
    pub at_ms: u64,
    /// Blocks that left the canonical chain.
    pub depth: u64,
    pub old_head: B256,
    pub new_head: B256,
    pub number: u64,
}
