//! Whose signatures an execution found good, and what the contract pays by them.

use super::case::Case;
use super::entries::{account as runs_as, ancestors};
use super::keys::account;
use super::knowledge::names;
use super::lanes::says;
use super::shortfalls::Shortfall;
use crate::evidence::trace::{CallKind, Frame};
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, U256, address, hex};
use std::collections::{BTreeMap, BTreeSet};

const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");
/// `isValidSignature(bytes32,bytes)`, and the same word as its answer.
const VALID: [u8; 4] = hex!("1626ba7e");
/// `permit(address,address,uint256,uint256,uint8,bytes32,bytes32)` of EIP-2612, and DAI's
/// `permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)`; Permit2's of one token and of several; and
/// `permit(address,address,uint256,uint256,bytes)` of ERC-7597.
const PERMITS: [[u8; 4]; 5] = [
    hex!("d505accf"),
    hex!("8fcbaf0c"),
    hex!("2b67b570"),
    hex!("2a2d80d1"),
    hex!("9fd5a6cf"),
];
/// Frames that are looked at for signatures.
const MAX_FRAMES: usize = 4_096;

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

/// All of an execution that stand, but for permits: those allow, and nothing moves by them.
pub(super) fn signatures<'c>(case: &'c Case) -> impl Iterator<Item = Signature> + 'c {
    let frames = &case.effects.execution.trace.frames;
    let permits = |frame: &Frame| PERMITS.iter().any(|one| frame.input.starts_with(one));
    case.frames()
        .take(MAX_FRAMES)
        .filter_map(move |(index, frame)| {
            let (message, signer) = recovered(frame)?;
            let counts = case.stood(index) && !ancestors(frames, frame.parent).any(permits);
            counts.then_some(Signature {
                message,
                signer,
                by: frame.from,
                frame: index,
                entry: case.entries.inside(index),
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

/// What the contract itself found signed in calls, and by whom; `None` where it was asked to believe the same thing again, or
/// went on after a signature of nobody's.
pub(super) fn by_call(case: &Case, calls: &BTreeSet<u32>) -> Option<Signed> {
    let contract = case.contract.address;
    if believes_nobody(case, calls) {
        return None;
    }
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

/// Whether the contract was given a broken signature in one of these calls: code that goes on then counts it as somebody's.
fn believes_nobody(case: &Case, calls: &BTreeSet<u32>) -> bool {
    let asks = |frame: &Frame| frame.from == case.contract.address && frame.to == Some(ECRECOVER);
    case.frames().take(MAX_FRAMES).any(|(index, frame)| {
        let broken = asks(frame) && frame.error.is_none() && frame.output.is_empty();
        let entry = || case.entries.inside(index);
        broken && case.stood(index) && entry().is_some_and(|entry| calls.contains(&entry))
    })
}

/// Whether each payment was signed for: one signature pays an asset to one receiver once, and a fee beside it. Code that the
/// call named, and the contract does not, runs since the signer wants it to, and pays as often as that says.
pub(super) fn paid_once(
    case: &Case,
    loss: &Shortfall,
    calls: &BTreeSet<u32>,
    signed: &Signed,
) -> bool {
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
