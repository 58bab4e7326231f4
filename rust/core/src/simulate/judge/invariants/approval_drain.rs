//! `approval_drain`: what others allowed a contract to move is moved because somebody's calldata said so.

use super::Finding;
use super::case::Case;
use super::cluster::cluster;
use super::cover::Cover;
use super::entries::ancestors;
use super::lanes::says;
use crate::evidence::Class;
use crate::evidence::trace::Frame;
use crate::evidence::transfers::{Asset, Transfer};
use alloy_primitives::{Address, hex};
use memchr::memmem;
use std::collections::BTreeSet;

const TRANSFER_FROM: [u8; 4] = hex!("23b872dd");
/// Selector and three words.
const LENGTH: usize = 100;
/// Calls of `transferFrom` that are looked at in one execution.
const MAX_CALLS: usize = 128;

/// Of one owner in one call.
const MAX_PAYMENTS: usize = 16;

/// How far the caller chose what was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Chosen {
    /// Token and owner are arguments.
    Arguments,
    /// The whole call came in the calldata: the contract would call anything.
    Call,
}

/// What the owner gets for it, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Payment {
    Something,
    Nothing,
    /// Tokens that were created in this transaction: nobody can have ordered them.
    MadeUp,
}

pub(super) fn check(case: &Case) -> Option<Finding> {
    if case.authorised {
        return None;
    }
    let frames = &case.effects.execution.trace.frames;
    let cluster = cluster(case);
    let moved = case.effects.transfers.iter().filter(|transfer| {
        let frame = &frames[transfer.frame as usize];
        frame.input.len() >= LENGTH && frame.input.starts_with(&TRANSFER_FROM)
    });
    let mut cover = Cover::default();
    let found = moved.take(MAX_CALLS).filter_map(|transfer| {
        let frame = &frames[transfer.frame as usize];
        let (chosen, by) = by_the_contract(case, &cluster, transfer, frame)
            // Nor is an order a theft that its owner signed.
            .filter(|_| !cover.takes(case, transfer))
            .or_else(|| from_the_contract(case, transfer, frame))?;
        Some((chosen, payment(case, transfer), by, transfer))
    });
    let (chosen, payment, spender, transfer) = found.max_by_key(|found| (found.0, found.1))?;
    let signed = match cover.knows(transfer.from) {
        true => "who signed for less than this",
        false => "who did not sign this",
    };
    let how = match chosen {
        Chosen::Call => "by a call that the caller handed over whole",
        Chosen::Arguments => "with owner and token as the caller named them",
    };
    Some(Finding {
        class: Class::Attack,
        weight: match chosen {
            Chosen::Call => 0.85,
            Chosen::Arguments => match payment {
                Payment::MadeUp => 0.85,
                Payment::Nothing => 0.5,
                Payment::Something => 0.3,
            },
        },
        severe: chosen == Chosen::Call,
        explanation: format!(
            "{} of {}, {signed}{}, are moved to {} through what was allowed to {spender}, {how}",
            case.amount(transfer.asset, transfer.amount),
            transfer.from,
            match payment {
                Payment::MadeUp => " and gets a token for it that was made for this",
                Payment::Nothing => "",
                Payment::Something => " but gets something for it",
            },
            transfer.to,
        ),
        losses: vec![(transfer.asset, transfer.amount)],
    })
}

/// What who loses it gets for it: another asset in the same call, as where an order is filled that was signed before. Whether
/// it is worth as much is not known, so that this excuses nothing.
fn payment(case: &Case, transfer: &Transfer) -> Payment {
    let entry = case.entries.inside(transfer.frame);
    let paid = case.effects.transfers.iter().filter(|one| {
        one.to == transfer.from
            && one.from != transfer.from
            && one.asset != transfer.asset
            && !one.amount.is_zero()
            && entry.is_some()
            && case.entries.inside(one.frame) == entry
    });
    let frames = &case.effects.execution.trace.frames;
    let is_new = |one: &Transfer| match one.asset {
        Asset::Native => false,
        Asset::Token(token) | Asset::Unique(token, _) => {
            let mut created = frames.iter().filter(|frame| frame.kind.creates());
            created.any(|frame| frame.to == Some(token))
        }
    };
    let mut all = paid.take(MAX_PAYMENTS).map(is_new).peekable();
    match (all.peek().is_some(), all.all(|is_new| is_new)) {
        (false, _) => Payment::Nothing,
        (true, true) => Payment::MadeUp,
        (true, false) => Payment::Something,
    }
}

/// The contract spends an allowance of somebody who has no part in this.
fn by_the_contract(
    case: &Case,
    cluster: &BTreeSet<Address>,
    transfer: &Transfer,
    frame: &Frame,
) -> Option<(Chosen, Address)> {
    let contract = case.contract.address;
    let owner = transfer.from;
    if frame.from != contract || owner == contract || cluster.contains(&owner) {
        return None;
    }
    let frames = &case.effects.execution.trace.frames;
    let entry = case.entries.inside(frame.parent)?;
    let call = &frames[entry as usize];
    // Who called, or called who called, agreed.
    if ancestors(frames, entry).any(|frame| frame.from == owner) {
        return None;
    }
    Some((chosen(&call.input, transfer, frame)?, contract))
}

/// Another spends the contract's own allowance while the contract does nothing.
fn from_the_contract(case: &Case, transfer: &Transfer, frame: &Frame) -> Option<(Chosen, Address)> {
    let spender = frame.from;
    let contract = case.contract;
    if transfer.from != contract.address
        || case.entries.inside(transfer.frame).is_some()
        || contract.receivers.contains(&transfer.to)
        || case.trusts(spender)
    {
        return None;
    }
    let frames = &case.effects.execution.trace.frames;
    let mut calls = ancestors(frames, frame.parent);
    let call = calls.find(|call| call.to == Some(spender))?;
    Some((chosen(&call.input, transfer, frame)?, spender))
}

fn chosen(calldata: &[u8], transfer: &Transfer, call: &Frame) -> Option<Chosen> {
    let names = |account: Address| says(calldata, account);
    let (Asset::Token(token) | Asset::Unique(token, _)) = transfer.asset else {
        return None;
    };
    if !names(transfer.from) {
        return None;
    }
    let whole = call.input.get(..LENGTH)?;
    if calldata
        .get(4..)
        .is_some_and(|rest| memmem::find(rest, whole).is_some())
    {
        return Some(Chosen::Call);
    }
    names(token).then_some(Chosen::Arguments)
}
