//! How much a contract's code looks like an attacker's, without a node (`score`).

use crate::bytecode::contract::Anatomy;
use crate::classify::ContractModel;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::evidence::{EarlyThresholds, Factor};
use crate::simulate::constructor::{Kind, Origin, running_code};
use alloy_primitives::{Address, FixedBytes};
use serde::Serialize;
use std::sync::Arc;

/// What `score` says of one contract.
#[derive(Debug, Clone, Serialize)]
pub struct Scored {
    pub score: f32,
    /// By the model that is seldom wrong.
    pub precise: f32,
    pub high_recall: bool,
    pub high_precision: bool,
    pub thresholds: EarlyThresholds,
    pub version: Arc<str>,
    /// Whose code was scored, where init code was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scored: Option<Origin>,
    /// Bytes beyond what is read were left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    pub function_signatures: Vec<FixedBytes<4>>,
    pub contained_addresses: Vec<Address>,
    pub factors: Vec<Factor>,
}

/// Scores contracts one after the other.
#[derive(Debug)]
pub struct Scorer(ContractModel);

impl Scorer {
    /// # Errors
    /// As [`ContractModel::load`].
    pub fn load(config: &ModelConfig, chain_id: u64) -> Result<Self> {
        ContractModel::load(config, chain_id).map(Self)
    }

    /// # Errors
    /// The models cannot be run. What the code is, is none.
    pub fn score(&mut self, code: &[u8], kind: Option<Kind>) -> Result<Scored> {
        let running = running_code(code, kind);
        let anatomy = Anatomy::of(&running.code);
        let scored = self.0.explained(&anatomy)?;
        Ok(Scored {
            score: scored.score,
            precise: scored.precise,
            high_recall: scored.high_recall(),
            high_precision: scored.high_precision(),
            thresholds: scored.thresholds,
            version: scored.version,
            scored: running.origin,
            cut: anatomy.cut,
            function_signatures: scored.selectors.into_iter().map(FixedBytes).collect(),
            contained_addresses: scored.addresses,
            factors: scored.factors,
        })
    }

    /// The models themselves.
    pub fn model(&mut self) -> &mut ContractModel {
        &mut self.0
    }
}
