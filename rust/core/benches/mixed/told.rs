//! Accounts as a node's `prestateTracer` tells of them.

use crate::mainnet::{RecordedBlock, bounds};
use alloy_primitives::{B256, Bytes, U256};
use mempool_ids_core::simulate::evm::execute::{Checks, Sandbox};
use mempool_ids_core::simulate::state::{RecordedAccount, RecordedState};
use serde_json::{Map, Value, json};

/// All of a state.
pub fn prestate(state: &RecordedState) -> Value {
    let accounts = state.accounts.iter().map(|(address, account)| {
        let code = state.codes.get(&account.info.code_hash);
        let code = code.map(|code| Bytes::copy_from_slice(code.original_byte_slice()));
        let mut told = told(account, account.storage.keys());
        told["code"] = json!(code);
        (address.to_string(), told)
    });
    Value::Object(accounts.collect())
}

/// What the block's transactions changed (`diffMode`, `disableCode`), but that they left it as it was before the block: so that a state
/// which is carried over this stays what it is, at the cost of the real changes. What the block created is left out.
pub fn changes(block: &RecordedBlock) -> Vec<Value> {
    let mut sandbox = Sandbox::new(&block.state, &block.environment);
    let changes = block.transactions.iter().map(|(_, _, transaction)| {
        let done = sandbox.execute(transaction.clone(), Checks::Consensus, bounds());
        let (mut pre, mut post) = (Map::new(), Map::new());
        for (address, changed) in done.diff.0.iter().filter(|(_, account)| account.changed()) {
            let Some(account) = block.state.accounts.get(address) else {
                continue;
            };
            let slots = changed.storage.iter();
            let slots = slots.filter(|(_, (before, after))| before != after);
            let account = told(account, slots.map(|(slot, _)| slot));
            pre.insert(address.to_string(), account.clone());
            post.insert(address.to_string(), account);
        }
        json!({"result": {"pre": pre, "post": post}})
    });
    changes.collect()
}

fn told<'a>(account: &RecordedAccount, slots: impl Iterator<Item = &'a U256>) -> Value {
    let value = |slot| account.storage.get(slot).copied().unwrap_or_default();
    let storage: Map<_, _> = slots
        .map(|slot| {
            (
                B256::from(*slot).to_string(),
                json!(B256::from(value(slot))),
            )
        })
        .collect();
    json!({
        "balance": account.info.balance,
        "nonce": account.info.nonce,
        "storage": storage,
    })
}
