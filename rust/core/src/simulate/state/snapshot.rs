//! The state at the head as one simulation reads it: what is known, else what a node answers.

use super::head::{BEACON_ROOTS, HISTORY, HeadBlock, HeadState, Moved, Place};
use crate::node::Asker;
use crate::simulate::evm::StateError;
use crate::simulate::evm::question::{ask, at};
use crate::simulate::evm::told::{bytecode, read};
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::primitives::KECCAK_EMPTY;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use std::cell::Cell;
use std::time::Instant;

/// Slots of the rings that system contracts write.
const SYSTEM_RING: u64 = 8_191;
/// Hashes of older blocks that one simulation may ask for.
const HASHES: u32 = 8;

/// Reads at one head. Where the head moves on meanwhile, every read fails with [`StateError::Moved`]: parts of two states
/// are no state.
pub struct Snapshot<'a> {
    state: &'a HeadState,
    block: &'a HeadBlock,
    /// It is the one before the head.
    is_parent: bool,
    /// Who is asked for what is not known, until when; nobody: it fails with [`StateError::Unknown`].
    asks: Option<(&'a Asker, Instant)>,
    /// Questions so far, and how many there may be.
    asked: Cell<usize>,
    most: usize,
    /// Hashes of older blocks asked for.
    hashes: Cell<u32>,
}

impl From<Moved> for StateError {
    fn from(_: Moved) -> Self {
        StateError::Moved
    }
}

impl<'a> Snapshot<'a> {
    pub fn new(
        state: &'a HeadState,
        block: &'a HeadBlock,
        asks: Option<(&'a Asker, Instant)>,
    ) -> Self {
        Self {
            state,
            block,
            is_parent: false,
            asks,
            asked: Cell::default(),
            most: usize::MAX,
            hashes: Cell::default(),
        }
    }

    /// Asks no more than `most` questions: more is [`StateError::Unforeseen`].
    pub fn asking_at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// At the block before the head, which `block` is then.
    pub fn at_parent(self, is_parent: bool) -> Self {
        Self { is_parent, ..self }
    }

    fn place(&self) -> Place<'a> {
        Place {
            hash: &self.block.hash,
            is_parent: self.is_parent,
        }
    }

    pub fn asked(&self) -> usize {
        self.asked.get()
    }

    fn ask(&self, questions: Vec<(&'static str, String)>) -> Result<Vec<Bytes>, StateError> {
        let (asker, deadline) = self.asks.ok_or(StateError::Unknown)?;
        if self.asked.get() >= self.most {
            return Err(StateError::Unforeseen);
        }
        self.asked.set(self.asked.get() + 1);
        ask(asker, questions, deadline)
    }
}

/// What the next block writes before its first transaction (EIP-4788, EIP-2935): without it, code could tell a simulation
/// from a block. Its beacon root is not known yet; any will do.
fn system_slot(block: &HeadBlock, address: Address, slot: U256) -> Option<U256> {
    let next = &block.next.block;
    let ring = U256::from(SYSTEM_RING);
    let time = next.timestamp % ring;
    match address {
        BEACON_ROOTS if block.next.fork >= SpecId::CANCUN && slot == time => Some(next.timestamp),
        BEACON_ROOTS if block.next.fork >= SpecId::CANCUN && slot == time + ring => {
            Some(keccak256(block.hash).into())
        }
        HISTORY if block.next.fork >= SpecId::PRAGUE && slot == U256::from(block.number) % ring => {
            Some(block.hash.into())
        }
        _ => None,
    }
}

fn told<'a, T: serde::Deserialize<'a>>(raw: &'a Bytes) -> Result<T, StateError> {
    read(raw).map_err(StateError::Node)
}

impl DatabaseRef for Snapshot<'_> {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        if let Some(info) = self.state.account(self.place(), &address)? {
            return Ok(Some(info));
        }
        let at = at(&self.block.hash);
        let params = format!(r#"["{address}",{at}]"#);
        let answers = self.ask(vec![
            ("eth_getBalance", params.clone()),
            ("eth_getTransactionCount", params.clone()),
            ("eth_getCode", params),
        ])?;
        let code: Bytes = told(&answers[2])?;
        let info = AccountInfo {
            balance: told(&answers[0])?,
            nonce: told::<U64>(&answers[1])?.to(),
            code_hash: match code.is_empty() {
                true => KECCAK_EMPTY,
                false => keccak256(&code),
            },
            code: None,
            ..AccountInfo::default()
        };
        let code = (!code.is_empty()).then(|| bytecode(code));
        self.state
            .learn(self.place(), address, info.clone(), code)?;
        Ok(Some(info))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        // Learnt with the account that has it; where memory ran out meanwhile both are learnt anew.
        self.state.code(&hash).ok_or(StateError::Moved)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        if let Some(value) = system_slot(self.block, address, slot) {
            return Ok(value);
        }
        if let Some(value) = self.state.slot(self.place(), &address, &slot)? {
            return Ok(value);
        }
        let at = at(&self.block.hash);
        let params = format!(r#"["{address}","{}",{at}]"#, B256::from(slot));
        let answers = self.ask(vec![("eth_getStorageAt", params)])?;
        let value = told::<U256>(&answers[0])?;
        self.state.learn_slot(self.place(), address, slot, value)?;
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        #[derive(serde::Deserialize)]
        struct Hashed {
            hash: B256,
        }
        // Variations go to blocks that are not there yet; and who asks for many would have us wait for each.
        if number > self.block.number || self.hashes.get() >= HASHES {
            return Ok(keccak256(number.to_be_bytes()));
        }
        if number == self.block.number {
            return Ok(self.block.hash);
        }
        if number + 1 == self.block.number {
            return Ok(self.block.parent);
        }
        self.hashes.set(self.hashes.get() + 1);
        let params = format!(r#"["{number:#x}",false]"#);
        let answers = self.ask(vec![("eth_getBlockByNumber", params)])?;
        Ok(told::<Hashed>(&answers[0])?.hash)
    }
}
