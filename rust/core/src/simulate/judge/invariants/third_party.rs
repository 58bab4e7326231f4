//! `third_party`: the token that is monitored moves or burns what belongs to somebody who did not agree.

use super::case::Case;
use super::cover::Cover;
use super::knowledge::names;
use super::lanes::{self, says};
use super::{Finding, authority, words};
use crate::evidence::Class;
use crate::evidence::trace::{CallKind, Frame};
use crate::evidence::transfers::{Asset, Transfer};
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, U256};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Movements that are looked at in one execution.
const MAX_TRANSFERS: usize = 64;
/// Numbers that fell, by account and call.
const MAX_FALLS: usize = 256;
/// Accounts whose balance is asked for, before and after.
const MAX_OWNERS: usize = 16;
/// Slots of the caller's in one call.
const MAX_SLOTS: usize = 1_024;
/// Of a balance: what is divided by an index loses a little.
const ROUNDING: f64 = 0.000_1;

pub(super) fn check(case: &Case) -> Option<Finding> {
    if !case.by_strangers() {
        return None;
    }
    let (mut cover, calls) = (Cover::default(), Calls::new(case));
    let moved = told(case, &calls, &mut cover).or_else(|| untold(case, &calls, &mut cover))?;
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
fn told(case: &Case, calls: &Calls, cover: &mut Cover) -> Option<Transfer> {
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
        entry.is_some_and(|entry| calls.taken(entry, moved.from)) && !cover.takes(case, moved)
    })?;
    Some(*moved)
}

/// What somebody has less of than the events say, where a number that the token keeps for them alone fell. It goes from them
/// to them: nobody says where.
fn untold(case: &Case, calls: &Calls, cover: &mut Cover) -> Option<Transfer> {
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
    let fell = fell.filter(|(owner, entry)| calls.taken(*entry, *owner));
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

/// Calls into the token.
struct Calls<'c, 'e> {
    case: &'c Case<'e>,
    known: RefCell<BTreeMap<u32, Rc<Call<'e>>>>,
}

/// What one call looked up of its caller: worked out once, since it may name many owners.
struct Call<'e> {
    frame: &'e Frame,
    /// Slots that are the caller's by a key, and of nobody's those that hold it.
    keyed: Vec<U256>,
    holding: Vec<U256>,
    /// What the token asked those whom it names about the caller, who did not fail.
    asked: Vec<&'e Frame>,
    /// Somebody has the authority for it.
    authorised: OnceCell<bool>,
}

impl<'c, 'e> Calls<'c, 'e> {
    fn new(case: &'c Case<'e>) -> Self {
        Self {
            case,
            known: RefCell::default(),
        }
    }

    fn taken(&self, entry: u32, owner: Address) -> bool {
        let case = self.case;
        let call = self.call(entry);
        let authorised = || authority::over_call(case, entry).is_some();
        // What a token does by itself, to its pool and its collectors, nobody asked for by name.
        says(&call.frame.input, owner)
            && case.callers(entry).all(|caller| caller != owner)
            && !call.allowed(case, owner)
            && !call.consulted(owner)
            && !*call.authorised.get_or_init(authorised)
    }

    fn call(&self, entry: u32) -> Rc<Call<'e>> {
        let mut known = self.known.borrow_mut();
        let call = known
            .entry(entry)
            .or_insert_with(|| Rc::new(Call::new(self.case, entry)));
        call.clone()
    }
}

impl<'e> Call<'e> {
    fn new(case: &Case<'e>, entry: u32) -> Self {
        let frames = &case.effects.execution.trace.frames;
        let frame = &frames[entry as usize];
        let (caller, keys) = (frame.from, case.keys());
        let touched = || case.touched(entry).iter().copied();
        let holds = |slot: &U256| {
            let held = case.own().and_then(|own| own.storage.get(slot));
            keys.keyed(*slot)
                && keys.accounts(*slot).next().is_none()
                && held.is_some_and(|(before, _)| lanes::holds(*before, caller))
        };
        let inner = (entry + 1..).zip(&frames[entry as usize + 1..]);
        let inner = inner.take_while(|(_, one)| one.depth > frame.depth);
        let asked = inner.filter(|(index, one)| {
            one.from == case.contract.address
                && matches!(one.kind, CallKind::Call | CallKind::StaticCall)
                && one.error.is_none()
                && case.entries.inside(*index) == Some(entry)
                && says(&one.input, caller)
                && one.to.is_some_and(|to| names(case, to))
        });
        Self {
            frame,
            keyed: touched()
                .filter(|slot| keys.names(*slot, caller))
                .take(MAX_SLOTS)
                .collect(),
            holding: touched().filter(holds).take(MAX_SLOTS).collect(),
            asked: asked.map(|(_, one)| one).collect(),
            authorised: OnceCell::new(),
        }
    }

    /// Whether it looked up what the owner allowed the caller: of an amount, of all, or of one number.
    fn allowed(&self, case: &Case, owner: Address) -> bool {
        let of_owner = |slot: &U256| case.keys().names(*slot, owner);
        self.keyed.iter().any(of_owner) || !self.holding.iter().all(of_owner)
    }

    /// Whether one whom the token names was asked about both, too: a market asks its overseer before it takes what a borrower
    /// has.
    fn consulted(&self, owner: Address) -> bool {
        self.asked.iter().any(|asked| says(&asked.input, owner))
    }
}
