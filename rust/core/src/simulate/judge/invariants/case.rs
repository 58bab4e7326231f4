//! The effects on one contract with what several checks need of them, worked out once.

use super::entries::{Entries, account, ancestors};
use super::history::{Move, moves};
use super::keys::Keys;
use super::protected::Protected;
use super::shortfalls::Shortfall;
use super::{Effects, provenance, shortfalls, words};
use crate::evidence::trace::{CallKind, Frame};
use crate::evidence::transfers::Asset;
use crate::simulate::evm::diff::AccountDiff;
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, Bytes, U256};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(super) struct Case<'a> {
    pub effects: &'a Effects<'a>,
    pub contract: &'a Protected,
    pub entries: Entries,
    /// What the contract lost, the largest share first.
    pub shortfalls: Vec<Shortfall>,
    /// Whom the contract's own code called.
    called: BTreeSet<Address>,
    /// Whether one of the contract's administrators signed this, or called the contract (as a multisig does).
    pub authorised: bool,
    /// Most executions take nothing from the contract, and need neither.
    keys: OnceCell<Keys<'a>>,
    moves: OnceCell<Vec<Move>>,
    /// Of the accounts that were asked about so far.
    names: RefCell<BTreeMap<Address, bool>>,
    looked_up: OnceCell<BTreeSet<U256>>,
    touched: OnceCell<HashMap<u32, Vec<U256>>>,
    gains: OnceCell<Vec<(Asset, U256)>>,
}

impl<'a> Case<'a> {
    pub fn new(effects: &'a Effects<'a>) -> Self {
        let contract = effects.contract;
        let frames = &effects.execution.trace.frames;
        let of_contract = |frame: &&Frame| frame.from == contract.address;
        let called = frames.iter().skip(1).filter(of_contract);
        let called: BTreeSet<_> = called.filter_map(account).collect();
        let trusted = |account| trusts(effects, account);
        Self {
            effects,
            contract,
            entries: Entries::new(&effects.execution.trace, contract.address, trusted),
            shortfalls: shortfalls::of(effects, &called),
            called,
            authorised: contract.admins.contains(&effects.sender)
                || frames.iter().zip(effects.stands).any(|(frame, stands)| {
                    *stands
                        && frame.kind != CallKind::StaticCall
                        && frame.to == Some(contract.address)
                        && contract.admins.contains(&frame.from)
                }),
            keys: OnceCell::new(),
            moves: OnceCell::new(),
            names: RefCell::default(),
            looked_up: OnceCell::new(),
            touched: OnceCell::new(),
            gains: OnceCell::new(),
        }
    }

    /// Whether what a frame did was not undone.
    pub fn stood(&self, frame: u32) -> bool {
        let stands = self.effects.stands.get(frame as usize);
        stands.copied().unwrap_or(false)
    }

    /// Whether it is the contract, or the contract's own code called it.
    pub fn knows(&self, account: Address) -> bool {
        account == self.contract.address || self.called.contains(&account)
    }

    /// By what the slots of the execution are keyed.
    pub fn keys(&self) -> &Keys<'a> {
        let hashed = &self.effects.execution.hashed;
        self.keys.get_or_init(|| Keys::new(hashed))
    }

    /// What each call did to the contract's slots.
    pub fn moves(&self) -> &[Move] {
        let moves = || moves(self.effects, &self.entries);
        self.moves.get_or_init(moves)
    }

    /// Whether the contract named an account before, as `look` has it; each is looked for once.
    pub fn names(&self, account: Address, look: impl FnOnce() -> bool) -> bool {
        let known = self.names.borrow().get(&account).copied();
        known.unwrap_or_else(|| {
            let found = look();
            self.names.borrow_mut().insert(account, found);
            found
        })
    }

    /// Whether code of the contract's own looked a slot up, and not because calldata told it which: what anybody has it run
    /// or read names whom they like.
    pub fn looked_up(&self, slot: U256) -> bool {
        let slots = self
            .looked_up
            .get_or_init(|| provenance::looked_up(self.effects, &self.entries));
        !self.effects.execution.watched || slots.contains(&slot)
    }

    /// The contract's slots that a call into it touched, each once and in their order.
    pub fn touched(&self, entry: u32) -> &[U256] {
        let touched = self.touched.get_or_init(|| {
            let (mut touched, mut seen) = (HashMap::<_, Vec<U256>>::new(), HashSet::new());
            let accesses = self.effects.execution.accesses.iter();
            for access in accesses.filter(|one| one.contract == self.contract.address) {
                if let Some(entry) = self.entries.inside(access.frame)
                    && seen.insert((entry, access.slot))
                {
                    touched.entry(entry).or_default().push(access.slot);
                }
            }
            touched
        });
        touched.get(&entry).map_or(&[], Vec::as_slice)
    }

    /// What the execution read and wrote of the contract.
    pub fn own(&self) -> Option<&'a AccountDiff> {
        self.effects.execution.diff.0.get(&self.contract.address)
    }

    /// Whether it is known what nobody of its administrators did to the contract's storage. Created in this transaction it
    /// is set up in it, too.
    pub fn by_strangers(&self) -> bool {
        let is_new = self.own().is_some_and(|own| own.before.is_none());
        !self.authorised && !is_new && self.effects.execution.watched
    }

    /// All calls, each with its index.
    pub fn frames(&self) -> impl Iterator<Item = (u32, &'a Frame)> {
        (0_u32..).zip(&self.effects.execution.trace.frames)
    }

    /// Who made a call, who called them, and so on to who signed.
    pub fn callers(&self, entry: u32) -> impl Iterator<Item = Address> {
        let frames = &self.effects.execution.trace.frames;
        let callers = ancestors(frames, entry).map(|frame| frame.from);
        callers.chain([self.effects.sender])
    }

    /// Whether a call may change something.
    pub fn acts(&self, call: u32) -> bool {
        let frame = self.effects.execution.trace.frames.get(call as usize);
        frame.is_some_and(|frame| frame.kind != CallKind::StaticCall)
    }

    /// The first of the calls into the contract that led to this one, each of which called somebody who called right back;
    /// `None` where it led to none, or others stand in between.
    pub fn led_to(&self, entry: u32) -> Option<u32> {
        let frames = &self.effects.execution.trace.frames;
        let wider = |entry: &u32| {
            let back = &frames[*entry as usize];
            let outer = self.entries.inside(back.parent).filter(|_| *entry > 0)?;
            let runs_as = |frame: &&Frame| account(frame) == Some(back.from);
            let mut there = ancestors(frames, back.parent)
                .filter(|frame| !matches!(frame.kind, CallKind::DelegateCall | CallKind::CallCode));
            let called = there.next().filter(runs_as)?;
            (called.from == self.contract.address).then_some(outer)
        };
        std::iter::successors(wider(&entry), wider).last()
    }

    /// A view without arguments of the contract itself.
    pub fn ask(&self, when: When, selector: &'static [u8; 4]) -> Option<U256> {
        let call = Bytes::from_static(selector);
        let views = self.effects.views;
        views.number(when, self.contract.address, &call)
    }

    /// Whom the contract's own code called.
    pub fn called(&self) -> impl Iterator<Item = Address> {
        self.called.iter().copied()
    }

    /// Whom a contract may be called back by.
    pub fn trusts(&self, account: Address) -> bool {
        trusts(self.effects, account)
    }

    /// For people.
    pub fn amount(&self, asset: Asset, amount: U256) -> String {
        words::amount(self.effects.native, asset, amount)
    }

    /// What came in of watched assets beyond what went out.
    pub fn gains(&self) -> &[(Asset, U256)] {
        let gains = || shortfalls::gains(self.effects, &self.called);
        self.gains.get_or_init(gains)
    }
}

fn trusts(effects: &Effects, account: Address) -> bool {
    let contract = effects.contract;
    effects.monitored.contains(&account)
        || contract.receivers.contains(&account)
        || contract.assets.contains(&Asset::Token(account))
}
