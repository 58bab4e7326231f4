//! What all evidence on a new contract amounts to.

use super::{ContractScore, Deployment, Detonation, Funding, Trial, Witness};
use crate::tx::PendingTransaction;
use alloy_primitives::Address;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a new contract holds the address of a monitored one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "place")]
pub enum Place {
    Code,
    /// Of its constructor.
    Arguments,
    /// Its constructor wrote it.
    Storage,
    /// Its constructor called it.
    Called,
}

/// A monitored contract that a new one holds: it says what to pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contained {
    pub contract: Arc<str>,
    pub address: Address,
    pub place: Place,
}

/// A reported attacker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAttacker {
    pub address: Address,
    /// Of what it is known.
    pub incident: Arc<str>,
}

/// A new contract as it was found, with all that cannot be found out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundContract {
    pub deployment: Deployment,
    /// Of its deployer, the gravest first.
    pub funding: Vec<Funding>,
    /// Its deployer, or its creator.
    pub past_attacker: Option<PastAttacker>,
    /// Unix milliseconds.
    pub at_ms: u64,
}

/// What calling a new contract showed, and what it takes to show the proof again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedDetonation {
    pub address: Address,
    /// Without its proof.
    pub detonation: Detonation,
    /// The pending transaction that creates it, executed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation: Option<PendingTransaction>,
    /// Of the proof; none where there is none.
    pub calls: Vec<Trial>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed: Option<Witness>,
}

/// All that is known of a new contract.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// Without its code: that takes the most room, and is not needed any more.
    pub found: FoundContract,
    /// Nothing where there is no code, or no model.
    pub score: Option<ContractScore>,
    /// Monitored contracts, each by where it shows most.
    pub contained: Vec<Contained>,
    /// Bytes of its code as it runs; 0 where that could not be had.
    pub code_size: usize,
    /// Nothing where it was not called.
    pub detonation: Option<Detonation>,
}

impl Assessment {
    pub fn new(
        mut found: FoundContract,
        score: Option<ContractScore>,
        contained: Vec<Contained>,
    ) -> Self {
        let deployment = &mut found.deployment;
        let code_size = deployment.code.len();
        (deployment.code, deployment.init_code) = Default::default();
        if let Some(runs) = &mut deployment.runs {
            runs.code = Default::default();
        }
        Self {
            found,
            score,
            contained,
            code_size,
            detonation: None,
        }
    }
}

/// Why a new contract is worth an alert; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "early_reason")]
pub enum EarlyReason {
    /// Calling it harms a monitored contract, beyond doubt.
    Proof,
    /// Calling it is likely to harm one.
    LikelyHarm,
    /// Calling it does more than can be recorded, while it calls a monitored contract.
    Hides,
    /// Its score reaches the threshold of high precision.
    HighPrecision,
    /// Its deployer is a reported attacker.
    PastAttacker,
    /// Its score reaches the threshold of high recall, and its deployer's money comes from a service that asks little.
    Funded,
    /// Its score alone, too low for more than a hint.
    Info,
}

/// What an alert of a new contract is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "early_alert_name")]
pub enum EarlyName {
    #[serde(rename = "EARLY-ATTACK-DETECTOR-1")]
    Attack,
    #[serde(rename = "EARLY-AD-INFO")]
    Info,
}

impl EarlyReason {
    /// More than a score and its money speaks for its deployer being an attacker.
    pub fn accuses(self) -> bool {
        match self {
            Self::Proof | Self::PastAttacker | Self::HighPrecision => true,
            Self::LikelyHarm | Self::Hides | Self::Funded | Self::Info => false,
        }
    }

    pub fn name(self) -> EarlyName {
        match self {
            Self::Info => EarlyName::Info,
            _ => EarlyName::Attack,
        }
    }
}

/// A new contract that is worth an alert.
#[derive(Debug, Clone)]
pub struct EarlyWarning {
    pub reason: EarlyReason,
    pub assessment: Assessment,
}
