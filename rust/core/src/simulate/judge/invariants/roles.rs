//! What the contract keeps of who may call it: a yes, or a short list.

use super::case::Case;
use super::keys;
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, U256};

/// Owners of a wallet; lists that anybody may enter grow longer.
const SHORT: U256 = U256::from_limbs([32, 0, 0, 0]);

/// Whether a call that may change something looked up a yes for its caller; having one of something is none.
pub(super) fn has_role(case: &Case, entry: u32, caller: Address) -> bool {
    let execution = case.effects.execution;
    let contract = case.contract.address;
    let yes = (U256::ONE, U256::ONE);
    let looked_up = execution.accesses.iter().any(|access| {
        access.contract == contract
            && case.entries.inside(access.frame) == Some(entry)
            && case
                .own()
                .is_some_and(|own| own.storage.get(&access.slot) == Some(&yes))
            && case.keys().accounts(access.slot).count() == 1
            && case.keys().names(access.slot, caller)
    });
    case.acts(entry) && looked_up && !has(case, caller, U256::ONE)
}

/// Whether a call that may change something went through a short list, as it was before, and found its caller: a wallet's
/// owners. Not by code that was handed to it: that reads what it likes.
pub(super) fn listed(case: &Case, entry: u32, caller: Address) -> bool {
    let Some(own) = case.own() else {
        return false;
    };
    let as_before = |slot: &U256| {
        let kept = own
            .storage
            .get(slot)
            .filter(|(before, after)| before == after);
        kept.map(|(before, _)| *before)
    };
    let mut accesses = case.effects.execution.accesses.iter();
    case.acts(entry)
        && accesses.any(|access| {
            let short = |place| as_before(&place).is_some_and(|length| length <= SHORT);
            access.contract == case.contract.address
                && access.frame == entry
                && as_before(&access.slot)
                    .is_some_and(|value| keys::account(&value.to_be_bytes::<32>()) == Some(caller))
                && case.keys().list(access.slot).is_some_and(short)
        })
}

/// Whether all that it looked up for accounts is a yes: a wallet of several, and no books of anybody's, where a yes may be
/// that of a user.
pub(super) fn keeps_roles_alone(case: &Case) -> bool {
    let yes = (U256::ONE, U256::ONE);
    let mut slots = case.own().into_iter().flat_map(|own| &own.storage);
    slots.all(|(slot, values)| *values == yes || case.keys().accounts(*slot).next().is_none())
}

/// Whether an account has so much of the contract.
pub(super) fn has(case: &Case, account: Address, amount: U256) -> bool {
    let views = case.effects.views;
    views.balance(When::Before, case.contract.address, account) == Some(amount)
}
