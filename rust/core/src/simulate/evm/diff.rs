//! What an execution changed, account by account.

use super::error::StateError;
use super::told::ToldDiff;
use alloy_primitives::{Address, U256};
use revm::DatabaseRef;
use revm::state::{Account, AccountInfo, EvmState};
use std::collections::BTreeMap;

/// Accounts that were read or changed, before and after.
#[derive(Debug, Clone, Default)]
pub struct StateDiff(pub BTreeMap<Address, AccountDiff>);

/// One account before and after; `None` where it did not exist, or does not any more.
#[derive(Debug, Clone)]
pub struct AccountDiff {
    pub before: Option<AccountInfo>,
    pub after: Option<AccountInfo>,
    /// Slots that were read or written: before and after.
    pub storage: BTreeMap<U256, (U256, U256)>,
}

impl AccountDiff {
    /// Wei by which its balance grew; 0 where it did not.
    pub fn gain(&self) -> U256 {
        self.balance_after().saturating_sub(self.balance_before())
    }

    /// Wei by which its balance fell; 0 where it did not.
    pub fn loss(&self) -> U256 {
        self.balance_before().saturating_sub(self.balance_after())
    }

    pub fn balance_before(&self) -> U256 {
        self.before.as_ref().map_or(U256::ZERO, |info| info.balance)
    }

    pub fn balance_after(&self) -> U256 {
        self.after.as_ref().map_or(U256::ZERO, |info| info.balance)
    }

    /// Whether anything is different.
    pub fn changed(&self) -> bool {
        self.before != self.after || self.storage.values().any(|(before, after)| before != after)
    }
}

impl StateDiff {
    /// `changes`: what an execution on `state` left, which holds all it read, too.
    ///
    /// # Errors
    /// Where the account's former self cannot be had; it has been read before, so a cache has it.
    pub fn between<S>(state: &S, changes: &EvmState) -> Result<Self, StateError>
    where
        S: DatabaseRef<Error = StateError>,
    {
        let mut diff = BTreeMap::new();
        for (address, account) in changes {
            let mut before = state.basic_ref(*address)?;
            if let Some(before) = &mut before {
                before.code = match before.code_hash == account.info.code_hash {
                    true => account.info.code.clone(),
                    false if before.is_empty_code_hash() => None,
                    false => Some(state.code_by_hash_ref(before.code_hash)?),
                };
            }
            let storage = account.storage.iter();
            let storage = storage
                .map(|(slot, value)| (*slot, (value.original_value, value.present_value)))
                .collect();
            let after = after(account, before.as_ref());
            diff.insert(
                *address,
                AccountDiff {
                    before,
                    after,
                    storage,
                },
            );
        }
        Ok(Self(diff))
    }

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

fn after(account: &Account, before: Option<&AccountInfo>) -> Option<AccountInfo> {
    if account.is_selfdestructed() {
        return None;
    }
    if !account.is_touched() {
        return before.cloned();
    }
    if before.is_none() && account.info.is_empty() {
        return None;
    }
    Some(account.info.clone())
}
