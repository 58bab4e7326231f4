//! What one contract's slots went through, call by call.

use super::Effects;
use super::entries::Entries;
use alloy_primitives::U256;
use std::collections::BTreeMap;

/// How one slot moved within one call into the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Move {
    pub slot: U256,
    /// The call into the contract.
    pub entry: u32,
    pub before: U256,
    pub after: U256,
}

/// Of every slot that calls which stand wrote, in the order of slots, then calls.
pub(super) fn moves(effects: &Effects, entries: &Entries) -> Vec<Move> {
    let contract = effects.contract.address;
    let execution = effects.execution;
    let Some(own) = execution.diff.0.get(&contract) else {
        return Vec::new();
    };
    let mut now: BTreeMap<U256, U256> = BTreeMap::new();
    let mut moves: BTreeMap<(U256, u32), (U256, U256)> = BTreeMap::new();
    for access in &execution.accesses {
        let stands = effects.stands.get(access.frame as usize) == Some(&true);
        let (Some(value), Some(entry)) = (access.writes, entries.inside(access.frame)) else {
            continue;
        };
        if access.contract != contract || !stands {
            continue;
        }
        let original = || own.storage.get(&access.slot).map(|(before, _)| *before);
        let value_now = now.entry(access.slot);
        let value_now = value_now.or_insert_with(|| original().unwrap_or_default());
        let (_, after) = moves
            .entry((access.slot, entry))
            .or_insert((*value_now, *value_now));
        (*after, *value_now) = (value, value);
    }
    let each = moves.into_iter();
    each.map(|((slot, entry), (before, after))| Move {
        slot,
        entry,
        before,
        after,
    })
    .collect()
}
