//! Whom and what the contract knew before the transaction, by its storage and its code.

use super::case::Case;
use super::entries::account;
use super::lanes::{self, says};
use crate::evidence::transfers::Asset;
use alloy_primitives::Address;
use memchr::memmem;
use std::collections::BTreeSet;

/// The instruction that the pushes of more bytes follow.
const PUSH0: u8 = 0x5f;
/// Bytes behind an account's leading zeros: with fewer it is a number.
const LEAST: usize = 12;

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
    let frames = case.effects.execution.trace.frames.iter();
    let run = frames.filter(|frame| account(frame) == Some(contract));
    let run: BTreeSet<Address> = run.filter_map(|frame| frame.to).collect();
    let own = |code: &Address| {
        *code == contract || lanes::keeps(case.own(), *code) || code_names(case, contract, *code)
    };
    run.into_iter()
        .filter(own)
        .any(|code| code_names(case, code, named))
}

/// Whether the code of an account, as it was before, names another.
pub(super) fn code_names(case: &Case, code: Address, named: Address) -> bool {
    let account = case.effects.execution.diff.0.get(&code);
    let info = account.and_then(|account| account.before.as_ref());
    let code = info.and_then(|info| info.code.as_ref());
    code.is_some_and(|code| {
        let code = code.original_byte_slice();
        says(code, named) || pushes(code, named)
    })
}

/// Whether code puts an account that begins with zeros onto the stack without them, as compilers shorten constants.
fn pushes(code: &[u8], account: Address) -> bool {
    let zeros = account.iter().take_while(|byte| **byte == 0).count();
    let rest = &account[zeros..];
    if zeros == 0 || rest.len() < LEAST {
        return false;
    }
    let push = PUSH0 + u8::try_from(rest.len()).unwrap_or_default();
    memmem::find(code, &[&[push], rest].concat()).is_some()
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
