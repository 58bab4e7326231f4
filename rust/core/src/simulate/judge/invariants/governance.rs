//! `governance`: votes are borrowed, and a proposal is carried out before they are given back.

use super::case::Case;
use super::cluster::cluster;
use super::flash_loan::flash_loans;
use super::{Finding, words};
use crate::evidence::Class;
use alloy_primitives::keccak256;
use std::sync::LazyLock;

const FUNCTIONS: &[&str] = &[
    "execute(uint256)",
    "execute(address[],uint256[],bytes[],bytes32)",
    "execute(address[],uint256[],string[],bytes[],bytes32)",
    "executeProposal(uint256)",
    "emergencyCommit(uint32)",
    "emergencyCommit(uint256)",
];

static SELECTORS: LazyLock<Vec<[u8; 4]>> = LazyLock::new(|| {
    let hashes = FUNCTIONS.iter().map(keccak256);
    hashes
        .map(|hash| [hash[0], hash[1], hash[2], hash[3]])
        .collect()
});

pub(super) fn check(case: &Case) -> Option<Finding> {
    let trace = &case.effects.execution.trace;
    let carries_out = |selector: &[u8; 4]| {
        SELECTORS.contains(selector) || case.contract.governance_functions.contains(selector)
    };
    let executions = case.entries.all().filter(|entry| {
        let input = &trace.frames[*entry as usize].input;
        case.stood(*entry) && input.first_chunk::<4>().is_some_and(carries_out)
    });
    let executions: Vec<u32> = executions.collect();
    if executions.is_empty() {
        return None;
    }
    let cluster = cluster(case);
    let loans = flash_loans(trace, case.effects.transfers, |account| {
        cluster.contains(&account)
    });
    let during = |entry: &u32| loans.iter().find(|loan| loan.covers(*entry));
    let (loan, entry) = executions
        .iter()
        .find_map(|entry| Some((during(entry)?, *entry)))?;
    Some(Finding {
        class: Class::Attack,
        weight: 0.9,
        severe: true,
        explanation: format!(
            "{} of {} carries out a proposal while {} are borrowed from {} for this transaction alone",
            words::function(case.contract, &trace.frames[entry as usize].input),
            case.contract.name,
            case.amount(loan.asset, loan.amount),
            loan.lender,
        ),
        losses: Vec::new(),
    })
}
