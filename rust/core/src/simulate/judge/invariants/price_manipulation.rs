//! `price_manipulation`: a price is moved in the transaction, the contract believes it, and somebody gains by that.
//!
//! Borrowing and profit alone are an arbitrage; what makes it an attack is that the contract was told a price that did
//! not hold before the transaction. Whatever the contract asked is asked again on the state before.

use super::case::Case;
use super::cluster::{cluster, profit};
use super::flash_loan::{FlashLoan, flash_loans};
use super::prices::{deviation, heard, tells};
use super::sources::{Mover, Sources};
use super::{Finding, asking, words};
use crate::evidence::Class;
use crate::evidence::trace::Frame;
use crate::evidence::transfers::Asset;
use crate::simulate::evm::views::BALANCE_OF;
use alloy_primitives::{Address, I256};
use std::collections::{BTreeSet, HashSet};

/// Different questions that are asked again.
const MAX_QUESTIONS: usize = 32;
/// By how much a price must be off where nothing was borrowed: a large trade moves it, too.
const STRONGLY: f64 = 0.1;

pub(super) fn check(case: &Case) -> Option<Finding> {
    let effects = case.effects;
    let trace = &effects.execution.trace;
    let cluster = cluster(case);
    let loans = flash_loans(trace, effects.transfers, |account| {
        cluster.contains(&account)
    });
    let gain = match loans.is_empty() {
        true => None,
        false => profit(case, &cluster).first().copied(),
    };
    let last = paid_last(case);
    if gain.is_none() && last.is_none() {
        return None;
    }
    let traders = traders(case, &cluster);
    let limit = case.contract.limits.price_manipulation.deviation;
    // With borrowed money and a gain a little is enough; else it must be much, by somebody's hand, and be paid for.
    let tolerated = |index: u32, frame: &Frame| {
        let borrowed = gain.is_some() && loans.iter().any(|loan| loan.covers(index));
        let believed = last.is_some_and(|last| last > index) && acts_in(case, index);
        // Through others, what somebody has is asked for many reasons.
        let as_price = !frame.input.starts_with(&BALANCE_OF) || frame.from == case.contract.address;
        match (borrowed, believed && as_price) {
            (true, _) => Some((limit, Mover::Nobody)),
            (false, true) => Some((limit.max(STRONGLY), Mover::Stranger)),
            (false, false) => None,
        }
    };
    let mut sources = Sources::new(case, &cluster);
    let mut asked = HashSet::new();
    let told = case.frames().filter(|(index, frame)| {
        tells(frame, &traders)
            && heard(case, frame).is_some()
            && case.stood(*index)
            && case
                .entries
                .inside(*index)
                .is_some_and(|entry| entry != *index)
            && asking::for_account(effects, case.contract.address, *index, &cluster)
    });
    let told = told.filter_map(|(index, frame)| Some((index, frame, tolerated(index, frame)?)));
    let told = told.filter(|(index, _, (_, least))| {
        let mover = sources.mover(*index);
        mover >= *least && mover != Mover::Signer
    });
    let mut told = told.filter(|(_, frame, _)| {
        asked.len() < MAX_QUESTIONS && asked.insert((frame.to, &frame.input, &frame.output))
    });
    let (index, frame, moved) = told.find_map(|(index, frame, (tolerated, _))| {
        let moved = deviation(case, frame)?;
        (moved.abs() > tolerated).then_some((index, frame, moved))
    })?;
    let loan = loans.iter().filter(|loan| loan.covers(index));
    let loan = loan.max_by_key(|loan| loan.amount);
    Some(Finding {
        class: Class::Attack,
        weight: 0.85,
        severe: false,
        explanation: explanation(case, frame, moved, loan.zip(gain)),
        losses: Vec::new(),
    })
}

fn explanation(
    case: &Case,
    frame: &Frame,
    moved: f64,
    borrowed: Option<(&FlashLoan, (Asset, I256))>,
) -> String {
    let told = format!(
        "{} is told a price by {} that is {} {} than before the transaction",
        case.contract.name,
        frame.to.unwrap_or_default(),
        words::percent(moved.abs()),
        if moved > 0.0 { "higher" } else { "lower" },
    );
    match (borrowed, case.shortfalls.first()) {
        (Some((loan, (asset, gain))), _) => format!(
            "{} borrowed and repaid; meanwhile {told}; the sender's side gains {}",
            case.amount(loan.asset, loan.amount),
            case.amount(asset, gain.unsigned_abs()),
        ),
        (None, Some(loss)) => format!(
            "{told}, which moved it, and pays {} to {}",
            case.amount(loss.asset, loss.amount),
            loss.receiver,
        ),
        (None, None) => told,
    }
}

/// Whether the call into the contract that a frame runs inside of may change something.
fn acts_in(case: &Case, frame: u32) -> bool {
    let entry = case.entries.inside(frame);
    entry.is_some_and(|entry| case.acts(entry))
}

/// The last frame that took from the contract what it has less of afterwards; `None` where it lost nothing, or where it is
/// not known who wrote what.
fn paid_last(case: &Case) -> Option<u32> {
    if !case.effects.execution.watched {
        return None;
    }
    let contract = case.contract.address;
    let paid = case.effects.transfers.iter().filter(|one| {
        one.from == contract && case.shortfalls.iter().any(|loss| loss.is_of(one.asset))
    });
    paid.map(|one| one.frame).max()
}

/// Third parties that both gave and got.
fn traders(case: &Case, cluster: &BTreeSet<Address>) -> BTreeSet<Address> {
    let transfers = case.effects.transfers;
    let gave: BTreeSet<_> = transfers.iter().map(|one| one.from).collect();
    let got = transfers.iter().map(|one| one.to);
    let both = got.filter(|account| gave.contains(account));
    both.filter(|account| *account != case.contract.address && !cluster.contains(account))
        .collect()
}
