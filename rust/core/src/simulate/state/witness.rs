//! From what a simulation read to the record of it, and back.

use super::recorded::{RecordedAccount, RecordedState};
use crate::evidence::witness::{Before, ReadAccount, Witness};
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::environment::set_excess_blob_gas;
use crate::simulate::evm::told::bytecode;
use crate::tx::Extras;
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;

impl Witness {
    pub fn new(
        environment: &Environment,
        state: RecordedState,
        extras: Extras,
        before: Vec<Before>,
    ) -> Self {
        let block = &environment.block;
        let accounts = state.accounts.into_iter().map(|(address, account)| {
            let RecordedAccount { info, storage } = account;
            let account = ReadAccount {
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
