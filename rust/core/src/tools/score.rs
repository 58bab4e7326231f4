//! How much a contract's code looks like an attacker's, without a node (`score`).

use crate::bytecode::contract::Anatomy;
use crate::classify::ContractModel;
use crate::config::ModelConfig;
use crate::error::Result;
use crate::event::json::Score;
use crate::evidence::ContractScore;
use crate::simulate::constructor::{Kind, Origin, running_code};
use alloy_primitives::Address;
use serde::{Serialize, Serializer};

/// Rows of a run of the models: a call of ONNX Runtime costs as much as a row.
const TOGETHER: usize = 64;

/// One contract's score.
#[derive(Debug, Clone)]
pub struct Scored {
    pub score: ContractScore,
    /// Whose code was scored, where init code was given.
    pub origin: Option<Origin>,
    /// Bytes beyond what is read were left out.
    pub cut: bool,
}

/// As events have it, and what only a person asks for.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    score: Score<'a>,
    contained_addresses: &'a [Address],
    #[serde(skip_serializing_if = "Option::is_none")]
    scored: Option<Origin>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl Serialize for Scored {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let told = Told {
            score: Score::of(&self.score),
            contained_addresses: &self.score.addresses,
            scored: self.origin,
            cut: self.cut,
        };
        told.serialize(serializer)
    }
}

/// Scores many contracts.
#[derive(Debug)]
pub struct Scorer(ContractModel);

impl Scorer {
    /// With these thresholds, where they are given, in place of the model's for the chain.
    ///
    /// # Errors
    /// As [`ContractModel::load`].
    pub fn load(
        config: &ModelConfig,
        chain_id: u64,
        high_recall: Option<f32>,
        high_precision: Option<f32>,
    ) -> Result<Self> {
        let mut model = ContractModel::load(config, chain_id)?;
        model.set_thresholds(high_recall, high_precision);
        Ok(Self(model))
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
            all.extend(answers.map(|((score, origin), anatomy)| Scored {
                score,
                origin,
                cut: anatomy.cut,
            }));
        }
        Ok(all)
    }

    /// The models themselves.
    pub fn model(&mut self) -> &mut ContractModel {
        &mut self.0
    }
}
