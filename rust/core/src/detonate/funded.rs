//! A state on which some accounts can pay for their gas.

use crate::simulate::evm::StateError;
use alloy_primitives::{Address, B256, U256};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::state::AccountInfo;

/// The state behind it, and who has so many wei more there.
pub struct Funded<'a, S> {
    state: &'a S,
    more: Vec<(Address, U256)>,
}

impl<'a, S> Funded<'a, S> {
    pub fn new(state: &'a S) -> Self {
        Self {
            state,
            more: Vec::new(),
        }
    }

    pub fn give(&mut self, account: Address, wei: U256) {
        match self.more.iter_mut().find(|(known, _)| *known == account) {
            Some((_, more)) => *more = more.saturating_add(wei),
            None => self.more.push((account, wei)),
        }
    }
}

impl<S: DatabaseRef<Error = StateError>> DatabaseRef for Funded<'_, S> {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        let info = self.state.basic_ref(address)?;
        let Some((_, more)) = self.more.iter().find(|(account, _)| *account == address) else {
            return Ok(info);
        };
        let mut info = info.unwrap_or_default();
        info.balance = info.balance.saturating_add(*more);
        Ok(Some(info))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        self.state.code_by_hash_ref(hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.state.storage_ref(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        self.state.block_hash_ref(number)
    }
}
