//! Accounts that keep a monitored contract's address in storage since a block of late, as its trace tells: a constructor may
//! have put it there.

use alloy_primitives::Address;
use std::collections::VecDeque;

/// Accounts remembered: as many as one block may tell of.
const NAMED: usize = 4_096;

#[derive(Debug, Default)]
pub struct Named(VecDeque<(Address, Address)>);

impl Named {
    /// Each account with the contract.
    pub fn add(&mut self, named: &[(Address, Address)]) {
        self.0.extend(named);
        let over = self.0.len().saturating_sub(NAMED);
        self.0.drain(..over);
    }

    /// The contracts that this one keeps.
    pub fn of(&self, account: &Address) -> impl Iterator<Item = Address> {
        let named = self.0.iter().filter(move |(of, _)| of == account);
        named.map(|(_, contract)| *contract)
    }
}
