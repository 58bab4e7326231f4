//! Whether what left was owed: an honest withdrawal lowers a claim of who is paid by as much, a loan raises the
//! borrower's debt, a trade brings something in return. What leaves without any of it was taken.
//!
//! A claim is a number that is kept for somebody. A counter of the contract's own says nothing: it falls in a theft, too.

use super::case::Case;
use super::exchange;
use super::keys::Keys;
use super::knowledge::{book_keepers, mentions};
use super::lanes;
use super::parties::parties;
use super::shortfalls::Shortfall;
use super::unique::{self, Told};
use crate::evidence::transfers::Asset;
use crate::simulate::evm::diff::{AccountDiff, StateDiff};
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, U256};
use std::collections::{BTreeMap, BTreeSet};

/// How far a claim may fall short of what left, or exceed it (fees, rounding, interest).
const LEAST: f64 = 0.9;
const MOST: f64 = 1.5;
/// Of a claim and a total that contain each other.
const MOST_OF_ALL: f64 = 2.2;
/// By which numbers with a point are multiplied, and how far a claim times its index may be off.
const SCALES: [u64; 4] = [
    1_000_000,
    1_000_000_000,
    1_000_000_000_000_000_000,
    // 10^27 does not fit: it is this and 10^9.
    0,
];
const EXACT: f64 = 0.01;
/// What an index may be: it grows from one, and a coin's price in its share seldom leaves this.
const INDEX: std::ops::RangeInclusive<f64> = 0.1..=10.0;
/// Of a claim that another takes, the part of the debt that is paid for it at the least.
const SETTLED: f64 = 0.5;
/// Slots that are looked at for a part of a claim, or for an index.
const MAX_SLOTS: usize = 1_024;

/// Whether the contract's books, or what came in, account for a loss.
pub(super) fn accounts_for(case: &Case, loss: &Shortfall) -> bool {
    let own = case.own();
    if own.is_some_and(|own| underflows(own, loss.amount)) {
        return false;
    }
    if !loss.numbers.is_empty() && case.effects.execution.watched {
        return match unique::told(case, loss) {
            Told::Theirs => true,
            Told::Others => false,
            Told::Silent | Told::Bought | Told::Beyond => {
                claimed(case, loss) || burned(case, loss) || supply_fell(case, loss)
            }
        };
    }
    let booked = match case.effects.execution.watched {
        true => claimed(case, loss) || owed(case, loss) || settled(case, loss),
        // Which call wrote what is not known, nor for whom.
        false => own.is_some_and(|own| somewhere(own, loss.amount)),
    };
    booked || burned(case, loss) || supply_fell(case, loss) || exchange::fair(case, loss)
}

/// A claim below zero, as wrapping arithmetic writes it. What books like that say is worth nothing. (Hashes and bitmaps
/// begin with a one as well, but fall by no such amount.)
fn underflows(account: &AccountDiff, amount: U256) -> bool {
    let mut slots = account.storage.values();
    slots.any(|(before, after)| {
        !before.bit(255) && after.bit(255) && about(before.wrapping_sub(*after), amount, MOST)
    })
}

fn about(change: U256, amount: U256, most: f64) -> bool {
    let ratio = super::words::share(change, amount);
    (LEAST..=most).contains(&ratio)
}

/// Whether a number changes by about as much as something moved.
pub(super) fn is_about(change: U256, amount: U256) -> bool {
    about(change, amount, MOST)
}

/// A number that is kept for who is paid, or several together, fell by about as much.
fn claimed(case: &Case, loss: &Shortfall) -> bool {
    let parties = parties(case, loss);
    let paying = loss.paying(case.effects, &case.entries);
    let contract = case.contract.address;
    let mut indices = Indices::new(&paying);
    book_keepers(case, loss.asset).into_iter().any(|keeper| {
        let Some(books) = case.effects.execution.diff.0.get(&keeper) else {
            return false;
        };
        let kept = Kept::new(case, books, &parties);
        // What falls in another call than the one that pays has nothing to do with it; and what rose before, in this
        // transaction, was made up for it.
        let paid_by = |slot: &U256| {
            let mut moves = case.moves().iter();
            keeper != contract
                || moves.any(|moved| {
                    moved.slot == *slot
                        && moved.after < moved.before
                        && paying.contains(&moved.entry)
                })
        };
        let slots = books.storage.iter().filter(|(slot, _)| paid_by(slot));
        let changes = slots.map(|(slot, (before, after))| (*slot, *before, *after));
        let mut falls = U256::ZERO;
        let changed = changes
            .into_iter()
            .filter(|(_, before, after)| before != after);
        for (slot, before, after) in changed.take(MAX_SLOTS) {
            let mut fell = lanes::pairs(before, after)
                .filter_map(|(before, after)| before.checked_sub(after))
                .filter(|fall| !fall.is_zero())
                .peekable();
            if fell.peek().is_none() || !kept.for_them(slot) || kept.of_another(slot, loss.asset) {
                continue;
            }
            falls = falls.saturating_add(before.saturating_sub(after));
            if fell.any(|fall| {
                about(fall, loss.amount, MOST) || indices.of(case).explain(fall, loss.amount)
            }) {
                return true;
            }
        }
        about(falls, loss.amount, MOST)
    })
}

/// What is kept for who is paid rose while it was paid: a debt. What rises when something is brought is a credit.
fn owed(case: &Case, loss: &Shortfall) -> bool {
    let Some(books) = case.own() else {
        return false;
    };
    let parties = parties(case, loss);
    let kept = Kept::new(case, books, &parties);
    let paying = loss.paying(case.effects, &case.entries);
    let mut slots: BTreeMap<U256, [U256; 2]> = BTreeMap::new();
    for moved in case.moves() {
        let rise = moved.after.saturating_sub(moved.before);
        let [paid, unpaid] = slots.entry(moved.slot).or_default();
        let sum = match paying.contains(&moved.entry) {
            true => paid,
            false => unpaid,
        };
        *sum = sum.saturating_add(rise);
    }
    let mut indices = Indices::new(&paying);
    // An allowance names two.
    let debts = slots
        .into_iter()
        .take(MAX_SLOTS)
        .filter(|(slot, [paid, unpaid])| {
            let credit = super::words::share(*unpaid, *paid) > 1.0 - LEAST;
            !paid.is_zero()
                && !credit
                && case.keys().accounts(*slot).count() <= 1
                && kept.for_them(*slot)
        });
    let rises: Vec<_> = debts.map(|(_, [rise, _])| rise).collect();
    rises
        .iter()
        .any(|rise| about(*rise, loss.amount, MOST) || indices.of(case).explain(*rise, loss.amount))
}

/// Somebody pays what another owes, and gets what that one has: a liquidation. The debt falls by what is brought, the claim
/// by what leaves, and of the debt no much smaller part than of the claim.
fn settled(case: &Case, loss: &Shortfall) -> bool {
    let paying = loss.paying(case.effects, &case.entries);
    let mut fallen: Vec<(Address, U256, U256, f64)> = Vec::new();
    let moves = case
        .moves()
        .iter()
        .filter(|one| paying.contains(&one.entry));
    for moved in moves.filter(|one| one.after < one.before).take(MAX_SLOTS) {
        let mut accounts = case.keys().accounts(moved.slot);
        // An allowance has two.
        let (Some(account), None) = (accounts.next(), accounts.next()) else {
            continue;
        };
        for (before, after) in lanes::pairs(moved.before, moved.after) {
            if let Some(fall) = before.checked_sub(after).filter(|fall| !fall.is_zero()) {
                let part = super::words::share(fall, before);
                fallen.push((account, moved.slot, fall, part));
            }
        }
    }
    let gains = case.gains();
    let is_claim = |fall: &U256| about(*fall, loss.amount, MOST);
    let is_debt = |fall: &U256| gains.iter().any(|(_, gain)| about(*fall, *gain, MOST));
    let claims = fallen.iter().filter(|(_, _, fall, _)| is_claim(fall));
    claims.into_iter().any(|(owner, claim, _, part)| {
        fallen.iter().any(|(debtor, debt, fall, paid)| {
            debtor == owner && debt != claim && is_debt(fall) && *paid >= SETTLED * part
        })
    })
}

/// Which slots of one contract are kept for somebody of the parties.
struct Kept<'k> {
    keys: &'k Keys<'k>,
    diff: &'k StateDiff,
    books: &'k AccountDiff,
    parties: &'k BTreeSet<Address>,
    /// Keys of what the parties own by number: a position, a deposit.
    numbers: BTreeSet<&'k [u8]>,
}

impl<'k> Kept<'k> {
    fn new(case: &'k Case, books: &'k AccountDiff, parties: &'k BTreeSet<Address>) -> Self {
        let keys = case.keys();
        let slots = books.storage.iter().take(MAX_SLOTS);
        let owned = slots.filter(|(slot, (before, _))| {
            keys.accounts(**slot).next().is_none()
                && parties.iter().any(|party| lanes::holds(*before, *party))
        });
        let numbers = owned.flat_map(|(slot, _)| keys.numbers(*slot));
        Self {
            keys,
            diff: &case.effects.execution.diff,
            books,
            parties,
            numbers: numbers.collect(),
        }
    }

    /// Whether the structure that a number lies in, or its keys, name a contract, and not the asset: it is a claim in another
    /// currency.
    fn of_another(&self, slot: U256, asset: Asset) -> bool {
        let token = match asset {
            Asset::Native => None,
            Asset::Token(token) | Asset::Unique(token, _) => Some(token),
        };
        // Beside a claim on ether a contract may be named for anything; a mapping by it is of it.
        let structure = self.keys.structure(slot).filter(|_| token.is_some());
        let words = structure
            .into_iter()
            .flat_map(|structure| self.books.storage.range(structure));
        let words = words.map(|(_, (before, _))| before.to_be_bytes::<32>());
        let accounts = words.filter_map(|word| super::keys::account(&word));
        let accounts = accounts.chain(self.keys.accounts(slot));
        let code = |account: &Address| {
            let known = self.diff.0.get(account);
            known.is_some_and(|known| {
                let before = known.before.as_ref();
                before.is_some_and(|info| !info.is_empty_code_hash())
            })
        };
        let contracts: BTreeSet<_> = accounts
            .filter(|account| !self.parties.contains(account) && code(account))
            .collect();
        !contracts.is_empty() && token.is_none_or(|token| !contracts.contains(&token))
    }

    fn for_them(&self, slot: U256) -> bool {
        let Self { keys, parties, .. } = self;
        parties.iter().any(|party| keys.names(slot, *party))
            || keys
                .numbers(slot)
                .any(|number| self.numbers.contains(number))
    }
}

/// Numbers by which claims may be scaled: an index of interest, the price of a share.
struct Indices<'p> {
    /// The calls that pay.
    paying: &'p BTreeSet<u32>,
    numbers: Option<Vec<U256>>,
}

impl<'p> Indices<'p> {
    fn new(paying: &'p BTreeSet<u32>) -> Self {
        Self {
            paying,
            numbers: None,
        }
    }

    /// Read once, of the contract's variables that are nobody's and that a call that pays looked at.
    fn of(&mut self, case: &Case) -> &Self {
        let _ = self.numbers.get_or_insert_with(|| {
            let execution = case.effects.execution;
            let touched = execution.accesses.iter().filter(|access| {
                let entry = case.entries.inside(access.frame);
                access.contract == case.contract.address
                    && access.writes.is_none()
                    && entry.is_some_and(|entry| self.paying.contains(&entry))
            });
            let read: BTreeSet<U256> = touched.map(|access| access.slot).collect();
            let slots = case.own().into_iter().flat_map(|own| &own.storage);
            let variables =
                slots.filter(|(slot, _)| read.contains(*slot) && !case.keys().keyed(**slot));
            let values = variables.take(MAX_SLOTS).flat_map(|(_, (before, after))| {
                lanes::numbers(*before).chain(lanes::numbers(*after))
            });
            values.filter(|value| !value.is_zero()).collect()
        });
        self
    }

    /// Whether a claim in units of its own is the amount by one of them.
    fn explain(&self, claim: U256, amount: U256) -> bool {
        let wanted = super::words::share(amount, claim);
        if wanted == 0.0 {
            return false;
        }
        let indices = self.numbers.iter().flatten().map(|index| f64::from(*index));
        let scales = || {
            let scale = |one: &u64| match one {
                0 => 1e27,
                one => *one as f64,
            };
            SCALES.iter().map(scale)
        };
        indices
            .flat_map(|index| scales().map(move |scale| index / scale))
            .any(|index| INDEX.contains(&index) && (index / wanted - 1.0).abs() <= EXACT)
    }
}

/// A number in storage, or several together, changed by about as much.
fn somewhere(account: &AccountDiff, amount: U256) -> bool {
    let mut falls = U256::ZERO;
    for (before, after) in account.storage.values() {
        if before == after {
            continue;
        }
        falls = falls.saturating_add(before.saturating_sub(*after));
        let mut lanes = lanes::pairs(*before, *after);
        if lanes.any(|(before, after)| about(before.abs_diff(after), amount, MOST)) {
            return true;
        }
    }
    about(falls, amount, MOST_OF_ALL)
}

/// Shares were burned, and of their supply at least the part that left of the assets.
fn burned(case: &Case, loss: &Shortfall) -> bool {
    let Some(share) = loss.share() else {
        return false;
    };
    let mut burned: BTreeMap<Address, U256> = BTreeMap::new();
    for transfer in case.effects.transfers.iter().filter(|one| one.to.is_zero()) {
        if let Asset::Token(token) = transfer.asset {
            let sum = burned.entry(token).or_default();
            *sum = sum.saturating_add(transfer.amount);
        }
    }
    // A token that the contract does not know may be burned by whoever made it.
    let watched = case.effects.execution.watched;
    let own = |token: Address| token == case.contract.address;
    burned.retain(|token, _| {
        // What leaves and is unwrapped is burned as well.
        loss.asset != Asset::Token(*token)
            && case.knows(*token)
            && (!watched || own(*token) || mentions(case, *token))
    });
    burned.into_iter().any(|(token, amount)| {
        let account = case.effects.execution.diff.0.get(&token);
        let slots = account.into_iter().flat_map(|account| &account.storage);
        // A supply is nobody's.
        let slots = slots.filter(|(slot, _)| !watched || !case.keys().keyed(**slot));
        let slots = slots.map(|(_, values)| values);
        // The supply is the largest number that falls by just this much; a holder's balance is smaller.
        let supply = slots
            .filter(|(before, after)| before.checked_sub(*after) == Some(amount))
            .map(|(before, _)| *before)
            .max();
        supply.is_some_and(|supply| super::words::share(amount, supply) >= LEAST * share)
    })
}

/// The supply that the user named fell by the same share.
fn supply_fell(case: &Case, loss: &Shortfall) -> bool {
    let contract = case.contract;
    let (Some(call), Some(share)) = (&contract.views.total_supply, loss.share()) else {
        return false;
    };
    let ask = |when| case.effects.views.number(when, contract.address, call);
    let (Some(before), Some(after)) = (ask(When::Before), ask(When::After)) else {
        return false;
    };
    super::words::share(before.saturating_sub(after), before) >= LEAST * share
}
