//! A new contract's score, for all threads: the same code is scored once, and by the same sessions, which take megabytes.

use super::ContractModel;
use crate::bytecode::contract::Anatomy;
use crate::config::{EarlyConfig, ModelConfig};
use crate::error::Result;
use crate::evidence::{ContractScore, Deployment};
use alloy_primitives::{B256, Bytes, keccak256};
use hashbrown::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Codes remembered.
const SCORED: usize = 4_096;

pub struct CodeScorer {
    /// Contracts are few: nobody waits here for long, and the pipeline's thread never.
    scored: Mutex<Scored>,
}

struct Scored {
    model: ContractModel,
    known: HashMap<B256, ContractScore>,
}

impl CodeScorer {
    /// Nothing where the model's folder has no models over contracts.
    ///
    /// # Errors
    /// As [`ContractModel::load`].
    pub fn load_if_there(
        model: &ModelConfig,
        early: &EarlyConfig,
        chain_id: u64,
    ) -> Result<Option<Self>> {
        let Some(mut model) = ContractModel::load_if_there(model, chain_id)? else {
            return Ok(None);
        };
        model.set_thresholds(early.high_recall, early.high_precision);
        let known = HashMap::new();
        let scored = Mutex::new(Scored { model, known });
        Ok(Some(Self { scored }))
    }

    /// Nothing where there is no code at all.
    ///
    /// # Errors
    /// The models cannot be run.
    pub fn score(&self, deployment: &Deployment) -> Result<Option<ContractScore>> {
        let code = code(deployment);
        if code.is_empty() {
            return Ok(None);
        }
        let hash = keccak256(code);
        if let Some(score) = self.lock().known.get(&hash) {
            return Ok(Some(score.clone()));
        }
        let anatomy = Anatomy::of(code);
        let mut scored = self.lock();
        // What moved it costs several times as much, and is asked for where somebody may read it.
        let told = |score: &ContractScore| score.is_info() || score.high_recall();
        let score = scored.model.explained(&[anatomy], told)?.pop();
        if scored.known.len() >= SCORED {
            scored.known.clear();
        }
        if let Some(score) = &score {
            scored.known.insert(hash, score.clone());
        }
        Ok(score)
    }

    fn lock(&self) -> MutexGuard<'_, Scored> {
        self.scored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it runs, or what stands for that: of what leaves no code, its constructor.
fn code(deployment: &Deployment) -> &Bytes {
    let runs = deployment.runs.as_ref().map(|runs| &runs.code);
    let codes = [runs, Some(&deployment.code), Some(&deployment.init_code)];
    let mut there = codes.into_iter().flatten().filter(|code| !code.is_empty());
    there.next().unwrap_or(&deployment.code)
}
