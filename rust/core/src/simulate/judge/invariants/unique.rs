//! Whose a unique token (ERC-721) was that left: the contract's own register says so, or it was sold.

use super::case::Case;
use super::exchange::brought;
use super::keys::Keys;
use super::knowledge::is_known;
use super::parties::parties;
use super::shortfalls::{Shortfall, collection};
use super::{dust, lanes};
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, U256};
use std::collections::{BTreeMap, BTreeSet};

/// Tokens that are looked up.
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

/// What the contract and the call say of all that left of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It was kept for who got it, or whom it was kept for was paid.
    Theirs,
    /// Some of it was kept for others, who got nothing.
    Others,
    /// Some is kept for nobody that is known. A count of tokens may still account for it, or somebody's authority.
    Silent,
    /// So it is, but the contract was paid for each. What it is worth nobody knows.
    Bought,
    /// As far as it was looked up it was kept for who got it.
    Beyond,
}

pub(super) fn told(case: &Case, loss: &Shortfall) -> Told {
    let parties = parties(case, loss);
    let mut silent = 0;
    let mut sold: BTreeMap<BTreeSet<Address>, usize> = BTreeMap::new();
    for number in loss.numbers.iter().take(MAX_NUMBERS) {
        match register(case, loss, *number, &parties) {
            Register::Theirs => {}
            Register::Others(sellers) => *sold.entry(sellers).or_default() += 1,
            Register::Silent => silent += 1,
        }
    }
    let paid = |sellers: &BTreeSet<Address>| {
        let of_theirs = sold.iter().filter(|(of, _)| !of.is_disjoint(sellers));
        is_paid(case, loss, sellers, of_theirs.map(|(_, times)| times).sum())
    };
    let beyond = loss.numbers.len().saturating_sub(MAX_NUMBERS);
    let shop = BTreeSet::from([case.contract.address]);
    match (sold.keys().all(paid), silent, beyond) {
        (false, _, _) => Told::Others,
        (true, 0, 0) => Told::Theirs,
        (true, 0, _) => Told::Beyond,
        _ if is_paid(case, loss, &shop, silent + beyond) => Told::Bought,
        _ => Told::Silent,
    }
}

/// Whether the contract was paid for all of it, whatever it is worth.
pub(super) fn is_bought(case: &Case, loss: &Shortfall) -> bool {
    let unique = !loss.numbers.is_empty() && case.effects.execution.watched;
    unique && told(case, loss) == Told::Bought
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
        if !by_number && !beside(case, *slot, number, token) {
            continue;
        }
        let start = keys
            .structure(*slot)
            .map_or(U256::ZERO, |structure| structure.start);
        let entry = entries.entry(start).or_default();
        entry.changed |= before != after;
        if before.is_zero() {
            continue;
        }
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
    // A bid of one's own names him under the number as well, and stays where it is.
    let theirs = entries.values().any(|entry| entry.theirs && entry.changed);
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

/// Whether the contract, or whoever some tokens were kept for, is paid so many times in the call in which they leave, and by
/// the contract's own doing: what the buyer adds of himself is no price. What they are worth nobody knows; dust and what the
/// contract does not know is nothing.
fn is_paid(case: &Case, loss: &Shortfall, sellers: &BTreeSet<Address>, times: usize) -> bool {
    let paying = loss.paying(case.effects, &case.entries);
    let paid = case.effects.transfers.iter().filter(|moved| {
        let entry = case.entries.inside(moved.frame);
        sellers.contains(&moved.to)
            && moved.from != moved.to
            && !loss.is_of(moved.asset)
            && entry.is_some_and(|entry| paying.contains(&entry))
            && brought(case, moved)
    });
    let mut sums: BTreeMap<Asset, U256> = BTreeMap::new();
    for moved in paid {
        let sum = sums.entry(collection(moved.asset)).or_default();
        *sum = sum.saturating_add(moved.amount);
    }
    let is_shop = sellers.contains(&case.contract.address);
    let kept = |asset: &Asset| !is_shop || case.gains().iter().any(|(gained, _)| gained == asset);
    sums.into_iter().any(|(asset, sum)| {
        let each = sum.checked_div(U256::from(times)).unwrap_or_default();
        !each.is_zero()
            && is_known(case, asset)
            && kept(&asset)
            && !dust::is_dust(case, asset, each)
    })
}
