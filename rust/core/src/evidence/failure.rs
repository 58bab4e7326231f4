//! Why a suspect has no simulation.

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
    /// A replay's capture has no record of it. Told as [`NotReady`](Self::NotReady), which says no more.
    #[serde(rename(serialize = "not_ready"), skip_deserializing)]
    #[schemars(skip)]
    NotCaptured,
}

impl FailureKind {
    /// Whether an execution was begun.
    pub fn was_executed(self) -> bool {
        matches!(self, Self::Deadline | Self::Budget | Self::State)
    }

    /// As they are told.
    pub const ALL: [Self; 6] = [
        Self::Deadline,
        Self::Budget,
        Self::State,
        Self::Quota,
        Self::Queue,
        Self::NotReady,
    ];

    /// Which of [`ALL`](Self::ALL) it is told, written and counted as.
    pub fn told(self) -> Self {
        match self {
            Self::NotCaptured => Self::NotReady,
            other => other,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Budget => "budget",
            Self::State => "state",
            Self::Quota => "quota",
            Self::Queue => "queue",
            Self::NotReady | Self::NotCaptured => "not_ready",
        }
    }
}

impl Failure {
    /// Of a suspect whose sender is a lie: it comes again as its signer's, with what that one sent before it.
    pub fn signed_by_another() -> Self {
        Self::new(FailureKind::NotReady, "signed by another than was told")
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_by_a_name_that_reads_back() {
        for kind in FailureKind::ALL
            .into_iter()
            .chain([FailureKind::NotCaptured])
        {
            let written = serde_json::to_value(kind).unwrap();
            assert_eq!(written, kind.name());
            let read: FailureKind = serde_json::from_value(written).unwrap();
            assert_eq!(read, kind.told());
            assert!(FailureKind::ALL[read as usize] == read);
        }
    }
}
