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
use std::thread::available_parallelism;

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

/// Scores many contracts, on as many cores as there are.
#[derive(Debug)]
pub struct Scorer {
    config: ModelConfig,
    chain_id: u64,
    thresholds: (Option<f32>, Option<f32>),
    /// One for each thread: the first there from the beginning, others where there is work for them.
    models: Vec<ContractModel>,
}

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
        let mut scorer = Self {
            config: config.clone(),
            chain_id,
            thresholds: (high_recall, high_precision),
            models: Vec::new(),
        };
        scorer.add_model()?;
        Ok(scorer)
    }

    fn add_model(&mut self) -> Result<()> {
        let mut model = ContractModel::load(&self.config, self.chain_id)?;
        model.set_thresholds(self.thresholds.0, self.thresholds.1);
        self.models.push(model);
        Ok(())
    }

    /// Of codes, each with what it is where that is known, in order: they go through the models [`TOGETHER`].
    ///
    /// # Errors
    /// The models cannot be run. What the code is, is none.
    pub fn score(&mut self, contracts: &[(&[u8], Option<Kind>)]) -> Result<Vec<Scored>> {
        let cores = available_parallelism().map_or(1, |cores| cores.get());
        let pieces: Vec<_> = contracts.chunks(TOGETHER).collect();
        while self.models.len() < cores.min(pieces.len()) {
            self.add_model()?;
        }
        let used = self.models.len().min(pieces.len());
        // Piece after piece to each in turn: what is dear is often together.
        let done: Vec<Vec<_>> = std::thread::scope(|scope| {
            let threads: Vec<_> = self.models[..used]
                .iter_mut()
                .enumerate()
                .map(|(first, model)| {
                    let own = pieces[first..].iter().step_by(used);
                    scope.spawn(|| own.map(|piece| scores(model, piece)).collect())
                })
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined
                .map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let mut done: Vec<_> = done.into_iter().map(Vec::into_iter).collect();
        let mut all = Vec::with_capacity(contracts.len());
        for place in 0..pieces.len() {
            if let Some(scored) = done[place % used].next() {
                all.append(&mut scored?);
            }
        }
        Ok(all)
    }

    /// The models themselves.
    pub fn model(&mut self) -> &mut ContractModel {
        &mut self.models[0]
    }
}

fn scores(model: &mut ContractModel, contracts: &[(&[u8], Option<Kind>)]) -> Result<Vec<Scored>> {
    let (origins, anatomies): (Vec<_>, Vec<_>) = contracts
        .iter()
        .map(|(code, kind)| {
            let running = running_code(code, *kind);
            (running.origin, Anatomy::of(&running.code))
        })
        .unzip();
    let scores = model.explained(&anatomies, |_| true)?;
    let answers = scores.into_iter().zip(origins).zip(&anatomies);
    let scored = answers.map(|((score, origin), anatomy)| Scored {
        score,
        origin,
        cut: anatomy.cut,
    });
    Ok(scored.collect())
}
