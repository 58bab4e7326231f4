//! A state somebody wrote down: a fixture, a prestate trace, a capture.

use crate::simulate::evm::StateError;
use alloy_primitives::map::{AddressMap, B256Map, HashMap};
use alloy_primitives::{Address, B256, U256};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::state::AccountInfo;

/// Accounts by address. What is not there does not exist, or is an error where the record is of what was read alone.
#[derive(Debug, Clone, Default)]
pub struct RecordedState {
    pub accounts: AddressMap<RecordedAccount>,
    /// One that is missing is an error.
    pub codes: B256Map<Bytecode>,
    /// One that is missing is an error: of those that code can ask for, none is empty.
    pub block_hashes: HashMap<u64, B256>,
    /// An account or slot that is missing is an error, too, instead of empty.
    pub strict: bool,
}

#[derive(Debug, Clone, Default)]
pub struct RecordedAccount {
    /// Its code is among the state's, by hash.
    pub info: AccountInfo,
    pub storage: HashMap<U256, U256>,
}

impl DatabaseRef for RecordedState {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        match self.accounts.get(&address) {
            Some(account) => Ok(Some(account.info.clone())),
            None if self.strict => Err(StateError::NoAccount(address)),
            None => Ok(None),
        }
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        self.codes
            .get(&hash)
            .cloned()
            .ok_or(StateError::NoCode(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        let account = self.accounts.get(&address);
        match account.and_then(|account| account.storage.get(&slot)) {
            Some(value) => Ok(*value),
            None if self.strict => Err(StateError::NoSlot(address, slot)),
            None => Ok(U256::ZERO),
        }
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        let hash = self.block_hashes.get(&number).copied();
        hash.ok_or(StateError::NoBlockHash(number))
    }
}
