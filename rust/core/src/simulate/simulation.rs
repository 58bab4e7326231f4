//! What a transaction would do: the evidence of one simulation.

use super::execute::Execution;
use super::flows::Asset;
use super::invariants::Violation;
use crate::detection::Factor;
use alloy_primitives::{Address, I256, U256};
use std::borrow::Cow;
use std::sync::Arc;

/// One account's gain or loss in one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    pub account: Address,
    pub asset: Asset,
    /// Smallest units; negative where it lost.
    pub amount: I256,
}

/// What a monitored contract would lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub contract: Arc<str>,
    pub asset: Asset,
    /// Smallest units.
    pub amount: U256,
}

/// The same transaction in other surroundings, where it did more harm than in the likely ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Variation {
    /// What was changed.
    pub of: &'static str,
    /// As [`Simulation::harm`] and [`Simulation::probability`].
    pub harm: f32,
    pub probability: Option<f32>,
}

/// One simulation.
#[derive(Debug, Clone, Default)]
pub struct Simulation {
    /// Number of the block that it was executed in.
    pub block: u64,
    /// How it ended, in a word or with its reason.
    pub outcome: Cow<'static, str>,
    pub succeeded: bool,
    /// How the transactions ended that were executed before it.
    pub before: Vec<Cow<'static, str>>,
    pub gas_used: u64,
    /// Calls, and the deepest of them.
    pub frames: usize,
    pub depth: u16,
    /// Monitored contracts that it called, by name.
    pub touched: Vec<Arc<str>>,
    pub created: Vec<Address>,
    /// The largest movers first come the monitored contracts, then the sender; bounded in number.
    pub flows: Vec<Flow>,
    /// Wei.
    pub coinbase_payment: U256,
    pub violations: Vec<Violation>,
    /// Expected where the transaction lands.
    pub losses: Vec<Loss>,
    /// That it is an attack by the broken invariants, 0 to 1.
    pub harm: f32,
    /// That it is an exploit of anything by what it does, 0 to 1; absent where it did not succeed, or without a model.
    pub probability: Option<f32>,
    pub factors: Vec<Factor>,
    /// Where its harm hangs on its surroundings.
    pub variations: Vec<Variation>,
    /// Parts of its trace did not fit and are not judged.
    pub cut: bool,
    /// All of it, for whoever asked for this simulation; alerts do without.
    pub execution: Option<Arc<Execution>>,
}

/// How much the evidence of the first stage counts once it is known what the transaction does: not enough for an alert.
const STAGE_ONE: f32 = 0.5;

impl Simulation {
    /// The final probability: invariants, the model of what it does, and the first stage's score as independent evidence,
    /// `1 − (1 − harm)(1 − probability)(1 − ½ stage one)`.
    pub fn verdict(&self, stage_one: f32) -> f32 {
        let varied = |of: fn(&Variation) -> f32| self.variations.iter().map(of).fold(0.0, f32::max);
        let harm = self.harm.max(varied(|variation| variation.harm));
        let probability = self.probability.unwrap_or(0.0);
        let probability = probability.max(varied(|v| v.probability.unwrap_or(0.0)));
        let innocent = (1.0 - harm) * (1.0 - probability) * (1.0 - STAGE_ONE * stage_one);
        (1.0 - innocent).clamp(0.0, 1.0)
    }
}
