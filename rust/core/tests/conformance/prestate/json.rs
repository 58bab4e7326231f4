//! The diff as geth's `prestateTracer` writes it.

use alloy_primitives::{Address, B256, U256};
use mempool_ids_core::simulate::evm::diff::{AccountDiff, StateDiff};
use revm::primitives::KECCAK_EMPTY;
use revm::state::AccountInfo;
use serde_json::{Map, Value, json};

/// What is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leave {
    pub code: bool,
    pub storage: bool,
    /// Accounts that did not exist, or had nothing: they are left out unless this is false.
    pub empty: bool,
}

/// Every account that was read, as it was before: what is needed to execute the transaction again.
pub fn prestate_json(diff: &StateDiff, leave: Leave) -> Value {
    let accounts = diff.0.iter().filter_map(|(address, account)| {
        let before = account.before.clone().unwrap_or_default();
        if leave.empty && before.is_empty() {
            return None;
        }
        let storage = account.storage.iter();
        let storage = storage.map(|(slot, (value, _))| (*slot, *value));
        Some(entry(address, whole(&before, storage, leave)))
    });
    Value::Object(accounts.collect())
}

/// The accounts that changed: `pre` as they were, with the slots that changed; `post` what is different.
pub fn diff_json(diff: &StateDiff, leave: Leave) -> Value {
    let (mut pre, mut post) = (Map::new(), Map::new());
    for (address, account) in diff.0.iter().filter(|(_, account)| account.changed()) {
        if let Some(before) = account.before.as_ref().filter(|info| !info.is_empty()) {
            let before = whole(before, slots_before(account), leave);
            pre.extend([entry(address, before)]);
        }
        if let Some(after) = &account.after {
            let before = account.before.clone().unwrap_or_default();
            let after = changes(&before, after, account, leave);
            post.extend([entry(address, after)]);
        }
    }
    json!({ "pre": pre, "post": post })
}

/// Slots to show of how it was: those that changed and were not zero, or all where it is gone.
fn slots_before(account: &AccountDiff) -> impl Iterator<Item = (U256, U256)> {
    let gone = account.after.is_none();
    let slots = account.storage.iter();
    slots
        .filter(move |(_, (before, after))| gone || (before != after && !before.is_zero()))
        .map(|(slot, (before, _))| (*slot, *before))
}

fn entry(address: &Address, account: Map<String, Value>) -> (String, Value) {
    (format!("{address:#x}"), Value::Object(account))
}

fn whole(
    info: &AccountInfo,
    storage: impl Iterator<Item = (U256, U256)>,
    leave: Leave,
) -> Map<String, Value> {
    let mut account = Map::new();
    account.insert("balance".into(), json!(info.balance));
    if info.nonce > 0 {
        account.insert("nonce".into(), json!(info.nonce));
    }
    if info.code_hash != KECCAK_EMPTY && !info.code_hash.is_zero() {
        put_code(&mut account, info, leave);
    }
    put_storage(&mut account, storage, leave);
    account
}

fn changes(
    before: &AccountInfo,
    after: &AccountInfo,
    account: &AccountDiff,
    leave: Leave,
) -> Map<String, Value> {
    let mut changed = Map::new();
    if before.balance != after.balance {
        changed.insert("balance".into(), json!(after.balance));
    }
    if before.nonce != after.nonce {
        changed.insert("nonce".into(), json!(after.nonce));
    }
    if before.code_hash != after.code_hash {
        put_code(&mut changed, after, leave);
    }
    let storage = account.storage.iter();
    let storage = storage
        .filter(|(_, (before, after))| before != after && !after.is_zero())
        .map(|(slot, (_, after))| (*slot, *after));
    put_storage(&mut changed, storage, leave);
    changed
}

fn put_code(account: &mut Map<String, Value>, info: &AccountInfo, leave: Leave) {
    account.insert("codeHash".into(), json!(info.code_hash));
    if let Some(code) = info.code.as_ref().filter(|_| !leave.code) {
        account.insert("code".into(), json!(code.original_bytes()));
    }
}

fn put_storage(
    account: &mut Map<String, Value>,
    storage: impl Iterator<Item = (U256, U256)>,
    leave: Leave,
) {
    let storage: Map<_, _> = storage
        .map(|(slot, value)| (B256::from(slot).to_string(), json!(B256::from(value))))
        .collect();
    if !storage.is_empty() && !leave.storage {
        account.insert("storage".into(), Value::Object(storage));
    }
}
