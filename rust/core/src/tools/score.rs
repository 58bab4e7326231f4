//! How much a contract's code looks like an attacker's, without a node (`score`).

use crate::bytecode::contract::Anatomy;
use crate::classify::ContractModel;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::evidence::{ContractScore, EarlyThresholds, Factor};
use crate::simulate::constructor::{Kind, Origin, running_code};
use alloy_primitives::{Address, FixedBytes};
use serde::Serialize;
use std::sync::Arc;

/// Rows of a run of the models: a call of ONNX Runtime costs as much as a row.
const TOGETHER: usize = 64;

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

/// Scores many contracts.
#[derive(Debug)]
pub struct Scorer(ContractModel);

impl Scorer {
    /// # Errors
    /// As [`ContractModel::load`].
    pub fn load(config: &ModelConfig, chain_id: u64) -> Result<Self> {
        ContractModel::load(config, chain_id).map(Self)
    }

    /// Of codes, each with what it is where that is known, in order: they go through the models [`TOGETHER`].
    ///
    /// # Errors
    /// The models cannot be run. What the code is, is none.
    pub fn score(&mut self, contracts: &[(&[u8], Option<Kind>)]) -> Result<Vec<Scored>> {
        let mut all = Vec::with_capacity(contracts.len());
        for contracts in contracts.chunks(TOGETHER) {
            let (origins, anatomies): (Vec<_>, Vec<_>) = contracts
                .iter()
                .map(|(code, kind)| {
                    let running = running_code(code, *kind);
                    (running.origin, Anatomy::of(&running.code))
                })
                .unzip();
            let scores = self.0.explained(&anatomies, |_| true)?;
            let answers = scores.into_iter().zip(origins).zip(&anatomies);
            all.extend(answers.map(|((score, origin), anatomy)| told(score, origin, anatomy.cut)));
        }
        Ok(all)
    }

    /// The models themselves.
    pub fn model(&mut self) -> &mut ContractModel {
        &mut self.0
    }
}

fn told(score: ContractScore, origin: Option<Origin>, cut: bool) -> Scored {
    Scored {
        score: score.score,
        precise: score.precise,
        high_recall: score.high_recall(),
        high_precision: score.high_precision(),
        thresholds: score.thresholds,
        version: score.version,
        scored: origin,
        cut,
        function_signatures: score.selectors.into_iter().map(FixedBytes).collect(),
        contained_addresses: score.addresses,
        factors: score.factors,
    }
}
