//! What a transaction would break.

use super::transfers::Asset;
use alloy_primitives::U256;
use std::borrow::Cow;
use std::sync::Arc;

/// What a violation is evidence of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The contract or its users have less than they should.
    Loss,
    /// It was done in the way of a known class of attacks.
    Attack,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The check's name; `view:` and the sid of one from the user's rules.
    pub invariant: Cow<'static, str>,
    /// The monitored contract's name.
    pub contract: Arc<str>,
    pub class: Class,
    /// How likely it is an attack by this alone, 0 to 1.
    pub weight: f32,
    /// A loss that no honest transaction causes: it needs no second sign.
    pub severe: bool,
    /// One sentence, at most 400 characters.
    pub explanation: String,
    /// What the contract, or who trusted it, lost in the transaction, smallest units.
    pub losses: Vec<(Asset, U256)>,
    /// Of what the contract had of these before, 0 to 1, where that is known.
    pub shares: Vec<(Asset, f32)>,
}
