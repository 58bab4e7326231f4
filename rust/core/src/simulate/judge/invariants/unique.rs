//! Whose a unique token (ERC-721) was that left: the contract's own register says so, or it was sold.

use super::case::Case;
use super::exchange::brought;
use super::keys::Keys;
use super::knowledge::is_known;
use super::parties::parties;
use super::shortfalls::Shortfall;
use super::{dust, lanes};
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, U256};
use std::collections::{BTreeMap, BTreeSet};

/// Tokens that are looked up; of more of them nothing is known.
const MAX_NUMBERS: usize = 64;
/// Slots that are looked at.
const MAX_SLOTS: usize = 1_024;
/// Words of a structure that is a variable.
const STRUCTURE: u64 = 8;
/// An account has more bits than a number of coins, and beside it in a slot lie numbers smaller than hashes.
const ACCOUNT_BITS: usize = 128;
const BESIDE_BITS: usize = 80;

/// What the contract's storage said before the transaction of who a token is kept for.
#[derive(Debug, PartialEq, Eq)]
enum Register {
    /// For who gets it, or had it leave.
    Theirs,
    /// For these alone, and none of them is who gets it.
    Others(BTreeSet<Address>),
    Silent,
}

/// Whether what left was kept for who got it, or was paid for; `None` where its register is silent and nothing was paid: a
/// count of tokens may still account for it.
pub(super) fn accounts_for(case: &Case, loss: &Shortfall) -> Option<bool> {
    if loss.numbers.len() > MAX_NUMBERS {
        return Some(false);
    }
    let parties = parties(case, loss);
    let mut silent = false;
    for number in &loss.numbers {
        match register(case, loss, *number, &parties) {
            Register::Theirs => {}
            found => {
                let sellers = match found {
                    Register::Others(sellers) => sellers,
                    _ => BTreeSet::new(),
                };
                match (is_paid(case, loss, &sellers), sellers.is_empty()) {
                    (true, _) => {}
                    (false, true) => silent = true,
                    (false, false) => return Some(false),
                }
            }
        }
    }
    (!silent).then_some(true)
}

fn register(case: &Case, loss: &Shortfall, number: U256, parties: &BTreeSet<Address>) -> Register {
    let (Some(own), Asset::Token(token)) = (case.own(), loss.asset) else {
        return Register::Silent;
    };
    let keys = case.keys();
    // By structure.
    let mut entries: BTreeMap<U256, Entry> = BTreeMap::new();
    for (slot, (before, after)) in own.storage.iter().take(MAX_SLOTS) {
        let by_number = keyed_by(keys, *slot, number);
        if before.is_zero() || !by_number && !beside(case, *slot, number, token) {
            continue;
        }
        let start = keys
            .structure(*slot)
            .map_or(U256::ZERO, |structure| structure.start);
        let entry = entries.entry(start).or_default();
        entry.changed |= before != after;
        entry.theirs |= parties
            .iter()
            .any(|party| lanes::holds(*before, *party) || by_number && keys.names(*slot, *party));
        // A variable near by may name anybody.
        entry.others.extend(packed(*before).filter(|other| {
            keys.keyed(*slot)
                && !parties.contains(other)
                && *other != token
                && !has_code(case, *other)
        }));
    }
    let theirs = entries.values().any(|entry| entry.theirs);
    // Beside its owner others may be named, who keep what they are; where that changes too, it was theirs to give.
    let of_others = entries
        .into_values()
        .filter(|entry| !entry.theirs && (entry.changed || !theirs));
    let others: BTreeSet<Address> = of_others.flat_map(|entry| entry.others).collect();
    match (others.is_empty(), theirs) {
        (false, _) => Register::Others(others),
        (true, true) => Register::Theirs,
        (true, false) => Register::Silent,
    }
}

/// What one structure of the contract says of a token.
#[derive(Default)]
struct Entry {
    /// Names who gets it, or had it leave.
    theirs: bool,
    changed: bool,
    /// Accounts that are neither.
    others: BTreeSet<Address>,
}

fn keyed_by(keys: &Keys, slot: U256, number: U256) -> bool {
    let mut numbers = keys.numbers(slot);
    numbers.any(|key| U256::try_from_be_slice(key) == Some(number))
}

/// Whether a slot lies in a structure that holds the token's number: a loan's, which names the collection as well, or a
/// variable (an auction's). Anybody's number may be the same by chance in what is kept for many.
fn beside(case: &Case, slot: U256, number: U256, token: Address) -> bool {
    let Some(own) = case.own() else {
        return false;
    };
    let keys = case.keys();
    let words = |range| own.storage.range::<U256, std::ops::Range<U256>>(range);
    match keys.structure(slot) {
        Some(structure) => {
            let within = words(structure).map(|(_, (before, _))| *before);
            within.clone().any(|word| word == number)
                && within.clone().any(|word| lanes::holds(word, token))
        }
        None if keys.keyed(slot) => false,
        None => {
            let reach = U256::from(STRUCTURE);
            let range = slot.saturating_sub(reach)..slot.saturating_add(reach);
            words(range).any(|(_, (before, _))| *before == number)
        }
    }
}

/// The account that a slot may hold, alone or with smaller numbers above it.
fn packed(word: U256) -> impl Iterator<Item = Address> {
    let low: U256 = word << 96 >> 96;
    let beside: U256 = word >> 160;
    let is_account = low.bit_len() > ACCOUNT_BITS && beside.bit_len() <= BESIDE_BITS;
    is_account
        .then(|| Address::from_word(low.into()))
        .into_iter()
}

fn has_code(case: &Case, account: Address) -> bool {
    let known = case.effects.execution.diff.0.get(&account);
    let before = known.and_then(|known| known.before.as_ref());
    before.is_some_and(|info| !info.is_empty_code_hash())
}

/// Whether the contract, or whoever the token was kept for, is paid in the call in which it leaves, and by the contract's own
/// doing: what the buyer adds of himself is no price. What it is worth nobody knows; dust and what the contract does not
/// know is nothing.
fn is_paid(case: &Case, loss: &Shortfall, sellers: &BTreeSet<Address>) -> bool {
    let contract = case.contract.address;
    let paying = loss.paying(case.effects, &case.entries);
    let receives = |account: Address| match sellers.is_empty() {
        true => account == contract,
        false => sellers.contains(&account),
    };
    let paid = case.effects.transfers.iter().filter(|moved| {
        let entry = case.entries.inside(moved.frame);
        receives(moved.to)
            && moved.from != moved.to
            && !loss.is_of(moved.asset)
            && entry.is_some_and(|entry| paying.contains(&entry))
            && brought(case, moved)
    });
    let mut sums: BTreeMap<Asset, U256> = BTreeMap::new();
    for moved in paid {
        let sum = sums.entry(moved.asset).or_default();
        *sum = sum.saturating_add(moved.amount);
    }
    let kept = |asset: &Asset| {
        !sellers.is_empty() || case.gains().iter().any(|(gained, _)| gained == asset)
    };
    sums.into_iter().any(|(asset, sum)| {
        is_known(case, asset) && kept(&asset) && !dust::is_dust(case, asset, sum)
    })
}
