//! The final record of the core: a transaction with all evidence.

use super::{Authenticity, EarlyWarning, Failure, Grade, Response, Simulation, Victim};
use crate::tx::PendingTransaction;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::time::SystemTime;

/// Number of a transaction's features (docs of [`crate::features`]).
pub const FEATURES: usize = 22;
/// One transaction's features, in the order of the schema.
pub type FeatureVector = [f32; FEATURES];

/// By probability p: BENIGN p < 0.3, LOW < 0.5, MEDIUM < 0.7, HIGH < 0.9, else CRITICAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(rename = "threat_level")]
pub enum ThreatLevel {
    Benign,
    Low,
    Medium,
    High,
    Critical,
}

impl ThreatLevel {
    /// `p` in 0..=1; NaN is CRITICAL, because an unanswerable input must not pass as harmless.
    pub fn of(p: f32) -> Self {
        match p {
            p if p < 0.3 => Self::Benign,
            p if p < 0.5 => Self::Low,
            p if p < 0.7 => Self::Medium,
            p if p < 0.9 => Self::High,
            _ => Self::Critical,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Benign => "BENIGN",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

/// How much one feature moved the probability: p(x) − p(x with this feature at its baseline).
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "factor")]
pub struct Factor {
    pub contribution: f32,
    pub feature: &'static str,
    pub value: f32,
}

/// A model's answer for one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "classification")]
pub struct Classification {
    /// Largest absolute contribution first.
    pub factors: Vec<Factor>,
    pub model: Arc<str>,
    /// Calibrated, 0..=1.
    #[schemars(range(min = 0, max = 1))]
    pub probability: f32,
    #[schemars(range(min = 0, max = 1))]
    pub threshold: f32,
    pub version: Arc<str>,
}

/// A signature that matched.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "signature")]
pub struct SignatureMatch {
    pub classtype: Arc<str>,
    pub id: u32,
    pub name: Arc<str>,
    /// False where a threshold or suppression mutes its notification.
    pub notify: bool,
    pub rev: u32,
    /// The rule's weight, 0..=1.
    #[schemars(range(min = 0, max = 1))]
    pub score: f32,
    /// 1 critical, 2 high, 3 medium, 4 low (Suricata's order: 1 is worst).
    #[schemars(range(min = 1, max = 4))]
    pub severity: u8,
}

/// Microseconds spent in each stage; `total` is from the frame's arrival to the detection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "latency_us")]
pub struct LatencyUs {
    pub classify: f64,
    pub decode: f64,
    pub features: f64,
    pub signatures: f64,
    /// From the decision to simulate to the verdict.
    #[schemars(range(min = 0))]
    pub simulate: Option<f64>,
    pub total: f64,
}

/// What became of a detection's simulation.
#[derive(Debug, Clone)]
pub enum SimulationStatus {
    /// It was not asked for.
    NotRun,
    /// It came to no end, and the detection is the first stage's.
    Failed(Failure),
    Done(Box<DoneSimulation>),
}

#[derive(Debug, Clone)]
pub struct DoneSimulation {
    pub simulation: Simulation,
    /// From the decision to simulate to the verdict.
    pub took_us: f64,
}

/// The final record with all evidence.
#[derive(Debug, Clone)]
pub struct ThreatDetection {
    /// Deterministic per chain and transaction, so that a restart or a replay gives the same id.
    pub alert_id: String,
    pub chain_id: u64,
    /// Its calldata cut to the selector; `function` and `arguments` say what was decoded of the rest.
    pub tx: PendingTransaction,
    /// Decoded signature of the called function, if known.
    pub function: Option<String>,
    /// Arguments as text, `(name or position, type, value)`, bounded in length.
    pub arguments: Vec<(String, String, String)>,
    /// Names of monitored contracts it touches: callee, in its calldata, in its callee's code, or called when simulated.
    pub contracts: Vec<Arc<str>>,
    /// The verdict of its simulation, see [`Simulation::verdict`]; without one max(model probability, signature score).
    pub score: f32,
    pub threat_level: ThreatLevel,
    pub classification: Classification,
    pub signatures: Vec<SignatureMatch>,
    /// 1 − Π(1 − weight) over the matched signatures.
    pub signature_score: f32,
    /// Whether the transaction is what its hash says.
    pub authenticity: Authenticity,
    pub features: [f32; super::FEATURES],
    /// False where thresholds or suppressions mute it; the record is kept all the same.
    pub notify: bool,
    pub simulation: SimulationStatus,
    /// How sure it is that a monitored contract is harmed, and which.
    pub grade: Grade,
    pub victims: Vec<Victim>,
    /// It is about a new contract: `tx` creates it, and the simulation is of a call of it.
    pub early: Option<Box<EarlyWarning>>,
    pub latency_us: LatencyUs,
    /// When it was known to be one, by the host's clock.
    pub detected: SystemTime,
    /// Milliseconds that the sensor had been watching when it arrived: memory that features look into starts empty.
    pub watched_ms: u64,
}

impl ThreatDetection {
    /// Whether pauses would help, where there is one that could.
    pub fn response(&self) -> Option<&Response> {
        match &self.simulation {
            SimulationStatus::Done(done) => done.simulation.response.as_ref(),
            SimulationStatus::NotRun | SimulationStatus::Failed(_) => None,
        }
    }
}

/// The same transaction on the same chain always has the same id: a restart or a replay repeats no notification.
pub fn alert_id(chain_id: u64, hash: &alloy_primitives::B256) -> String {
    format!("{chain_id}-{}", alloy_primitives::hex::encode(hash))
}
