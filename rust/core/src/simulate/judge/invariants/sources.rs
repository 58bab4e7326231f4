//! Who moved what a price comes from.

use super::asking::{entered, for_account};
use super::case::Case;
use super::signed::{Signature, signatures};
use super::{codes, keys, lanes};
use crate::evidence::trace::Frame;
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, U256};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// Frames of one answer that are looked at.
const MAX_FRAMES: usize = 64;
/// Calls that wrote a source and are looked at in one execution.
const MAX_CALLS: usize = 256;
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
    movers: BTreeMap<u32, Mover>,
    signatures: OnceCell<Vec<Signature>>,
}

impl<'c, 'e> Sources<'c, 'e> {
    /// `strangers`: who acts with the sender.
    pub fn new(case: &'c Case<'e>, strangers: &'c BTreeSet<Address>) -> Self {
        let execution = case.effects.execution;
        let frames = &execution.trace.frames;
        let mut writes: BTreeMap<Address, Vec<(usize, u32)>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (time, access) in execution.accesses.iter().enumerate() {
            if access.writes.is_some() && case.stood(access.frame) && seen.insert(access.frame) {
                let call = entered(frames, access.frame);
                writes
                    .entry(access.contract)
                    .or_default()
                    .push((time, call));
            }
        }
        Self {
            case,
            strangers,
            writes,
            movers: BTreeMap::new(),
            signatures: OnceCell::new(),
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
        let accesses = &execution.accesses;
        let begun = accesses.iter().position(|access| access.frame >= question);
        let begun = begun.unwrap_or(accesses.len());
        let paid = self.case.effects.transfers.iter().any(|one| {
            one.asset == Asset::Native
                && one.frame < question
                && (read.contains(&one.from) || read.contains(&one.to))
                && ![one.from, one.to].contains(&contract)
        });
        let calls: BTreeSet<u32> = read
            .iter()
            .filter_map(|account| self.writes.get(account))
            .flatten()
            .filter(|(time, _)| *time < begun)
            .map(|(_, call)| *call)
            .collect();
        let written = calls.into_iter().map(|call| self.mover_of(call)).max();
        match (written, paid) {
            (None, true) => Mover::Stranger,
            (written, _) => written.unwrap_or(Mover::Nobody),
        }
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
        let all = || signatures(self.case).collect();
        let mut all = self.signatures.get_or_init(all).iter();
        let signed = source.is_some_and(|source| {
            all.any(|one| {
                within(&effects.execution.trace.frames, call, one.frame)
                    && for_account(effects, source, one.frame, self.strangers)
                    && self.knows(one.by, one.signer)
            })
        });
        match signed {
            true => Mover::Signer,
            false => Mover::Stranger,
        }
    }

    /// Whether an account knew a signer before: a variable, a list or its code names them, or it keeps a yes for them.
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
                    && keys.names(*slot, signer)
            })
    }
}

/// Whether a frame runs inside of a call.
fn within(frames: &[Frame], call: u32, frame: u32) -> bool {
    let depth = frames[call as usize].depth;
    frame > call
        && frames[call as usize + 1..=frame as usize]
            .iter()
            .all(|one| one.depth > depth)
}
