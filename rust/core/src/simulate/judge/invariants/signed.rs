//! Whose signatures an execution found good, and how much of what moves they cover.

use super::authority::over_call;
use super::case::Case;
use super::entries::{account as runs_as, ancestors};
use super::keys::account;
use super::knowledge::names;
use super::lanes::says;
use super::shortfalls::Shortfall;
use crate::evidence::trace::{CallKind, Frame};
use crate::evidence::transfers::{Asset, Transfer};
use alloy_primitives::{Address, U256, address, hex};
use std::collections::{BTreeMap, BTreeSet};

const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");
/// `isValidSignature(bytes32,bytes)`, and the same word as its answer.
const VALID: [u8; 4] = hex!("1626ba7e");
/// `permit(address,address,uint256,uint256,uint8,bytes32,bytes32)`
const PERMIT: [u8; 4] = hex!("d505accf");
/// Frames that are looked at for signatures.
const MAX_FRAMES: usize = 4_096;
/// Calls by one who asked.
const MAX_CALLS: usize = 16;
/// Parts in which what was sold goes to the buyer, the market and the artist.
const PARTS: usize = 4;

/// By call, what was signed and by whom.
pub(super) type Signed = BTreeMap<u32, BTreeSet<(U256, Address)>>;

/// One signature that was found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signature {
    /// The hash that was signed.
    pub message: U256,
    pub signer: Address,
    /// Who asked whether it is.
    pub by: Address,
    /// The question, and the call into the contract that it was asked in.
    pub frame: u32,
    pub entry: Option<u32>,
}

/// All of an execution, but for permits to the contract: those allow, and nothing moves by them.
pub(super) fn signatures<'c>(case: &'c Case) -> impl Iterator<Item = Signature> + 'c {
    let frames = &case.effects.execution.trace.frames;
    case.frames().take(MAX_FRAMES).filter_map(|(index, frame)| {
        let (message, signer) = recovered(frame)?;
        let entry = case.entries.inside(index);
        let permits = |entry: u32| frames[entry as usize].input.starts_with(&PERMIT);
        (!entry.is_some_and(permits)).then_some(Signature {
            message,
            signer,
            by: frame.from,
            frame: index,
            entry,
        })
    })
}

/// What was signed and by whom, as a call of the precompile or of an account's own code answered.
fn recovered(frame: &Frame) -> Option<(U256, Address)> {
    let to = frame.to.filter(|_| frame.error.is_none())?;
    if to == ECRECOVER {
        let message = U256::from_be_slice(frame.input.get(..32)?);
        let signer = account(frame.output.get(..32)?)?;
        return Some((message, signer));
    }
    let asks = frame.kind == CallKind::StaticCall && frame.input.starts_with(&VALID);
    let yes = asks && frame.output.starts_with(&VALID);
    let message = U256::from_be_slice(frame.input.get(4..36)?);
    yes.then_some((message, to))
}

/// What the contract itself found signed in calls, and by whom; `None` where it was asked to believe the same thing again.
pub(super) fn by_call(case: &Case, calls: &BTreeSet<u32>) -> Option<Signed> {
    let contract = case.contract.address;
    let mut seen = BTreeSet::new();
    let mut signed = Signed::new();
    for one in signatures(case).filter(|one| one.by == contract) {
        let Some(call) = one.entry.filter(|entry| calls.contains(entry)) else {
            continue;
        };
        if !seen.insert((one.message, one.signer)) {
            return None;
        }
        signed
            .entry(call)
            .or_default()
            .insert((one.message, one.signer));
    }
    Some(signed)
}

/// Whether each payment was signed for: one signature pays an asset to one receiver once, and a fee beside it. Code that the
/// call named, and the contract does not, runs since the signer wants it to, and pays as often as that says.
pub(super) fn paid_once(case: &Case, loss: &Shortfall, calls: &BTreeSet<u32>) -> bool {
    let Some(signed) = by_call(case, calls) else {
        return false;
    };
    let contract = case.contract.address;
    let frames = &case.effects.execution.trace.frames;
    let mut paid: BTreeMap<(u32, Asset, Address), BTreeMap<U256, usize>> = BTreeMap::new();
    let transfers = case.effects.transfers.iter();
    for moved in transfers.filter(|one| one.from == contract && loss.is_of(one.asset)) {
        let Some(entry) = case.entries.inside(moved.frame) else {
            continue;
        };
        let call = &frames[entry as usize];
        let wanted =
            |code: Address| code != contract && says(&call.input, code) && !names(case, code);
        if !calls.contains(&entry) || payer(case, moved.frame).is_some_and(wanted) {
            continue;
        }
        let amounts = paid.entry((entry, moved.asset, moved.to)).or_default();
        *amounts.entry(moved.amount).or_default() += 1;
    }
    paid.into_iter().all(|((entry, ..), amounts)| {
        let messages = signed.get(&entry).into_iter().flatten();
        let messages: BTreeSet<_> = messages.map(|(message, _)| message).collect();
        let same = amounts.values().max().copied().unwrap_or_default();
        let all: usize = amounts.values().sum();
        same <= messages.len() && all <= 2 * messages.len()
    })
}

/// Whose code paid, as the contract, what a frame moved.
fn payer(case: &Case, frame: u32) -> Option<Address> {
    let contract = case.contract.address;
    let frames = &case.effects.execution.trace.frames;
    let leaves = |frame: &&Frame| frame.from == contract && runs_as(frame) != Some(contract);
    let pays = ancestors(frames, frame).find(leaves)?;
    frames.get(pays.parent as usize)?.to
}

/// What owners' signatures still cover of what is moved without them. An old signature is public: it counts where the
/// contract asked, or one whom it relies on.
#[derive(Debug, Default)]
pub(super) struct Cover {
    /// What each owner signed.
    signed: BTreeMap<Address, usize>,
    used: BTreeMap<(Address, Asset), Vec<Address>>,
}

impl Cover {
    /// Whether the owner signed for a movement, which uses the signature up: it pays one asset to one receiver once, and to
    /// few of them.
    pub fn takes(&mut self, case: &Case, moved: &Transfer) -> bool {
        let owner = moved.from;
        let signed = self.signed.entry(owner);
        let signed = *signed.or_insert_with(|| messages(case, owner));
        let used = self.used.entry((owner, moved.asset)).or_default();
        let to_same = used.iter().filter(|receiver| **receiver == moved.to);
        let covered = to_same.count() < signed && used.len() < PARTS * signed;
        if covered {
            used.push(moved.to);
        }
        covered
    }

    /// Whether an owner signed anything.
    pub fn knows(&self, owner: Address) -> bool {
        self.signed.get(&owner).is_some_and(|signed| *signed > 0)
    }
}

/// How many different things an owner signed.
fn messages(case: &Case, owner: Address) -> usize {
    let own = signatures(case).filter(|signature| signature.signer == owner);
    let asked: BTreeSet<(Address, U256)> = own.map(|one| (one.by, one.message)).collect();
    let mut relied: BTreeMap<Address, bool> = BTreeMap::new();
    let asked = asked
        .into_iter()
        .filter(|(by, _)| *relied.entry(*by).or_insert_with(|| relies_on(case, *by)));
    asked
        .map(|(_, message)| message)
        .collect::<BTreeSet<_>>()
        .len()
}

/// Whether it is the contract, one that it names, or one that may call it.
fn relies_on(case: &Case, by: Address) -> bool {
    let frames = &case.effects.execution.trace.frames;
    let calls = case.entries.all();
    let calls = calls.filter(|entry| frames[*entry as usize].from == by);
    let mut calls = calls.take(MAX_CALLS);
    by == case.contract.address
        || names(case, by)
        || calls.any(|entry| over_call(case, entry).is_some())
}
