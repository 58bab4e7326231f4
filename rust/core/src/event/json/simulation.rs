//! What became of a simulation, for alerts; and one simulation for whoever asks for it.

use super::fields::Text;
use crate::evidence::transfers::Asset;
use crate::evidence::{Factor, FailureKind, Simulation, SimulationStatus, Variation, Violation};
use alloy_primitives::{Address, B256, I256, U256};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// What became of the alert's simulation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "simulation")]
pub enum Status<'a> {
    /// It was not asked for.
    NotRun {
        #[schemars(extend("const" = "not_run"))]
        status: &'static str,
    },
    /// There is no verdict; the alert is the first stage's.
    Failed {
        failure: FailureKind,
        reason: &'a str,
        #[schemars(extend("const" = "failed"))]
        status: &'static str,
    },
    Done(Box<Done<'a>>),
}

impl<'a> Status<'a> {
    pub fn of(status: &'a SimulationStatus) -> Self {
        match status {
            SimulationStatus::NotRun => Self::NotRun { status: "not_run" },
            SimulationStatus::Failed(failure) => Self::Failed {
                failure: failure.kind,
                reason: &failure.reason,
                status: "failed",
            },
            SimulationStatus::Done(done) => Self::Done(Box::new(Done::told(&done.simulation))),
        }
    }
}

/// A simulation that came to its end. Amounts in smallest units.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "done_simulation")]
pub struct Done<'a> {
    /// How the transactions ended that were executed before it.
    before: &'a [Cow<'static, str>],
    /// Which these were, in the same order; only where others than its sender are among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    before_hashes: Vec<Text<B256>>,
    /// Number of the block it was executed in.
    block: u64,
    /// Wei.
    coinbase_payment: Text<U256>,
    created: Vec<Text<Address>>,
    /// Parts of its trace were beyond the limits and not judged.
    cut: bool,
    /// It is known what it does: only then it lowers the first stage's score.
    decides: bool,
    depth: u16,
    factors: &'a [Factor],
    /// What accounts gain or lose; monitored contracts first, then the sender.
    flows: Vec<Flow>,
    frames: usize,
    gas_used: u64,
    /// That it is an attack by the invariants it breaks.
    #[schemars(range(min = 0, max = 1))]
    harm: f32,
    invariants: Vec<Broken<'a>>,
    /// succeeded, reverted, halted: …, invalid: …
    outcome: &'a str,
    /// What monitored contracts lose.
    outflows: Vec<Outflow<'a>>,
    /// That it is an exploit of anything by what it does.
    #[schemars(range(min = 0, max = 1))]
    probability: Option<f32>,
    /// In an alert; who asked for it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(!skip_serializing_if, required, extend("const" = "done"))]
    status: Option<&'static str>,
    /// Monitored contracts that it called.
    touched: &'a [Arc<str>],
    /// Other surroundings in which it does more harm.
    variations: &'a [Variation],
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "flow")]
struct Flow {
    account: Text<Address>,
    amount: Text<I256>,
    /// "native", or a token's address.
    asset: Text<Asset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Text<U256>")]
    id: Option<Text<U256>>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "outflow")]
struct Outflow<'a> {
    amount: Text<U256>,
    /// "native", or a token's address.
    asset: Text<Asset>,
    contract: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Text<U256>")]
    id: Option<Text<U256>>,
}

/// A broken invariant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "invariant")]
struct Broken<'a> {
    contract: &'a str,
    #[schemars(length(max = 400))]
    explanation: &'a str,
    name: &'a str,
    severe: bool,
    #[schemars(range(min = 0, max = 1))]
    weight: f32,
}

impl<'a> Done<'a> {
    /// In an event, with its status.
    pub fn told(simulation: &'a Simulation) -> Self {
        Self {
            status: Some("done"),
            ..Self::of(simulation)
        }
    }

    pub fn of(simulation: &'a Simulation) -> Self {
        let created = simulation.created.iter().copied();
        let hashes = simulation.before_hashes.iter().copied();
        let flows = simulation.flows.iter().map(|flow| Flow {
            account: Text(flow.account),
            amount: Text(flow.amount),
            asset: Text(flow.asset),
            id: id(flow.asset),
        });
        let losses = simulation.losses.iter().map(|loss| Outflow {
            amount: Text(loss.amount),
            asset: Text(loss.asset),
            contract: &loss.contract,
            id: id(loss.asset),
        });
        Self {
            before: &simulation.before,
            before_hashes: hashes.map(Text).collect(),
            block: simulation.block,
            coinbase_payment: Text(simulation.coinbase_payment),
            created: created.map(Text).collect(),
            cut: simulation.cut,
            decides: simulation.decides(),
            depth: simulation.depth,
            factors: &simulation.factors,
            flows: flows.collect(),
            frames: simulation.frames,
            gas_used: simulation.gas_used,
            harm: simulation.harm,
            invariants: simulation.violations.iter().map(Broken::of).collect(),
            outcome: &simulation.outcome,
            outflows: losses.collect(),
            probability: simulation.probability,
            status: None,
            touched: &simulation.touched,
            variations: &simulation.variations,
        }
    }
}

impl<'a> Broken<'a> {
    fn of(violation: &'a Violation) -> Self {
        Self {
            contract: &violation.contract,
            explanation: &violation.explanation,
            name: &violation.invariant,
            severe: violation.severe,
            weight: violation.weight,
        }
    }
}

/// The number of what is unique.
pub(super) fn id(asset: Asset) -> Option<Text<U256>> {
    match asset {
        Asset::Unique(_, id) => Some(Text(id)),
        Asset::Native | Asset::Token(_) => None,
    }
}
