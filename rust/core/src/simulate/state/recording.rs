//! Writes down what is read of a state, so that the same can be executed again without it.

use super::RecordedState;
use crate::simulate::evm::StateError;
use alloy_primitives::{Address, B256, U256};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::state::AccountInfo;
use std::cell::RefCell;

/// A state, and all that was read of it.
pub struct Recording<S> {
    state: S,
    read: RefCell<RecordedState>,
}

impl<S> Recording<S> {
    pub fn new(state: S) -> Self {
        let read = RecordedState {
            strict: true,
            ..RecordedState::default()
        };
        Self {
            state,
            read: RefCell::new(read),
        }
    }

    pub fn state(&self) -> &S {
        &self.state
    }

    /// What was read; anything else is an error there.
    pub fn into_read(self) -> RecordedState {
        self.read.into_inner()
    }
}

impl<S: DatabaseRef<Error = StateError>> DatabaseRef for Recording<S> {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        let info = self.state.basic_ref(address)?;
        let mut read = self.read.borrow_mut();
        let account = read.accounts.entry(address).or_default();
        account.info = info.clone().unwrap_or_default();
        Ok(info)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        let code = self.state.code_by_hash_ref(hash)?;
        self.read.borrow_mut().codes.insert(hash, code.clone());
        Ok(code)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        let value = self.state.storage_ref(address, slot)?;
        let mut read = self.read.borrow_mut();
        let account = read.accounts.entry(address).or_default();
        account.storage.insert(slot, value);
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        let hash = self.state.block_hash_ref(number)?;
        self.read.borrow_mut().block_hashes.insert(number, hash);
        Ok(hash)
    }
}
