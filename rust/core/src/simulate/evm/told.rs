//! Accounts as nodes tell of them: prestate traces, diffs, proofs.

use alloy_primitives::map::HashMap;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use revm::bytecode::Bytecode;
use revm::primitives::KECCAK_EMPTY;
use revm::state::AccountInfo;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// An account as far as an answer tells of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ToldAccount {
    pub balance: Option<U256>,
    #[serde(deserialize_with = "nonce")]
    pub nonce: Option<u64>,
    pub code: Option<Bytes>,
    pub storage: HashMap<B256, B256>,
}

/// geth writes it as a number, others as a quantity.
fn nonce<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let told = Option::<U256>::deserialize(deserializer)?;
    Ok(told.map(|nonce| nonce.saturating_to()))
}

/// `prestateTracer`: all that a transaction read, as it was.
pub type Prestate = BTreeMap<Address, ToldAccount>;

/// `prestateTracer` with `diffMode`: what a transaction changed.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ToldDiff {
    pub pre: Prestate,
    pub post: Prestate,
}

/// `debug_traceBlockByHash` of diffs, in the block's order.
pub fn block_diffs(raw: &[u8]) -> Result<Vec<ToldDiff>, String> {
    #[derive(Deserialize)]
    struct Traced {
        result: ToldDiff,
    }
    let traced: Vec<Traced> = read(raw)?;
    Ok(traced.into_iter().map(|traced| traced.result).collect())
}

/// Which of these addresses a word of storage may hold: packed with other values they stand anywhere in it.
pub fn named_in(word: U256, addresses: &[Address]) -> impl Iterator<Item = Address> {
    let bytes = word.to_be_bytes::<32>();
    // Most words are small numbers.
    let addresses = match word.bit_len() > 128 {
        true => addresses,
        false => &[],
    };
    let names = move |address: &&Address| {
        let mut windows = bytes.windows(20);
        windows.any(|window| window == address.as_slice())
    };
    addresses.iter().filter(names).copied()
}

/// Any answer that is JSON of this shape; an error is a reason in words, without the input.
pub fn read<'a, T: Deserialize<'a>>(raw: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(raw).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("an answer of another shape, at line {line}, column {column}")
    })
}

impl ToldAccount {
    /// What a prestate tells is all there is: what it leaves out is zero.
    pub fn info(&self) -> (AccountInfo, Option<Bytecode>) {
        let code = self.code.as_ref().filter(|code| !code.is_empty());
        let info = AccountInfo {
            balance: self.balance.unwrap_or_default(),
            nonce: self.nonce.unwrap_or_default(),
            // Not what the node says it is.
            code_hash: code.map_or(KECCAK_EMPTY, keccak256),
            code: None,
            ..AccountInfo::default()
        };
        (info, code.map(|code| bytecode(code.clone())))
    }
}

/// Code as it is, a delegation (EIP-7702) where it is one. Whatever a node says is code is some code.
pub fn bytecode(code: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code))
}
