//! A new contract's score; the same code is scored once.

use super::alarm::INFO;
use crate::bytecode::contract::Anatomy;
use crate::classify::ContractModel;
use crate::config::EarlyConfig;
use crate::error::Result;
use crate::evidence::{ContractScore, Deployment};
use alloy_primitives::{B256, Bytes, keccak256};
use hashbrown::HashMap;

/// Codes remembered.
const SCORED: usize = 4_096;

pub struct Scorer {
    model: ContractModel,
    scored: HashMap<B256, ContractScore>,
}

impl Scorer {
    pub fn new(mut model: ContractModel, config: &EarlyConfig) -> Self {
        model.set_thresholds(config.high_recall, config.high_precision);
        Self {
            model,
            scored: HashMap::new(),
        }
    }

    /// Nothing where there is no code at all.
    ///
    /// # Errors
    /// The models cannot be run.
    pub fn score(&mut self, deployment: &Deployment) -> Result<Option<ContractScore>> {
        let code = code(deployment);
        if code.is_empty() {
            return Ok(None);
        }
        let hash = keccak256(code);
        if let Some(score) = self.scored.get(&hash) {
            return Ok(Some(score.clone()));
        }
        // What moved it costs several times as much, and is asked for where somebody may read it.
        let told = |score: &ContractScore| score.score >= INFO || score.high_recall();
        let score = self.model.explained(&[Anatomy::of(code)], told)?.pop();
        if self.scored.len() >= SCORED {
            self.scored.clear();
        }
        if let Some(score) = &score {
            self.scored.insert(hash, score.clone());
        }
        Ok(score)
    }
}

/// What it runs, or what stands for that: of what leaves no code, its constructor.
fn code(deployment: &Deployment) -> &Bytes {
    let runs = deployment.runs.as_ref().map(|runs| &runs.code);
    let codes = [runs, Some(&deployment.code), Some(&deployment.init_code)];
    let mut there = codes.into_iter().flatten().filter(|code| !code.is_empty());
    there.next().unwrap_or(&deployment.code)
}
