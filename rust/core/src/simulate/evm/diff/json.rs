//! The diff as geth's `prestateTracer` writes it.

use super::{AccountDiff, StateDiff};
use crate::simulate::state::answers::ToldDiff;
use alloy_primitives::{Address, B256, U256};
use revm::primitives::KECCAK_EMPTY;
use revm::state::AccountInfo;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leave {
    pub code: bool,
    pub storage: bool,
    /// Accounts that did not exist, or had nothing: they are left out unless this is false.
    pub empty: bool,
}

impl StateDiff {
    /// Every account that was read, as it was before: what is needed to execute the transaction again.
    pub fn prestate_json(&self, leave: Leave) -> Value {
        let accounts = self.0.iter().filter_map(|(address, account)| {
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
    pub fn diff_json(&self, leave: Leave) -> Value {
        let (mut pre, mut post) = (Map::new(), Map::new());
        for (address, account) in self.0.iter().filter(|(_, account)| account.changed()) {
            if let Some(before) = account.before.as_ref().filter(|info| !info.is_empty()) {
                let before = whole(before, account.slots_before(), leave);
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
}

impl StateDiff {
    /// From a node's diff, which tells of what changed alone.
    pub fn of_told(told: ToldDiff) -> Self {
        let ToldDiff { pre, mut post } = told;
        let mut accounts = BTreeMap::new();
        for (address, before) in pre {
            let (info, _) = before.info();
            let after = post.remove(&address);
            let slots = before.storage.iter().map(|(slot, value)| {
                // One that became zero is told of as it was alone.
                let left = after.as_ref().and_then(|after| after.storage.get(slot));
                let left = left.copied().unwrap_or_default();
                ((*slot).into(), ((*value).into(), left.into()))
            });
            let mut storage: BTreeMap<_, _> = slots.collect();
            let after = after.map(|after| {
                for (slot, value) in &after.storage {
                    let changed = storage.entry((*slot).into());
                    changed.or_insert((U256::ZERO, (*value).into()));
                }
                AccountInfo {
                    balance: after.balance.unwrap_or(info.balance),
                    nonce: after.nonce.unwrap_or(info.nonce),
                    code_hash: match after.code {
                        Some(_) => after.info().0.code_hash,
                        None => info.code_hash,
                    },
                    ..AccountInfo::default()
                }
            });
            let before = Some(info);
            let account = AccountDiff {
                before,
                after,
                storage,
            };
            accounts.insert(address, account);
        }
        for (address, created) in post {
            let slots = created.storage.iter();
            let storage =
                slots.map(|(slot, value)| ((*slot).into(), (U256::ZERO, (*value).into())));
            let account = AccountDiff {
                before: None,
                storage: storage.collect(),
                after: Some(created.info().0),
            };
            accounts.insert(address, account);
        }
        Self(accounts)
    }
}

impl AccountDiff {
    /// Slots to show of how it was: those that changed and were not zero, or all where it is gone.
    fn slots_before(&self) -> impl Iterator<Item = (U256, U256)> {
        let gone = self.after.is_none();
        let slots = self.storage.iter();
        slots
            .filter(move |(_, (before, after))| gone || (before != after && !before.is_zero()))
            .map(|(slot, (before, _))| (*slot, *before))
    }
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
