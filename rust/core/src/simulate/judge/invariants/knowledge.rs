//! Whom and what the contract knew before the transaction, by its storage and its code.

use super::case::Case;
use super::{codes, lanes};
use crate::evidence::transfers::Asset;
use alloy_primitives::Address;
use std::collections::BTreeSet;

/// Whether a variable of the contract, or its code, named an account before, and the transaction did not write it.
pub(super) fn names(case: &Case, account: Address) -> bool {
    case.names(account, || {
        in_variable(case, account) || in_code(case, account)
    })
}

fn in_variable(case: &Case, account: Address) -> bool {
    lanes::kept(case.own(), account).any(|slot| !case.keys().keyed(slot) && case.looked_up(slot))
}

/// In its own code, or in code that runs as it and that its storage or its own code names: what anybody has it run names
/// whom they like.
fn in_code(case: &Case, named: Address) -> bool {
    let contract = case.contract.address;
    let own = |code: &Address| {
        *code == contract
            || lanes::kept(case.own(), *code).any(|slot| case.looked_up(slot))
            || codes::name(case.effects, contract, *code)
    };
    codes::run_as(case.effects, contract)
        .into_iter()
        .filter(own)
        .any(|code| codes::name(case.effects, code, named))
}

/// Whether anything of the contract, storage or code, held an account before the transaction and still does.
pub(super) fn mentions(case: &Case, account: Address) -> bool {
    lanes::keeps(case.own(), account) || names(case, account)
}

/// Whether an asset is one that the contract knew: it names it, or keeps books by it.
pub(super) fn owns(case: &Case, asset: Asset) -> bool {
    let (Asset::Token(token) | Asset::Unique(token, _)) = asset else {
        return true;
    };
    let contract = case.contract;
    let mut slots = case.own().into_iter().flat_map(|own| own.storage.keys());
    token == contract.address
        || contract.assets.contains(&asset)
        || mentions(case, token)
        || slots.any(|slot| case.keys().names(*slot, token))
}

/// Whether the contract named an asset before; a mapping that has nothing for it may be asked for any.
pub(super) fn is_known(case: &Case, asset: Asset) -> bool {
    let (Asset::Token(token) | Asset::Unique(token, _)) = asset else {
        return true;
    };
    let mut slots = case.own().into_iter().flat_map(|own| &own.storage);
    case.contract.assets.contains(&asset)
        || mentions(case, token)
        || slots.any(|(slot, (before, _))| !before.is_zero() && case.keys().names(*slot, token))
}

/// Whose storage may say what the contract owes: its own, and that of those it names, who call it or are called. Not the
/// asset's: there everybody has what they have.
pub(super) fn book_keepers(case: &Case, asset: Asset) -> BTreeSet<Address> {
    let frames = &case.effects.execution.trace.frames;
    let callers = case.entries.all();
    let callers = callers.map(|entry| frames[entry as usize].from);
    let others: BTreeSet<Address> = callers.chain(case.called()).collect();
    let kept = |account: &Address| {
        *account != case.effects.sender
            && asset != Asset::Token(*account)
            && mentions(case, *account)
    };
    let mut keepers: BTreeSet<_> = others.into_iter().filter(kept).collect();
    keepers.insert(case.contract.address);
    keepers
}
