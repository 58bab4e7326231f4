//! What a simulation read, written down: the same can be executed again without a node.

use crate::simulate::evm::environment::set_excess_blob_gas;
use crate::simulate::evm::execute::Environment;
use crate::simulate::state::answers::bytecode;
use crate::simulate::state::{RecordedAccount, RecordedState};
use super::Failure;
use crate::tx::Extras;
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One simulation's question and all that its answer hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The transaction's.
    pub hash: B256,
    /// Why there was no simulation; then the rest is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed: Option<Executed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    chain_id: u64,
    fork: String,
    number: U256,
    timestamp: U256,
    beneficiary: Address,
    gas_limit: u64,
    base_fee: u64,
    difficulty: U256,
    prev_randao: Option<B256>,
    excess_blob_gas: Option<u64>,
    blob_base_fee_update_fraction: Option<u64>,
    extras: Extras,
    /// Executed before it, in this order: their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<Before>,
    accounts: BTreeMap<Address, Account>,
    codes: BTreeMap<B256, Bytes>,
    block_hashes: BTreeMap<u64, B256>,
}

/// A transaction that was executed first: the capture has it, under this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub hash: B256,
    pub extras: Extras,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    balance: U256,
    nonce: u64,
    code_hash: B256,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    storage: BTreeMap<U256, U256>,
}

impl Executed {
    pub fn new(
        environment: &Environment,
        state: RecordedState,
        extras: Extras,
        before: Vec<Before>,
    ) -> Self {
        let block = &environment.block;
        let accounts = state.accounts.into_iter().map(|(address, account)| {
            let RecordedAccount { info, storage } = account;
            let account = Account {
                balance: info.balance,
                nonce: info.nonce,
                code_hash: info.code_hash,
                storage: storage.into_iter().collect(),
            };
            (address, account)
        });
        let blobs = block.blob_excess_gas_and_price;
        let codes = state.codes.into_iter();
        Self {
            chain_id: environment.chain_id,
            fork: <&str>::from(environment.fork).to_owned(),
            number: block.number,
            timestamp: block.timestamp,
            beneficiary: block.beneficiary,
            gas_limit: block.gas_limit,
            base_fee: block.basefee,
            difficulty: block.difficulty,
            prev_randao: block.prevrandao,
            excess_blob_gas: blobs.map(|blobs| blobs.excess_blob_gas),
            blob_base_fee_update_fraction: environment.blob_base_fee_update_fraction,
            extras,
            before,
            accounts: accounts.collect(),
            codes: codes
                .map(|(hash, code)| (hash, code.original_bytes()))
                .collect(),
            block_hashes: state.block_hashes.into_iter().collect(),
        }
    }

    pub fn extras(&self) -> &Extras {
        &self.extras
    }

    pub fn before(&self) -> &[Before] {
        &self.before
    }

    /// # Errors
    /// In words: its rules are not known to this version.
    pub fn environment(&self) -> Result<Environment, String> {
        let fork = self.fork.parse::<SpecId>();
        let fork = fork.map_err(|_| "recorded under rules that are not known".to_owned())?;
        let mut block = BlockEnv {
            number: self.number,
            beneficiary: self.beneficiary,
            timestamp: self.timestamp,
            gas_limit: self.gas_limit,
            basefee: self.base_fee,
            difficulty: self.difficulty,
            prevrandao: self.prev_randao,
            ..BlockEnv::default()
        };
        let fraction = self.blob_base_fee_update_fraction.filter(|n| *n > 0);
        if let (Some(excess), Some(fraction)) = (self.excess_blob_gas, fraction) {
            set_excess_blob_gas(&mut block, excess, fraction);
        }
        Ok(Environment {
            chain_id: self.chain_id,
            fork,
            block,
            blob_base_fee_update_fraction: fraction,
        })
    }

    /// All that was read; anything else is an error there.
    pub fn state(&self) -> RecordedState {
        let accounts = self.accounts.iter().map(|(address, account)| {
            let info = AccountInfo {
                balance: account.balance,
                nonce: account.nonce,
                code_hash: account.code_hash,
                code: None,
                ..AccountInfo::default()
            };
            let storage = account.storage.iter().map(|(slot, value)| (*slot, *value));
            let storage = storage.collect();
            (*address, RecordedAccount { info, storage })
        });
        let codes = self.codes.iter();
        RecordedState {
            accounts: accounts.collect(),
            codes: codes
                .map(|(hash, code)| (*hash, bytecode(code.clone())))
                .collect(),
            block_hashes: self
                .block_hashes
                .iter()
                .map(|(n, hash)| (*n, *hash))
                .collect(),
            strict: true,
        }
    }
}
