//! `read_only_reentrancy`: the contract asks another that is in the middle of a call, and gets what is out of date.

use super::Finding;
use super::case::Case;
use super::cluster::cluster;
use super::entries::{Entries, account};
use super::reentrancy::{Reliance, reentries};
use crate::evidence::Class;
use crate::evidence::trace::Trace;
use alloy_primitives::Address;
use std::collections::{BTreeSet, HashMap};

/// Contracts asked in the middle of their calls that are looked at.
const MAX_ASKED: usize = 8;

pub(super) fn check(case: &Case) -> Option<Finding> {
    let trace = &case.effects.execution.trace;
    let asked = asked_in_the_middle(trace, case);
    if asked.is_empty() {
        return None;
    }
    let strangers = cluster(case);
    let reliance = Reliance::new(case, &strangers);
    let asked = asked.into_iter();
    let (pool, reentry) = asked.take(MAX_ASKED).find_map(|pool| {
        let entries = Entries::new(trace, pool, |account| case.trusts(account));
        let reentries = reentries(case, pool, &entries).into_iter();
        let mut believed = reentries.filter(|reentry| {
            let entry = case.entries.inside(reentry.inner);
            entry.is_some_and(|entry| entry > reentry.outer) && !reliance.excuses(pool, *reentry)
        });
        Some((pool, believed.next()?))
    })?;
    let selector = |frame: u32| {
        let input = &trace.frames[frame as usize].input;
        alloy_primitives::hex::encode_prefixed(input.get(..4).unwrap_or_default())
    };
    Some(Finding {
        class: Class::Attack,
        weight: 0.8,
        severe: false,
        explanation: format!(
            "{} asks {pool} ({}) in the middle of that contract's {}, and is answered from what is written only afterwards",
            case.contract.name,
            selector(reentry.inner),
            selector(reentry.outer),
        ),
        losses: Vec::new(),
    })
}

/// Accounts that the contract's calls led to while they were already at work around it.
fn asked_in_the_middle(trace: &Trace, case: &Case) -> BTreeSet<Address> {
    // The depth at which each account came to work first, of the accounts at work.
    let mut at_work: HashMap<Address, usize> = HashMap::new();
    let mut path: Vec<Option<Address>> = Vec::new();
    let mut asked = BTreeSet::new();
    for (index, frame) in (0_u32..).zip(&trace.frames) {
        let depth = usize::from(frame.depth).min(path.len());
        for (depth, over) in path
            .drain(depth..)
            .enumerate()
            .map(|(n, over)| (depth + n, over))
        {
            if let Some(over) = over
                && at_work.get(&over) == Some(&depth)
            {
                at_work.remove(&over);
            }
        }
        let own = account(frame);
        if let (Some(own), Some(entry)) = (own, case.entries.inside(index))
            && own != case.contract.address
            && let Some(first) = at_work.get(&own)
            && *first < usize::from(trace.frames[entry as usize].depth)
        {
            asked.insert(own);
        }
        if let Some(own) = own {
            at_work.entry(own).or_insert(depth);
        }
        path.push(own);
    }
    asked
}
