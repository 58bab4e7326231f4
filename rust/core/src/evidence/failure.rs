//! Why a suspect has no simulation.

use super::simulation::HIDING;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why there is no simulation. The detection goes on without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// For people; bounded in length.
    pub reason: String,
    /// It had called a monitored contract by then.
    #[serde(default)]
    pub touched: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "failure")]
pub enum FailureKind {
    /// It did not end in time.
    Deadline,
    /// It makes more calls, uses more gas, or takes longer to execute than a simulation may.
    Budget,
    /// The node gave no state.
    State,
    /// Its sender has too many others waiting.
    Quota,
    /// Too many others wait.
    Queue,
    /// No block is known yet, or the sensor stops.
    NotReady,
}

impl FailureKind {
    /// Whether an execution was begun.
    pub fn was_executed(self) -> bool {
        matches!(self, Self::Deadline | Self::Budget | Self::State)
    }

    pub const ALL: [Self; 6] = [
        Self::Deadline,
        Self::Budget,
        Self::State,
        Self::Quota,
        Self::Queue,
        Self::NotReady,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Budget => "budget",
            Self::State => "state",
            Self::Quota => "quota",
            Self::Queue => "queue",
            Self::NotReady => "not_ready",
        }
    }
}

impl Failure {
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        const REASON: usize = 200;
        let reason: String = reason.into();
        Self {
            kind,
            reason: reason.chars().take(REASON).collect(),
            touched: false,
        }
    }
}

impl Failure {
    /// What it says of a suspect that touches a monitored contract: to be more than can be simulated is a way to hide.
    pub fn verdict(&self, contact: bool, stage_one: f32) -> f32 {
        match self.kind == FailureKind::Budget && (contact || self.touched) {
            true => stage_one.max(HIDING),
            false => stage_one,
        }
    }
}
