//! `third_party`: the token that is monitored moves or burns what belongs to somebody who did not agree.

use super::case::Case;
use super::lanes::{self, says};
use super::signed::Cover;
use super::{Finding, authority};
use crate::evidence::Class;
use crate::evidence::transfers::{Asset, Transfer};
use alloy_primitives::Address;

/// Movements that are looked at in one execution.
const MAX_TRANSFERS: usize = 64;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if !case.by_strangers() {
        return None;
    }
    let contract = case.contract.address;
    let own = case.effects.transfers.iter().filter(|moved| {
        let of_it = matches!(moved.asset, Asset::Token(token) | Asset::Unique(token, _) if token == contract);
        of_it && !moved.from.is_zero() && moved.from != contract && !moved.amount.is_zero()
    });
    let mut cover = Cover::default();
    let mut own = own.take(MAX_TRANSFERS);
    let moved = own.find(|moved| taken(case, moved) && !cover.takes(case, moved))?;
    Some(Finding {
        class: Class::Attack,
        weight: 0.85,
        severe: true,
        explanation: format!(
            "{} of {}, who neither called, signed nor allowed it to the caller, {}",
            case.amount(moved.asset, moved.amount),
            moved.from,
            match moved.to.is_zero() {
                true => "are burned".to_owned(),
                false => format!("are moved to {}", moved.to),
            },
        ),
        losses: vec![(moved.asset, moved.amount)],
    })
}

fn taken(case: &Case, moved: &Transfer) -> bool {
    let owner = moved.from;
    let Some(entry) = case.entries.inside(moved.frame) else {
        return false;
    };
    let call = &case.effects.execution.trace.frames[entry as usize];
    // What a token does by itself, to its pool and its collectors, nobody asked for by name.
    says(&call.input, owner)
        && case.callers(entry).all(|caller| caller != owner)
        && !allowed(case, entry, owner, call.from)
        && !authority::consulted(case, entry, owner, call.from)
        && authority::over_call(case, entry).is_none()
}

/// Whether the call looked up what the owner allowed the caller: of an amount, of all, or of one number.
fn allowed(case: &Case, entry: u32, owner: Address, caller: Address) -> bool {
    let execution = case.effects.execution;
    let contract = case.contract.address;
    let keys = case.keys();
    let own = case.own();
    execution.accesses.iter().any(|access| {
        access.contract == contract
            && case.entries.inside(access.frame) == Some(entry)
            && match keys.names(access.slot, owner) {
                true => keys.names(access.slot, caller),
                false => own.is_some_and(|own| {
                    let held = own.storage.get(&access.slot);
                    keys.keyed(access.slot)
                        && keys.accounts(access.slot).next().is_none()
                        && held.is_some_and(|(before, _)| lanes::holds(*before, caller))
                }),
            }
    })
}
