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
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Different answers whose sources are looked at.
const MAX_HEARD: usize = 1_024;
/// Questions that are asked again.
const MAX_QUESTIONS: usize = 32;
/// By how much a price must be off where nothing was borrowed: a large trade moves it, too.
const STRONGLY: f64 = 0.1;

pub(super) fn check(case: &Case) -> Option<Finding> {
    let cluster = cluster(case);
    let gains = Gains::new(case, &cluster)?;
    let mut asked = HashSet::new();
    let heard = questions(case, &cluster).filter_map(|(index, frame)| {
        let (tolerated, least) = gains.tolerate(case, index, frame)?;
        let first = asked.insert((frame.to, &frame.input, &frame.output));
        first.then_some((index, frame, tolerated, least))
    });
    let mut sources: Option<Sources> = None;
    let moved = heard.take(MAX_HEARD).filter(|(index, .., least)| {
        let sources = sources.get_or_insert_with(|| Sources::new(case, &cluster));
        let mover = sources.mover(*index);
        mover >= *least && mover != Mover::Signer
    });
    let mut moved = moved.take(MAX_QUESTIONS);
    let (index, frame, off) = moved.find_map(|(index, frame, tolerated, _)| {
        let off = deviation(case, frame)?;
        (off.abs() > tolerated).then_some((index, frame, off))
    })?;
    Some(Finding {
        class: Class::Attack,
        weight: 0.85,
        severe: false,
        explanation: explanation(case, frame, off, gains.borrowed(index)),
        losses: Vec::new(),
    })
}

/// What somebody may have of a price that is off.
struct Gains {
    loans: Vec<FlashLoan>,
    /// Of the sender's side, where something was borrowed.
    profit: Option<(Asset, I256)>,
    /// The last frame that took from the contract what it has less of afterwards.
    paid: Option<u32>,
}

impl Gains {
    /// `None` where nobody has anything of it.
    fn new(case: &Case, cluster: &BTreeSet<Address>) -> Option<Self> {
        let effects = case.effects;
        let loans = flash_loans(&effects.execution.trace, effects.transfers, |account| {
            cluster.contains(&account)
        });
        let profit = match loans.is_empty() {
            true => None,
            false => profit(case, cluster).first().copied(),
        };
        let paid = paid_last(case);
        (profit.is_some() || paid.is_some()).then_some(Self {
            loans,
            profit,
            paid,
        })
    }

    /// By how much what a question is answered may be off, and who must have moved it to be more. With borrowed money and a
    /// profit a little is enough; else it must be much, by a stranger's hand, and be paid for.
    fn tolerate(&self, case: &Case, question: u32, frame: &Frame) -> Option<(f64, Mover)> {
        let limit = case.contract.limits.price_manipulation.deviation;
        if self.borrowed(question).is_some() {
            return Some((limit, Mover::Nobody));
        }
        let entry = case.entries.inside(question)?;
        let believed = self.paid.is_some_and(|paid| paid > question) && case.acts(entry);
        // Through others, what somebody has is asked for many reasons.
        let as_price = !frame.input.starts_with(&BALANCE_OF) || frame.from == case.contract.address;
        (believed && as_price).then_some((limit.max(STRONGLY), Mover::Stranger))
    }

    /// The largest loan that was owed while a frame ran, and the profit.
    fn borrowed(&self, frame: u32) -> Option<(&FlashLoan, (Asset, I256))> {
        let owed = self.loans.iter().filter(|loan| loan.covers(frame));
        owed.max_by_key(|loan| loan.amount).zip(self.profit)
    }
}

/// The questions of prices that the contract asked, or that were asked for it, with answers that stand.
fn questions<'c, 'e>(
    case: &'c Case<'e>,
    cluster: &'c BTreeSet<Address>,
) -> impl Iterator<Item = (u32, &'e Frame)> + use<'c, 'e> {
    let effects = case.effects;
    let frames = &effects.execution.trace.frames;
    let traders = traders(case, cluster);
    // What is asked in one call is asked for the same.
    let mut for_it = BTreeMap::new();
    case.frames().filter(move |(index, frame)| {
        let index = *index;
        tells(frame, &traders)
            && heard(case, frame).is_some()
            && case.stood(index)
            && case
                .entries
                .inside(index)
                .is_some_and(|entry| entry != index)
            && !cluster.contains(&frame.from)
            && *for_it
                .entry(asking::at_work(frames, index))
                .or_insert_with(|| {
                    asking::for_account(effects, case.contract.address, index, cluster)
                })
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
