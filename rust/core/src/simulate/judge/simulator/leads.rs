//! Who turned out to have to do with a monitored contract: calls of them are of interest from now on.

use crate::simulate::evm::execute::Execution;
use crate::simulate::evm::told::named_in;
use crate::simulate::judge::invariants::{ancestors, runs_as, says};
use alloy_primitives::Address;

/// Of one execution, and calls of monitored contracts that are looked at.
const MOST: usize = 32;
const CALLS: usize = 128;

/// Who led to a monitored contract without being told of it, and accounts in whose storage its address was written; each with
/// the monitored contract. Of those that called one another it is the nearest: whoever is called by everybody to call anybody
/// (a router, a multicall, an entry point) has nothing to do with whom its caller names, and all its traffic would be of
/// interest.
pub fn of(execution: &Execution, monitored: &[Address]) -> Vec<(Address, Address)> {
    let mut leads = Vec::new();
    let mut add = |account: Address, contract: Address| {
        let lead = (account, contract);
        if leads.len() < MOST && !monitored.contains(&account) && !leads.contains(&lead) {
            leads.push(lead);
        }
    };
    let frames = &execution.trace.frames;
    let called = frames.iter().filter_map(|frame| {
        let contract = frame.to.filter(|to| monitored.contains(to))?;
        Some((frame.parent, contract))
    });
    for (parent, contract) in called.take(CALLS) {
        let mut callers = ancestors(frames, parent);
        let untold = callers.find(|caller| !says(&caller.input, contract));
        if let Some(account) = untold.and_then(runs_as) {
            add(account, contract);
        }
    }
    for (account, diff) in &execution.diff.0 {
        for (before, after) in diff.storage.values() {
            if before != after {
                named_in(*after, monitored).for_each(|contract| add(*account, contract));
            }
        }
    }
    leads
}
