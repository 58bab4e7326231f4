//! `third_party`: the token that is monitored moves or burns what belongs to somebody who did not agree.

use super::case::Case;
use super::cover::Cover;
use super::lanes::{self, says};
use super::{Finding, authority, words};
use crate::evidence::Class;
use crate::evidence::transfers::{Asset, Transfer};
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, U256};
use std::collections::BTreeSet;

/// Movements that are looked at in one execution.
const MAX_TRANSFERS: usize = 64;
/// Numbers that fell, by account and call.
const MAX_FALLS: usize = 256;
/// Accounts whose balance is asked for, before and after.
const MAX_OWNERS: usize = 16;
/// Of a balance: what is divided by an index loses a little.
const ROUNDING: f64 = 0.000_1;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if !case.by_strangers() {
        return None;
    }
    let mut cover = Cover::default();
    let moved = told(case, &mut cover).or_else(|| untold(case, &mut cover))?;
    let says = match (moved.to.is_zero(), moved.to == moved.from) {
        (true, _) => "are burned".to_owned(),
        (_, true) => "are gone, and it says nothing of that".to_owned(),
        _ => format!("are moved to {}", moved.to),
    };
    Some(Finding {
        class: Class::Attack,
        weight: 0.85,
        severe: true,
        explanation: format!(
            "{} of {}, who neither called, signed nor allowed it to the caller, {says}",
            case.amount(moved.asset, moved.amount),
            moved.from,
        ),
        losses: vec![(moved.asset, moved.amount)],
    })
}

/// A movement that the token tells of in its events.
fn told(case: &Case, cover: &mut Cover) -> Option<Transfer> {
    let contract = case.contract.address;
    let own = case.effects.transfers.iter().filter(|moved| {
        of_it(case, moved)
            && !moved.from.is_zero()
            && moved.from != contract
            && !moved.amount.is_zero()
    });
    let mut own = own.take(MAX_TRANSFERS);
    let moved = own.find(|moved| {
        let entry = case.entries.inside(moved.frame);
        entry.is_some_and(|entry| taken(case, entry, moved.from)) && !cover.takes(case, moved)
    })?;
    Some(*moved)
}

/// What somebody has less of than the events say, where a number that the token keeps for them alone fell. It goes from them
/// to them: nobody says where.
fn untold(case: &Case, cover: &mut Cover) -> Option<Transfer> {
    let contract = case.contract.address;
    let keys = case.keys();
    let mut seen = BTreeSet::new();
    let fell = case.moves().iter().filter_map(|moved| {
        let fell = lanes::pairs(moved.before, moved.after).any(|(before, after)| after < before);
        let mut accounts = keys.accounts(moved.slot).filter(|_| fell);
        let owner = accounts.next().filter(|owner| *owner != contract)?;
        accounts.next().is_none().then_some((owner, moved.entry))
    });
    let fell = fell.filter(|one| seen.insert(*one)).take(MAX_FALLS);
    let fell = fell.filter(|(owner, entry)| taken(case, *entry, *owner));
    fell.take(MAX_OWNERS).find_map(|(owner, entry)| {
        let amount = missing(case, owner)?;
        let moved = Transfer {
            asset: Asset::Token(contract),
            from: owner,
            to: owner,
            amount,
            frame: entry,
        };
        (!cover.takes(case, &moved)).then_some(moved)
    })
}

fn of_it(case: &Case, moved: &Transfer) -> bool {
    let contract = case.contract.address;
    matches!(moved.asset, Asset::Token(token) | Asset::Unique(token, _) if token == contract)
}

/// What an account has less of than before, beyond what came and went by the events; `None` of what is rounded.
fn missing(case: &Case, owner: Address) -> Option<U256> {
    let views = case.effects.views;
    let balance = |when| views.balance(when, case.contract.address, owner);
    let (before, after) = (balance(When::Before)?, balance(When::After)?);
    let (mut due, mut had) = (before, after);
    for moved in case.effects.transfers.iter().filter(|one| of_it(case, one)) {
        if moved.to == owner {
            due = due.saturating_add(moved.amount);
        }
        if moved.from == owner {
            had = had.saturating_add(moved.amount);
        }
    }
    let missing = due.checked_sub(had)?;
    (words::share(missing, before) > ROUNDING).then_some(missing)
}

fn taken(case: &Case, entry: u32, owner: Address) -> bool {
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
