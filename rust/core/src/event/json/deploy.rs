//! `deploy`: a new contract with what is known of it, and the same in the alert that it may be worth.

use super::Origin;
use super::fields::{ChainId, Sensor, Text, Timestamp, Version};
use super::simulation::Done;
use crate::evidence::{
    Assessment, Contained, ContractScore, Detonation, EarlyName, EarlyReason, EarlyThresholds,
    EarlyWarning, Factor, Funding, FundingGrade, Guard, Label, PastAttacker, Place, Proof,
    Sighting, Trial,
};
use alloy_primitives::{Address, B256, U256};
use schemars::JsonSchema;
use serde::Serialize;

/// A contract that is new.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "deploy")]
pub struct Deploy<'a> {
    chain_id: ChainId,
    contract: Contract<'a>,
    #[schemars(extend("const" = "deploy"))]
    event_type: &'static str,
    /// That hold no longer: those of its alerts, where it is gone.
    labels: &'a [Label],
    schema_version: Version,
    sensor: Sensor<'a>,
    timestamp: Text<Timestamp>,
}

impl<'a> Deploy<'a> {
    pub fn new(origin: &'a Origin, assessment: &'a Assessment, refuted: &'a [Label]) -> Self {
        let at_us = assessment.found.at_ms.saturating_mul(1000);
        Self {
            chain_id: ChainId(origin.chain_id),
            contract: Contract::of(assessment),
            event_type: "deploy",
            labels: refuted,
            schema_version: Version::default(),
            sensor: Sensor(&origin.sensor),
            timestamp: Text(Timestamp(at_us)),
        }
    }
}

/// Of an alert about a new contract: why it is one, and what to make of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "early")]
pub struct Early<'a> {
    contract: Contract<'a>,
    labels: Vec<Label>,
    metadata: serde_json::Map<String, serde_json::Value>,
    name: EarlyName,
    reason: EarlyReason,
}

impl<'a> Early<'a> {
    pub fn of(warning: &'a EarlyWarning) -> Self {
        Self {
            contract: Contract::of(&warning.assessment),
            labels: warning.labels(),
            metadata: warning.metadata(),
            name: warning.reason.name(),
            reason: warning.reason,
        }
    }
}

/// What is known of a new contract.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "contract")]
struct Contract<'a> {
    address: Text<Address>,
    /// Of the block that has it; null while it is pending.
    block: Option<u64>,
    /// Bytes of its code as it runs; 0 where it could not be had.
    code_size: usize,
    /// Monitored contracts that it holds.
    contained: Vec<Held<'a>>,
    /// Whose code created it.
    creator: Text<Address>,
    /// Who signed the transaction.
    deployer: Text<Address>,
    /// What calling it showed; null where it was not called.
    detonation: Option<Detonated<'a>>,
    /// Where its deployer's money comes from, the gravest first.
    funding: Vec<Funded<'a>>,
    /// Whose code it runs in place of its own.
    implementation: Option<Text<Address>>,
    past_attacker: Option<Attacker<'a>>,
    /// Null where there is no code, or no model.
    score: Option<Score<'a>>,
    #[schemars(extend("enum" = ["pending", "simulated", "mined", "gone"]))]
    seen: &'static str,
    /// Others with the same code from the same transaction, as far as they are listed, and how many more there are.
    twins: Vec<Text<Address>>,
    twins_more: usize,
    /// The transaction that creates it.
    tx: Text<B256>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "contained")]
struct Held<'a> {
    address: Text<Address>,
    contract: &'a str,
    place: Place,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "funding")]
struct Funded<'a> {
    /// Smallest units, of the last transfer.
    amount: Text<U256>,
    block: u64,
    grade: FundingGrade,
    /// 1: from the service itself.
    hops: u8,
    service: &'a str,
    source: Text<Address>,
    timestamp: Text<Timestamp>,
    /// The wrapped native asset; null where it was native.
    token: Option<Text<Address>>,
    tx: Text<B256>,
    via: Option<Text<Address>>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "past_attacker")]
struct Attacker<'a> {
    address: Text<Address>,
    incident: &'a str,
}

/// How much its code looks like an attacker's.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "contract_score")]
pub struct Score<'a> {
    factors: &'a [Factor],
    function_signatures: Vec<Text<[u8; 4]>>,
    high_precision: bool,
    high_recall: bool,
    model: &'a str,
    /// By the model of high precision, whose threshold is its own.
    #[schemars(range(min = 0, max = 1))]
    precise: f32,
    /// By the model of high recall.
    #[schemars(range(min = 0, max = 1))]
    score: f32,
    thresholds: EarlyThresholds,
    version: &'a str,
}

/// What calling it showed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "detonation")]
pub struct Detonated<'a> {
    /// Number of the block it was executed in.
    block: u64,
    calls: usize,
    /// There was more to try than the budget allows.
    cut: bool,
    /// Calls that did something.
    entered: usize,
    entries: usize,
    gas: u64,
    /// Calls that reverted at a guard, and what guards look at.
    guarded: usize,
    guards: &'a [Guard],
    /// A call does more than can be recorded, while it calls a monitored contract.
    hides: bool,
    proof: Option<Proved<'a>>,
    took_us: f64,
    /// Calls that touched a monitored contract.
    touched: usize,
}

/// Calls that harm a monitored contract, in order, and what the last one does.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "proof")]
struct Proved<'a> {
    calls: Vec<Call<'a>>,
    simulation: Done<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "trial")]
struct Call<'a> {
    from: Text<Address>,
    input: Text<&'a [u8]>,
    to: Text<Address>,
    /// Wei.
    value: Text<U256>,
}

impl<'a> Contract<'a> {
    fn of(assessment: &'a Assessment) -> Self {
        let deployment = &assessment.found.deployment;
        let (seen, block) = match deployment.seen {
            Sighting::Pending => ("pending", None),
            Sighting::Simulated => ("simulated", None),
            Sighting::Mined { block, .. } => ("mined", Some(block)),
            Sighting::Gone => ("gone", None),
        };
        let implementation = deployment.runs.as_ref();
        Self {
            address: Text(deployment.address),
            block,
            code_size: assessment.code_size,
            contained: assessment.contained.iter().map(Held::of).collect(),
            creator: Text(deployment.creator),
            deployer: Text(deployment.deployer),
            detonation: assessment.detonation.as_ref().map(Detonated::of),
            funding: assessment.found.funding.iter().map(Funded::of).collect(),
            implementation: implementation.map(|one| Text(one.address)),
            past_attacker: assessment.found.past_attacker.as_ref().map(Attacker::of),
            score: assessment.score.as_ref().map(Score::of),
            seen,
            twins: deployment.twins.iter().copied().map(Text).collect(),
            twins_more: deployment.more_twins,
            tx: Text(deployment.tx),
        }
    }
}

impl<'a> Held<'a> {
    fn of(contained: &'a Contained) -> Self {
        Self {
            address: Text(contained.address),
            contract: &contained.contract,
            place: contained.place,
        }
    }
}

impl<'a> Funded<'a> {
    fn of(funding: &'a Funding) -> Self {
        Self {
            amount: Text(funding.amount),
            block: funding.block,
            grade: funding.grade,
            hops: funding.hops,
            service: &funding.service,
            source: Text(funding.source),
            timestamp: Text(Timestamp(funding.timestamp.saturating_mul(1_000_000))),
            token: funding.token.map(Text),
            tx: Text(funding.tx),
            via: funding.via.map(Text),
        }
    }
}

impl<'a> Attacker<'a> {
    fn of(attacker: &'a PastAttacker) -> Self {
        Self {
            address: Text(attacker.address),
            incident: &attacker.incident,
        }
    }
}

impl<'a> Score<'a> {
    pub fn of(score: &'a ContractScore) -> Self {
        Self {
            factors: &score.factors,
            function_signatures: score.selectors.iter().copied().map(Text).collect(),
            high_precision: score.high_precision(),
            high_recall: score.high_recall(),
            model: &score.model,
            precise: score.precise,
            score: score.score,
            thresholds: score.thresholds,
            version: &score.version,
        }
    }
}

impl<'a> Detonated<'a> {
    pub fn of(detonation: &'a Detonation) -> Self {
        Self {
            block: detonation.block,
            calls: detonation.calls,
            cut: detonation.cut,
            entered: detonation.entered,
            entries: detonation.entries,
            gas: detonation.gas,
            guarded: detonation.guarded,
            guards: &detonation.guards,
            hides: detonation.hides,
            proof: detonation.proof.as_deref().map(Proved::of),
            took_us: detonation.took_us,
            touched: detonation.touched,
        }
    }
}

impl<'a> Proved<'a> {
    fn of(proof: &'a Proof) -> Self {
        let call = |trial: &'a Trial| Call {
            from: Text(trial.from),
            input: Text(&trial.input[..]),
            to: Text(trial.to),
            value: Text(trial.value),
        };
        Self {
            calls: proof.calls.iter().map(call).collect(),
            simulation: Done::told(&proof.simulation),
        }
    }
}
