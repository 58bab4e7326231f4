//! What a detection is made of. These types belong to no stage: each stage adds its own to the record.

mod accesses;
mod anomaly;
mod authenticity;
mod breakdown;
pub mod deployment;
pub mod detection;
pub mod early;
mod failure;
mod footprint;
mod label;
mod outcome;
mod response;
#[cfg(test)]
pub(crate) mod samples;
pub mod simulation;
mod taken;
pub mod trace;
pub mod transfers;
mod verdict;
mod victim;
mod violation;
pub mod witness;

pub use accesses::{Accesses, Part};
pub use anomaly::{Anomaly, AnomalyKind};
pub use authenticity::{Authenticity, Identity};
pub use breakdown::Breakdown;
pub use deployment::{
    ContractScore, Deployment, Detonation, EarlyThresholds, Funding, FundingGrade, Guard,
    Implementation, Proof, Sighting, Trial,
};
pub use detection::{
    Classification, DoneSimulation, FEATURES, Factor, FeatureVector, LatencyUs, SignatureMatch,
    SimulationStatus, ThreatDetection, ThreatLevel, alert_id,
};
pub use early::{
    Assessment, Contained, EarlyName, EarlyReason, EarlyWarning, FoundContract, PastAttacker,
    Place, RecordedDetonation,
};
pub use failure::{Failure, FailureKind};
pub use label::Label;
pub use outcome::{Fate, Outcome};
pub use response::{Answer, Bid, Response, TriedPause, Unasked, nonce_used};
pub use simulation::{Flow, Loss, Simulation, SimulationResult, Variation};
pub use taken::{Taken, Unaccounted};
pub use verdict::HIDING;
pub use victim::{Grade, Victim, VictimLoss, victims};
pub use violation::{Class, Violation};
pub use witness::{Before, RecordedSimulation, Witness};
