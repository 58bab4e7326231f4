//! `reentrancy`: called back before the books are written.

use super::asking::{codes_of, passed_on};
use super::case::Case;
use super::cluster::cluster;
use super::entries::{Entries, account};
use super::{Finding, codes, lanes, words};
use crate::evidence::Class;
use crate::evidence::trace::CallKind;
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, U256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Of accounts, where it is looked for whether one names the other.
const MAX_PAIRS: usize = 256;

/// A call into a contract made while another was not over, that read what the other wrote only afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reentry {
    pub inner: u32,
    pub outer: u32,
}

/// All of a contract, in order. Which slot was read does not matter: one that was out of date is enough. A lock is none:
/// it is written before the call goes out.
pub(super) fn reentries(case: &Case, contract: Address, entries: &Entries) -> BTreeSet<Reentry> {
    let accesses = &case.effects.execution.accesses;
    let own = || {
        let each = accesses.iter().enumerate();
        each.filter(|(_, access)| access.contract == contract)
            .filter_map(|(time, access)| Some((time, access, entries.inside(access.frame)?)))
    };
    let mut first_writes: HashMap<(u32, U256), usize> = HashMap::new();
    for (time, access, entry) in
        own().filter(|(_, access, _)| access.writes.is_some() && case.stood(access.frame))
    {
        first_writes.entry((entry, access.slot)).or_insert(time);
    }
    let stale = own().filter_map(|(time, access, inner)| {
        if access.writes.is_some() || !case.stood(access.frame) {
            return None;
        }
        let outer = entries.around(inner)?;
        let written = first_writes.get(&(outer, access.slot))?;
        (*written > time).then_some(Reentry { inner, outer })
    });
    stale.collect()
}

pub(super) fn check(case: &Case) -> Option<Finding> {
    let worst = case.shortfalls.first()?;
    let trace = &case.effects.execution.trace;
    let reentries = reentries(case, case.contract.address, &case.entries);
    if reentries.is_empty() {
        return None;
    }
    let contract = case.contract.address;
    let (strangers, moving) = (cluster(case), moving(case));
    // Who only looks, even at what is out of date, takes nothing here: that is `read_only_reentrancy`.
    let (acting, reliance) = (acting(case), Reliance::new(case, &strangers));
    let reentries: Vec<_> = reentries
        .into_iter()
        .filter(|reentry| acting.contains(&reentry.inner))
        .filter(|reentry| moving.contains(&reentry.inner) || !reliance.excuses(contract, *reentry))
        .collect();
    let first = reentries.first()?;
    let frame = &trace.frames[first.inner as usize];
    Some(Finding {
        class: Class::Attack,
        weight: 0.9,
        severe: false,
        explanation: format!(
            "{} leave {} to {}, re-entered {} in {} before its books were written",
            case.amount(worst.asset, worst.amount),
            case.contract.name,
            worst.receiver,
            words::times(reentries.len()),
            words::function(case.contract, &frame.input),
        ),
        losses: Vec::new(),
    })
}

/// The entries that changed something: wrote the contract's storage, or moved what it has.
fn acting(case: &Case) -> BTreeSet<u32> {
    let contract = case.contract.address;
    let effects = case.effects;
    let accesses = effects.execution.accesses.iter();
    let writes = accesses
        .filter(|access| access.writes.is_some() && access.contract == contract)
        .map(|access| access.frame);
    let transfers = effects.transfers.iter();
    let moves = transfers
        .filter(|transfer| transfer.from == contract)
        .map(|transfer| transfer.frame);
    let frames = &effects.execution.trace.frames;
    writes
        .chain(moves)
        .filter(|frame| case.stood(*frame))
        .filter_map(|frame| case.entries.inside(frame))
        .filter(|entry| {
            let frame = &frames[*entry as usize];
            frame.kind != CallKind::StaticCall && account(frame) == Some(contract)
        })
        .collect()
}

/// The calls into the contract in which something came to it or left it, or moved of its own.
fn moving(case: &Case) -> BTreeSet<u32> {
    let contract = case.contract.address;
    let own =
        |asset| matches!(asset, Asset::Token(token) | Asset::Unique(token, _) if token == contract);
    let moved = case.effects.transfers.iter();
    let moved = moved.filter(|one| own(one.asset) || one.from == contract || one.to == contract);
    moved
        .filter_map(|one| case.entries.inside(one.frame))
        .collect()
}

/// Who may stand between a call into a contract and the call around it: each must be one whom the one before relies on. A market
/// calls its comptroller, and that its distributor of rewards, who asks the market. A variable or the code named them
/// before; a mapping or a list may name anybody, and who is paid comes for himself.
pub(super) struct Reliance<'c, 'e> {
    case: &'c Case<'e>,
    /// Who acts with the sender.
    strangers: &'c BTreeSet<Address>,
    /// Whether an account's storage, or code, names another: a trace may ask the same thousands of times.
    kept: Known,
    coded: Known,
}

type Known = RefCell<BTreeMap<(Address, Address), bool>>;

impl<'c, 'e> Reliance<'c, 'e> {
    pub fn new(case: &'c Case<'e>, strangers: &'c BTreeSet<Address>) -> Self {
        Self {
            case,
            strangers,
            kept: Known::default(),
            coded: Known::default(),
        }
    }

    /// Whether a call into a contract came to be so.
    pub fn excuses(&self, contract: Address, reentry: Reentry) -> bool {
        let effects = self.case.effects;
        passed_on(effects, contract, reentry.inner, |call, called| {
            let frame = &effects.execution.trace.frames[call as usize];
            let paid = frame.input.is_empty() || frame.value.is_some_and(|value| !value.is_zero());
            !paid
                && !self.strangers.contains(&called)
                && (self.keeps(frame.from, called) || self.in_code(call, called))
        })
    }

    fn keeps(&self, account: Address, called: Address) -> bool {
        once(&self.kept, (account, called), || {
            let own = self.case.effects.execution.diff.0.get(&account);
            let mut slots = lanes::kept(own, called);
            slots.any(|slot| !self.case.keys().keyed(slot))
        })
    }

    fn in_code(&self, call: u32, called: Address) -> bool {
        let effects = self.case.effects;
        let name = |code| codes::name(effects, code, called);
        codes_of(effects, call).any(|code| once(&self.coded, (code, called), || name(code)))
    }
}

/// Too much to look at is no excuse.
fn once(known: &Known, pair: (Address, Address), look: impl FnOnce() -> bool) -> bool {
    let (found, count) = (known.borrow().get(&pair).copied(), known.borrow().len());
    found.unwrap_or_else(|| {
        let found = count < MAX_PAIRS && look();
        if count < MAX_PAIRS {
            known.borrow_mut().insert(pair, found);
        }
        found
    })
}
