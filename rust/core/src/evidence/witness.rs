//! What a simulation read of the chain, as a capture keeps it: the same can be executed again without a node.

use super::failure::Failure;
use crate::tx::Extras;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One simulation's question and all that its answer hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedSimulation {
    /// The transaction's.
    pub hash: B256,
    /// Who signed it, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Address>,
    /// Why there was no simulation; then the rest is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What the execution read, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed: Option<Witness>,
    /// Why it was not found out in time whether a pause would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unasked: Option<String>,
    /// A block had it already: it was executed on the state before that one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mined: bool,
}

/// The block that it was executed in, and all that was read of the state: enough to execute it again, and for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    pub(crate) chain_id: u64,
    pub(crate) fork: String,
    pub(crate) number: U256,
    pub(crate) timestamp: U256,
    pub(crate) beneficiary: Address,
    pub(crate) gas_limit: u64,
    pub(crate) base_fee: u64,
    pub(crate) difficulty: U256,
    pub(crate) prev_randao: Option<B256>,
    pub(crate) excess_blob_gas: Option<u64>,
    pub(crate) blob_base_fee_update_fraction: Option<u64>,
    pub(crate) extras: Extras,
    /// Executed before it, in this order: their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) before: Vec<Before>,
    pub(crate) accounts: BTreeMap<Address, ReadAccount>,
    pub(crate) codes: BTreeMap<B256, Bytes>,
    pub(crate) block_hashes: BTreeMap<u64, B256>,
}

/// A transaction that was executed first: the capture has it, under this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub hash: B256,
    pub extras: Extras,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadAccount {
    pub(crate) balance: U256,
    pub(crate) nonce: u64,
    pub(crate) code_hash: B256,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) storage: BTreeMap<U256, U256>,
}
