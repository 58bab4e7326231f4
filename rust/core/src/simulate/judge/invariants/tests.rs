//! Every check on executed contracts: what fires it, and the honest neighbour that must not.

mod approval_drain;
mod assembler;
mod authority;
mod booking;
mod bridge_release;
mod cumulative_outflow;
mod decided;
mod donation;
mod exchange;
mod governance;
mod holdings;
mod judgement;
mod outflow;
mod price_manipulation;
mod properties;
mod read_only_reentrancy;
mod reentrancy;
mod reserves;
mod signed;
mod solvency;
mod takeover;
mod third_party;
mod unique;
mod view;
mod wiring;
mod world;

use super::*;
use alloy_primitives::{Bytes, keccak256};
use world::{ADMIN, ALICE, ETHER, MALLORY, World, encode};

fn named<'v>(violations: &'v [Violation], name: &str) -> Option<&'v Violation> {
    violations.iter().find(|v| v.invariant == name)
}

fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}
