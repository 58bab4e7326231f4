//! `alert`: a detection.

use super::Origin;
use super::deploy::Early;
use super::fields::{ChainId, Sensor, Text, Timestamp, Version};
use super::response::{Response, Victim};
use super::simulation::Status;
use crate::evidence::{
    Authenticity, Classification, FEATURES, Grade, LatencyUs, SignatureMatch, ThreatDetection,
    ThreatLevel,
};
use alloy_primitives::{Address, B256, U256};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;

/// A transaction that was judged a threat.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "alert")]
pub struct Alert<'a> {
    /// The same for the same transaction on the same chain.
    #[schemars(length(min = 1))]
    alert_id: &'a str,
    chain_id: ChainId,
    classification: &'a Classification,
    /// Names of the monitored contracts it touches.
    contracts: &'a [Arc<str>],
    /// What it says of a new contract; only where it is about one, whose creation `tx` then is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Early")]
    early: Option<Box<Early<'a>>>,
    #[schemars(extend("const" = "alert"))]
    event_type: &'static str,
    /// The 22 features in schema order; -1 is unknown.
    features: &'a [f32; FEATURES],
    /// How sure it is that a monitored contract is harmed: a simulation shows it beyond doubt, it shows it, it does not.
    grade: Grade,
    latency_us: LatencyUs,
    /// False where thresholds or suppressions mute it.
    notify: bool,
    schema_version: Version,
    /// The verdict of its simulation; without one max(probability, signature_score).
    #[schemars(range(min = 0, max = 1))]
    score: f32,
    sensor: Sensor<'a>,
    severity: Severity,
    #[schemars(range(min = 0, max = 1))]
    signature_score: f32,
    signatures: &'a [SignatureMatch],
    simulation: Status<'a>,
    threat_level: ThreatLevel,
    timestamp: Text<Timestamp>,
    tx: Transaction<'a>,
    /// Whom it harms, apart from whom it touches.
    victims: Vec<Victim<'a>>,
    /// Milliseconds that this sensor had been watching when the transaction arrived; of a replay, by the recorded clock.
    /// What it remembers of senders, targets and fees starts empty: an alert of the first minutes rests on less.
    watched_ms: u64,
    // Last, where it has always been.
    response: Response<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "severity")]
enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "alert_tx")]
struct Transaction<'a> {
    arguments: Vec<Argument<'a>>,
    authenticity: Authenticity,
    from: Text<Address>,
    function: Option<&'a str>,
    /// Its limit.
    gas: u64,
    hash: Text<B256>,
    /// Wei per gas.
    max_fee_per_gas: Text<U256>,
    /// Wei per gas.
    max_priority_fee_per_gas: Text<U256>,
    nonce: u64,
    /// Unix milliseconds.
    seen_ms: u64,
    selector: Option<Text<[u8; 4]>>,
    to: Option<Text<Address>>,
    value: Text<U256>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "argument")]
struct Argument<'a> {
    name: &'a str,
    r#type: &'a str,
    value: &'a str,
}

impl<'a> Alert<'a> {
    pub fn new(origin: &'a Origin, at_us: u64, detection: &'a ThreatDetection) -> Self {
        Self {
            alert_id: &detection.alert_id,
            chain_id: ChainId(origin.chain_id),
            classification: &detection.classification,
            contracts: &detection.contracts,
            early: detection.early.as_ref().map(|one| Box::new(Early::of(one))),
            event_type: "alert",
            features: &detection.features,
            grade: detection.grade,
            latency_us: detection.latency_us,
            notify: detection.notify,
            schema_version: Version::default(),
            score: detection.score,
            sensor: Sensor(&origin.sensor),
            severity: Severity::of(detection.threat_level),
            signature_score: detection.signature_score,
            signatures: &detection.signatures,
            simulation: Status::of(&detection.simulation),
            threat_level: detection.threat_level,
            timestamp: Text(Timestamp(at_us)),
            tx: Transaction::of(detection),
            victims: detection.victims.iter().map(Victim::of).collect(),
            watched_ms: detection.watched_ms,
            response: Response::of(origin.mode, detection.response()),
        }
    }
}

impl Severity {
    fn of(level: ThreatLevel) -> Self {
        match level {
            ThreatLevel::Critical => Self::Critical,
            ThreatLevel::High => Self::High,
            ThreatLevel::Medium => Self::Medium,
            ThreatLevel::Low | ThreatLevel::Benign => Self::Low,
        }
    }
}

impl<'a> Transaction<'a> {
    fn of(detection: &'a ThreatDetection) -> Self {
        let tx = &detection.tx;
        let arguments = detection.arguments.iter();
        let arguments = arguments.map(|(name, r#type, value)| Argument {
            name,
            r#type,
            value,
        });
        Self {
            arguments: arguments.collect(),
            authenticity: detection.authenticity,
            from: Text(tx.from),
            function: detection.function.as_deref(),
            gas: tx.gas,
            hash: Text(tx.hash),
            max_fee_per_gas: Text(U256::from(tx.max_fee_per_gas)),
            max_priority_fee_per_gas: Text(U256::from(tx.max_priority_fee_per_gas)),
            nonce: tx.nonce,
            seen_ms: tx.seen_ms,
            selector: tx.selector().map(Text),
            to: tx.to.map(Text),
            value: Text(tx.value),
        }
    }
}
