//! What a block did before anything can be an attack: the contracts it created, and who paid whom.
//!
//! `block`, `traced`, `receipts` and `wrapped` read what nodes answer, [`creations`](crate::simulate::creations) makes [`Deployment`]s of it, and [`resolve`]
//! leads clones to whose code they run; none of these asks. The [`surveyor`] does, by the best [`Method`] that the node has.
//! [`simulated`] tells the same of a transaction that was executed here.
//!
//! [`Deployment`]: crate::evidence::Deployment

mod block;
mod method;
mod questions;
mod reading;
pub mod receipts;
pub mod resolve;
pub mod surveyor;
mod traced;
mod untraced;
mod wrapped;

pub use method::Method;
pub use surveyor::{SurveyError, Surveyor};

use crate::evidence::Deployment;
use crate::simulate::creations::Counts;
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
    pub parent: B256,
    /// Unix seconds.
    pub timestamp: u64,
    /// What the block, or the part of it that was hardest to be told of, was read from; nothing where no node told of it.
    pub method: Option<Method>,
    /// In the block's order, those that no trace told of after the others, and delegations last.
    pub deployments: Vec<Deployment>,
    /// Native ones, internal ones too where there are traces, then wrapped ones; each in the block's order. What wrapping and
    /// unwrapping moves between an account and the token is there as the native payment that it is.
    pub payments: Vec<Payment>,
    /// Transactions with who signed them, in order.
    pub signers: Vec<(B256, Address)>,
    pub counts: Counts,
}
