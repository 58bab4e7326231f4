//! Who moved what a price comes from.

use super::asking::{entered, for_account};
use super::case::Case;
use super::signed::{Signature, signatures};
use super::{codes, keys, lanes};
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, U256};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// Frames of one answer that are looked at.
const MAX_FRAMES: usize = 64;
/// Calls that wrote a source and are looked at in one execution, and signatures in one of them.
const MAX_CALLS: usize = 256;
const MAX_SIGNATURES: usize = 64;
/// A yes, or a number of a few; what is larger is a balance.
const SMALL: U256 = U256::from_limbs([u32::MAX as u64, 0, 0, 0]);

/// By whom a source was written last, the least innocent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mover {
    Nobody,
    /// Somebody whom the source knows signed what was written: whoever brought it, it is not theirs to choose.
    Signer,
    /// The contract that is checked, or who works for it.
    Contract,
    Stranger,
}

/// The sources of an execution.
pub(super) struct Sources<'c, 'e> {
    case: &'c Case<'e>,
    strangers: &'c BTreeSet<Address>,
    /// By account, the calls that wrote its storage and when they did first, in the order of that.
    writes: BTreeMap<Address, Vec<(usize, u32)>>,
    /// Of these, who is the least innocent up to each, as far as that was asked for.
    worst: BTreeMap<Address, Vec<Mover>>,
    /// By account, the first frame in which ether came or went, but for the contract's.
    paid: BTreeMap<Address, u32>,
    /// Of each access, the last frame that was entered by then and touched storage.
    entered: Vec<u32>,
    movers: BTreeMap<u32, Mover>,
    signatures: OnceCell<Vec<Signature>>,
    /// Whether an account knew a signer.
    known: RefCell<BTreeMap<(Address, Address), bool>>,
}

impl<'c, 'e> Sources<'c, 'e> {
    /// `strangers`: who acts with the sender.
    pub fn new(case: &'c Case<'e>, strangers: &'c BTreeSet<Address>) -> Self {
        let execution = case.effects.execution;
        let frames = &execution.trace.frames;
        let mut writes: BTreeMap<Address, Vec<(usize, u32)>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let last = |last: &mut u32, frame: u32| {
            *last = frame.max(*last);
            Some(*last)
        };
        let accesses = execution.accesses.iter();
        for (time, access) in accesses.clone().enumerate() {
            if access.writes.is_some() && case.stood(access.frame) && seen.insert(access.frame) {
                let call = entered(frames, access.frame);
                writes
                    .entry(access.contract)
                    .or_default()
                    .push((time, call));
            }
        }
        let contract = case.contract.address;
        let mut paid = BTreeMap::new();
        let ether =
            case.effects.transfers.iter().filter(|one| {
                one.asset == Asset::Native && ![one.from, one.to].contains(&contract)
            });
        for one in ether {
            for end in [one.from, one.to] {
                let first = paid.entry(end).or_insert(one.frame);
                *first = one.frame.min(*first);
            }
        }
        Self {
            case,
            strangers,
            writes,
            worst: BTreeMap::new(),
            paid,
            entered: accesses.map(|access| access.frame).scan(0, last).collect(),
            movers: BTreeMap::new(),
            signatures: OnceCell::new(),
            known: RefCell::default(),
        }
    }

    /// Who, before a question was answered, moved what the answer was read from.
    pub fn mover(&mut self, question: u32) -> Mover {
        let contract = self.case.contract.address;
        let execution = self.case.effects.execution;
        let frames = &execution.trace.frames;
        let asked = &frames[question as usize..];
        let inner = asked[1..]
            .iter()
            .take_while(|one| one.depth > asked[0].depth);
        let read = asked[..1].iter().chain(inner).take(MAX_FRAMES);
        let mut read: BTreeSet<Address> = read.filter_map(super::entries::account).collect();
        read.remove(&contract);
        let begun = self.entered.partition_point(|frame| *frame < question);
        let ether = |account| {
            self.paid
                .get(account)
                .is_some_and(|first| *first < question)
        };
        let paid = read.iter().any(ether);
        let mut mover = Mover::Nobody;
        for account in &read {
            mover = mover.max(self.mover_by(*account, begun));
            if mover == Mover::Stranger {
                return mover;
            }
        }
        // Ether alone moves the price of who is priced by it; a fee that comes with a report does not.
        match mover {
            Mover::Nobody if paid => Mover::Stranger,
            mover => mover,
        }
    }

    /// Who moved an account until then: each call that did is looked at once, however many questions follow it.
    fn mover_by(&mut self, account: Address, until: usize) -> Mover {
        let calls = self.writes.get(&account).map_or(&[][..], Vec::as_slice);
        let count = calls.partition_point(|(time, _)| *time < until);
        let mut worst = self.worst.remove(&account).unwrap_or_default();
        while worst.len() < count {
            let last = worst.last().copied().unwrap_or(Mover::Nobody);
            let next = match last {
                Mover::Stranger => last,
                _ => last.max(self.mover_of(self.writes[&account][worst.len()].1)),
            };
            worst.push(next);
        }
        let mover = count
            .checked_sub(1)
            .map_or(Mover::Nobody, |last| worst[last]);
        self.worst.insert(account, worst);
        mover
    }

    fn mover_of(&mut self, call: u32) -> Mover {
        if let Some(mover) = self.movers.get(&call) {
            return *mover;
        }
        // Too much to look at is no excuse.
        let mover = match self.movers.len() < MAX_CALLS {
            true => self.look(call),
            false => Mover::Stranger,
        };
        self.movers.insert(call, mover);
        mover
    }

    fn look(&self, call: u32) -> Mover {
        let effects = self.case.effects;
        let source = effects.execution.trace.frames[call as usize].to;
        if for_account(effects, self.case.contract.address, call, self.strangers) {
            return Mover::Contract;
        }
        let frames = &effects.execution.trace.frames;
        let rest = &frames[call as usize..];
        let inner = rest[1..].iter().take_while(|one| one.depth > rest[0].depth);
        let within = call..=call + inner.count() as u32;
        let all = || signatures(self.case).collect();
        let all = self.signatures.get_or_init(all).iter();
        let mut all = all
            .filter(|one| within.contains(&one.frame))
            .take(MAX_SIGNATURES);
        let signed = source.is_some_and(|source| {
            all.any(|one| {
                // What one lets oneself do, as whoever may name relayers of one's own, is no word of another's.
                let another = one.signer != effects.sender && !self.strangers.contains(&one.signer);
                another
                    && for_account(effects, source, one.frame, self.strangers)
                    && self.knew(one.by, one.signer)
            })
        });
        match signed {
            true => Mover::Signer,
            false => Mover::Stranger,
        }
    }

    /// The same, each looked for once; too much to look at is no excuse.
    fn knew(&self, account: Address, signer: Address) -> bool {
        let found = self.known.borrow().get(&(account, signer)).copied();
        found.unwrap_or_else(|| {
            let room = self.known.borrow().len() < MAX_CALLS;
            let found = room && self.knows(account, signer);
            if room {
                self.known.borrow_mut().insert((account, signer), found);
            }
            found
        })
    }

    /// Whether an account knew a signer before: a variable, a list or its code names them, or it keeps a yes for them alone.
    fn knows(&self, account: Address, signer: Address) -> bool {
        let effects = self.case.effects;
        let own = effects.execution.diff.0.get(&account);
        let keys: &keys::Keys = self.case.keys();
        let mut slots = own.into_iter().flat_map(|own| &own.storage);
        lanes::keeps(own, signer)
            || codes::name(effects, account, signer)
            || slots.any(|(slot, (before, after))| {
                before == after
                    && !before.is_zero()
                    && *before <= SMALL
                    && keys.accounts(*slot).eq([signer])
            })
    }
}
