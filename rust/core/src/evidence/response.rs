//! Whether pausing contracts before a transaction would take its harm, and what the race would cost.

use alloy_primitives::U256;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// What became of the question.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    Unasked(Unasked),
    Answered(Box<Answer>),
}

impl Response {
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) => Some(answer),
            Self::Unasked(_) => None,
        }
    }
}

/// What keeps a transaction out of every block to come.
pub fn nonce_used(nonce: u64) -> Cow<'static, str> {
    format!("nonce {nonce} is used").into()
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unasked {
    /// For people; the same in a replay.
    pub why: Cow<'static, str>,
    /// A part of the state is missing: it may be there on another attempt.
    pub missing: bool,
}

impl Unasked {
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self {
            why: why.into(),
            missing: false,
        }
    }
}

/// Of [pauses, attack], executed on the state of the simulation. Amounts in wei, fees in wei a gas.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Contracts that are paused, in this order; those that were tried, where no pause goes through.
    pub targets: Vec<Arc<str>>,
    /// Every pause that was tried, in order.
    pub pauses: Vec<TriedPause>,
    /// All of `targets` are paused by their calls.
    pub pause_succeeds: bool,
    /// All of `targets` say that they were paused before.
    pub already_paused: bool,
    /// What the pauses leave of the harm, 0 to 1; 1 where they fail.
    pub harm_left: f32,
    /// Spent by the pauses of `targets` together, before refunds.
    pub pause_gas: u64,
    /// Somebody else who sends the same gains at least half as much.
    pub copyable: bool,
    pub attack: Bid,
    /// Of the next block.
    pub base_fee: u64,
    /// Why the next block cannot have it; nothing where it can.
    pub obstacle: Option<Cow<'static, str>>,
}

/// What the attack offers for its place in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bid {
    /// To the block's beneficiary, tips and bribes.
    pub payment: U256,
    /// As its receipt would say.
    pub gas: u64,
    /// What it pays above the next base fee.
    pub tip: u128,
    pub max_fee: u128,
}

/// A pause that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "tried_pause")]
pub struct TriedPause {
    /// Its check said so before.
    pub already_paused: bool,
    pub contract: Arc<str>,
    /// Spent, before refunds; 0 where no block could hold it.
    pub gas: u64,
    /// The call succeeds, and where there is a check, it says so afterwards.
    pub succeeds: bool,
}
