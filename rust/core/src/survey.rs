//! What a block did before anything can be an attack: the contracts it created, and who paid whom.
//!
//! `block`, `traced`, `receipts` and `wrapped` read what nodes answer, [`creations`] makes [`Deployment`]s of it, and [`resolve`]
//! leads clones to whose code they run; none of these asks. The [`surveyor`] does, by the best [`Method`] that the node has.
//! [`simulated`] tells the same of a transaction that was executed here.
//!
//! [`Deployment`]: crate::evidence::Deployment

mod block;
pub mod creations;
mod method;
mod questions;
mod reading;
mod receipts;
pub mod resolve;
pub mod simulated;
pub mod stored;
pub mod surveyor;
mod traced;
mod untraced;
mod wrapped;

pub use method::Method;
pub use surveyor::{SurveyError, Surveyor};

use crate::evidence::Deployment;
use alloy_primitives::{Address, B256, U256};

/// Money that changed hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    pub tx: B256,
    /// The wrapped native asset; nothing where it was native.
    pub token: Option<Address>,
    pub from: Address,
    pub to: Address,
    /// Smallest units.
    pub amount: U256,
}

/// What a block did.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    pub number: u64,
    pub hash: B256,
    /// Unix seconds.
    pub timestamp: u64,
    /// What the block, or the part of it that was hardest to be told of, was read from; nothing where no node told of it.
    pub method: Option<Method>,
    /// In the block's order, those that no trace told of after the others, and delegations last.
    pub deployments: Vec<Deployment>,
    /// Native ones, internal ones too where there are traces, then wrapped ones; each in the block's order. What wrapping and
    /// unwrapping moves between an account and the token is there as the native payment that it is.
    pub payments: Vec<Payment>,
    pub counts: Counts,
}

/// What became of what a block held. All but the first two are what the sensor does not see of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub transactions: u64,
    /// Creations that stand, and accounts that were delegated (EIP-7702); twins too.
    pub created: u64,
    /// Creations that failed, or are inside of what failed.
    pub failed: u64,
    /// Of less code than can do harm, and no clone.
    pub small: u64,
    /// Created and destroyed in the same transaction.
    pub destroyed: u64,
    /// Deployments, delegations and payments above the bounds.
    pub left_out: u64,
    /// Transactions that no trace told of.
    pub untraced: u64,
    /// Transactions that nothing told of.
    pub untold: u64,
    /// Answers, or parts of them, that are not what was asked for.
    pub malformed: u64,
}
