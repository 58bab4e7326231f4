//! `bridge_release`: a release on a root that is zero, or that nobody had confirmed before.

use super::case::Case;
use super::{Finding, words};
use crate::evidence::Class;
use crate::simulate::evm::views::When;
use alloy_primitives::{B256, Bytes, U256};

/// Releases that are looked at in one execution.
const MAX_RELEASES: usize = 64;
/// Reads that are looked at in one execution.
const MAX_READS: usize = 4_096;
/// Reads between finding nothing and taking it for something.
const SHORTLY: usize = 1;
/// A hash is as good as never shorter.
const HASH_BITS: usize = 200;

pub(super) fn check(case: &Case) -> Option<Finding> {
    let entries = case.entries.all().filter(|entry| case.stood(*entry));
    entries
        .filter_map(|entry| released(case, entry))
        .take(MAX_RELEASES)
        .find_map(|(input, root, known)| finding(case, input, root, known))
        .or_else(|| by_nothing(case))
}

/// What a hash stands for is not known, so that it is zero; and zero is known, and so it is taken for good. Seen in what is
/// read one after the other, whatever the function.
fn by_nothing(case: &Case) -> Option<Finding> {
    let contract = case.contract.address;
    let execution = case.effects.execution;
    let own = &case.own()?.storage;
    let reads = execution.accesses.iter().filter(|access| {
        access.contract == contract && access.writes.is_none() && case.stood(access.frame)
    });
    let reads: Vec<_> = reads.map(|access| access.slot).take(MAX_READS).collect();
    let keys = case.keys();
    let key = |slot| keys.numbers(slot).next().and_then(U256::try_from_be_slice);
    let holds = |slot: &U256| own.get(slot).is_some_and(|(before, _)| !before.is_zero());
    let unknown =
        |slot: U256| !holds(&slot) && key(slot).is_some_and(|key| key.bit_len() > HASH_BITS);
    // What somebody has there is theirs, not what nothing stands for; other bridges have no such thing.
    let is_person = |account| case.effects.views.has_code(account) == Some(false);
    let nothing = |slot: &U256| {
        holds(slot)
            && key(*slot).is_some_and(|key| key.is_zero())
            && !keys.accounts(*slot).any(is_person)
    };
    let taken = reads.iter().enumerate().any(|(n, slot)| {
        let next = reads[n + 1..].iter().take(SHORTLY);
        unknown(*slot) && next.clone().any(nothing)
    });
    taken.then(|| Finding {
        class: Class::Attack,
        weight: 0.8,
        severe: false,
        explanation: format!(
            "{} looks for a hash that it does not know, finds zero, and takes zero for known",
            case.contract.name
        ),
        losses: Vec::new(),
    })
}

/// A call that releases: its calldata, its root, and whether it can be asked if that was known.
fn released<'c>(case: &'c Case, entry: u32) -> Option<(&'c Bytes, B256, Option<[u8; 4]>)> {
    let frames = &case.effects.execution.trace.frames;
    let input = &frames[entry as usize].input;
    let (selector, arguments) = input.split_first_chunk::<4>()?;
    let mut releases = case.contract.releases.iter();
    let release = releases.find(|release| release.selector == *selector)?;
    let start = release.root_word.checked_mul(32)?;
    let root = arguments.get(start..start.checked_add(32)?)?;
    Some((input, B256::from_slice(root), release.known))
}

fn finding(case: &Case, input: &Bytes, root: B256, known: Option<[u8; 4]>) -> Option<Finding> {
    let zero = root.is_zero();
    if !zero {
        let question = [&known?[..], root.as_slice()].concat().into();
        let views = case.effects.views;
        let answer = views.number(When::Before, case.contract.address, &question)?;
        if !answer.is_zero() {
            return None;
        }
    }
    Some(Finding {
        class: Class::Attack,
        weight: if zero { 0.9 } else { 0.7 },
        severe: zero,
        explanation: format!(
            "{} of {} releases on {}",
            words::function(case.contract, input),
            case.contract.name,
            match zero {
                true => "a root of zero".to_owned(),
                false => format!("root {root}, which was not known before this transaction"),
            }
        ),
        losses: Vec::new(),
    })
}
