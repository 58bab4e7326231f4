//! What a transaction would do: the evidence of one simulation.

use super::accesses::Accesses;
use super::authenticity::Identity;
use super::deployment::Deployment;
use super::failure::Failure;
use super::trace::Trace;
use super::transfers::Asset;
use super::witness::RecordedSimulation;
use super::{Factor, Response, Unaccounted, Victim, Violation, nonce_used};
use alloy_primitives::{Address, B256, I256, U256};
use schemars::JsonSchema;
use serde::Serialize;
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

/// The same transaction in other surroundings, where it did more harm than in the likely ones, or came to no end.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "variation")]
pub struct Variation {
    /// It came to its end. What does not exonerates nothing.
    pub finished: bool,
    /// As the simulation's own.
    #[schemars(range(min = 0, max = 1))]
    pub harm: f32,
    /// What was changed.
    #[schemars(extend("enum" = ["coinbase", "time", "price", "gas limit", "all"]))]
    pub of: &'static str,
    #[schemars(range(min = 0, max = 1))]
    pub probability: Option<f32>,
}

/// One simulation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Simulation {
    /// Number of the block that it was executed in.
    pub block: u64,
    /// How it ended, in a word or with its reason.
    pub outcome: Cow<'static, str>,
    pub succeeded: bool,
    /// How the transactions ended that were executed before it.
    pub before: Vec<Cow<'static, str>>,
    /// Which they were, where others than its sender are among them.
    pub before_hashes: Vec<B256>,
    pub gas_used: u64,
    /// Calls, and the deepest of them.
    pub frames: usize,
    pub depth: u16,
    /// Monitored contracts that it called, by name.
    pub touched: Vec<Arc<str>>,
    pub created: Vec<Address>,
    /// The same with all that is known of them, where somebody looks for new contracts.
    pub deployments: Vec<Deployment>,
    /// How much the code of these looks like an attacker's, at the most.
    pub code_score: Option<f32>,
    /// The largest movers first come the monitored contracts, then the sender; bounded in number.
    pub flows: Vec<Flow>,
    /// Wei.
    pub coinbase_payment: U256,
    pub violations: Vec<Violation>,
    /// Expected where the transaction lands.
    pub losses: Vec<Loss>,
    /// Of what it breaks, else of what it breaks in other surroundings.
    pub victims: Vec<Victim>,
    /// Whether pauses would help; nothing where there is none that could.
    pub response: Option<Response>,
    /// That it is an attack by the broken invariants, 0 to 1.
    pub harm: f32,
    /// That it is an exploit of anything by what it does, 0 to 1; absent where it did not succeed, or without a model.
    pub probability: Option<f32>,
    pub factors: Vec<Factor>,
    /// Where its harm hangs on its surroundings.
    pub variations: Vec<Variation>,
    /// It called a monitored contract in a way that can change something.
    pub acted: bool,
    /// It was executed on what it will find as far as can be told: its sender's nonce was its own, no call went to where no
    /// code is yet, and its gas was not lowered.
    pub complete: bool,
    /// Its severe harm hangs on what others have before it here, and pay less for their place: the block may have it first.
    pub outbids: bool,
    /// A contract that was asked about what it did had no answer, because all together took too much: an invariant may be
    /// silent for that, and what breaks is broken all the same.
    pub exhausted: bool,
    /// Its storage and all accounts were watched, so that invariants could tell.
    pub watched: bool,
    /// Who has to do with a monitored contract by what it shows: who called one, or has its address in storage since; each with
    /// that one.
    pub leads: Vec<(Address, Address)>,
    /// What it takes of monitored contracts, large or small, where nothing accounts for it.
    pub unaccounted: Vec<Unaccounted>,
    /// What it read and wrote.
    pub accesses: Accesses,
    /// Parts of its trace did not fit and are not judged.
    pub cut: bool,
    /// All its calls, for whoever asked for this simulation; alerts do without.
    pub trace: Option<Arc<Trace>>,
}

impl Simulation {
    /// A block has the transaction: whatever the state before that one allows, none to come can have it.
    pub fn was_mined(&mut self, nonce: u64) {
        if let Some(Response::Answered(answer)) = &mut self.response {
            answer.obstacle = Some(nonce_used(nonce));
        }
    }
}

/// A simulation's end.
#[derive(Debug, Clone)]
pub struct SimulationResult {
    pub hash: B256,
    /// Of its contents, as the pipeline knows them.
    pub fingerprint: u64,
    /// Whether they are what its hash says, and who signed them.
    pub identity: Identity,
    pub result: Result<Box<Simulation>, Failure>,
    /// From the decision to simulate to the verdict.
    pub took_us: f64,
    /// What is needed to do the same again; only where a capture wants it.
    pub record: Option<Box<RecordedSimulation>>,
}
