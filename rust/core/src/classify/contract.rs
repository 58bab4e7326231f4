//! The early models: how much a contract's code looks like an attacker's.

mod factors;

use super::manifest::{EarlyEntry, Graph, Manifest, Schema};
use super::onnx::{Ends, Session};
use crate::bytecode::contract::{Anatomy, BLOCKS, Extractor, NAMES, SCHEMA_VERSION, WIDTH};
use crate::config::ModelConfig;
use crate::decode::KnownSelectors;
use crate::error::{Error, Result};
use crate::evidence::{ContractScore, EarlyThresholds, Factor};
use factors::{GROUPS, value, without};
use std::sync::Arc;

/// Rows scored together and alone differ in their last digits.
const NOISE: f32 = 1e-5;
const NAME: &str = "early";
const SCHEMA: Schema = Schema {
    version: SCHEMA_VERSION,
    names: &NAMES,
};

/// Both models of a model folder, for one chain, ready to run. One per thread: sessions are not shared.
pub struct ContractModel {
    recall: Session,
    precision: Session,
    extractor: Extractor,
    thresholds: EarlyThresholds,
    version: Arc<str>,
    name: Arc<str>,
    baseline: Vec<f32>,
    /// Of the contracts that were scored last.
    rows: Vec<f32>,
}

impl std::fmt::Debug for ContractModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContractModel")
            .field("version", &self.version)
            .field("thresholds", &self.thresholds)
            .finish()
    }
}

impl ContractModel {
    /// Verifies hashes, feature schema and shapes before anything is run. `chain_id` picks the thresholds.
    ///
    /// # Errors
    /// [`Error::Model`], naming the file and which of the three is wrong, or that the folder has no such models.
    pub fn load(config: &ModelConfig, chain_id: u64) -> Result<Self> {
        let model = Self::load_if_there(config, chain_id)?;
        model.ok_or_else(|| {
            Error::Model(format!(
                "{}: no models over contracts; train them",
                config.dir.display()
            ))
        })
    }

    /// The same; `None` where the folder has none.
    pub fn load_if_there(config: &ModelConfig, chain_id: u64) -> Result<Option<Self>> {
        let manifest = Manifest::read(&config.dir)?;
        let Some(entry) = &manifest.early else {
            return Ok(None);
        };
        check(entry)?;
        let known = KnownSelectors::from_bytes(&manifest.selectors(&config.dir)?)?;
        let mut model = Self {
            recall: open(config, &entry.high_recall)?,
            precision: open(config, &entry.high_precision)?,
            extractor: Extractor::new(Arc::new(known)),
            thresholds: entry.thresholds.of(chain_id),
            version: entry.version.as_str().into(),
            name: NAME.into(),
            baseline: entry.baseline.clone(),
            rows: Vec::new(),
        };
        // Graphs of the right interface can still fail on their first row.
        model.predict(&vec![0.0; WIDTH])?;
        Ok(Some(model))
    }

    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// Those that are given, instead of the model's.
    pub fn set_thresholds(&mut self, high_recall: Option<f32>, high_precision: Option<f32>) {
        let of_model = self.thresholds;
        self.thresholds = EarlyThresholds {
            high_precision: high_precision.unwrap_or(of_model.high_precision),
            high_recall: high_recall.unwrap_or(of_model.high_recall),
        };
    }

    /// The score of a contract, without the factors that moved it: [`explained`](Self::explained) costs several times as much.
    pub fn score(&mut self, anatomy: &Anatomy) -> Result<ContractScore> {
        let scored = self.scores(std::slice::from_ref(anatomy))?;
        let one = scored.into_iter().next();
        one.ok_or_else(|| Error::Model(format!("{NAME}: no answer for a row")))
    }

    /// The scores of contracts, in order, with their factors: by how much each group of features moved the score of the model
    /// that misses little, p(x) − p(x with the group's features as most harmless contracts have them). Largest first; what
    /// moved nothing is left out. Those that are not `worth` it have none.
    pub fn explained(
        &mut self,
        anatomies: &[Anatomy],
        worth: impl Fn(&ContractScore) -> bool,
    ) -> Result<Vec<ContractScore>> {
        let mut scored = self.scores(anatomies)?;
        let rows = self.rows.chunks_exact(WIDTH);
        let mut p = Vec::new();
        let all = rows.zip(anatomies).zip(&mut scored);
        for ((row, anatomy), scored) in all.filter(|(_, scored)| worth(scored)) {
            let mut changed = row.repeat(GROUPS.len());
            for (group, row) in changed.chunks_exact_mut(WIDTH).enumerate() {
                without(group, row, &self.baseline);
            }
            p.clear();
            self.recall.run(&changed, &mut p)?;
            scored.factors = factors(anatomy, scored.score, &p);
        }
        Ok(scored)
    }

    fn scores(&mut self, anatomies: &[Anatomy]) -> Result<Vec<ContractScore>> {
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        for anatomy in anatomies {
            self.extractor.extract(anatomy, &mut rows);
        }
        let answered = self.predict(&rows);
        self.rows = rows;
        let (recall, precision) = answered?;
        let answers = anatomies.iter().zip(recall.into_iter().zip(precision));
        let scored = answers.map(|(anatomy, (score, precise))| ContractScore {
            score,
            precise,
            thresholds: self.thresholds,
            model: self.name.clone(),
            version: self.version.clone(),
            selectors: anatomy.offered.clone(),
            addresses: anatomy.addresses.clone(),
            factors: Vec::new(),
        });
        Ok(scored.collect())
    }

    /// Probabilities of row-major `rows` by both models: of that which misses little, and of that which is seldom wrong.
    ///
    /// # Errors
    /// [`Error::Model`], also where the rows are of another width.
    pub fn predict(&mut self, rows: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        if rows.is_empty() || !rows.len().is_multiple_of(WIDTH) {
            return Err(Error::Model(format!(
                "{NAME}: {} numbers are no whole rows of {WIDTH}",
                rows.len()
            )));
        }
        let (mut recall, mut precision) = (Vec::new(), Vec::new());
        self.recall.run(rows, &mut recall)?;
        self.precision.run(rows, &mut precision)?;
        Ok((recall, precision))
    }
}

/// From the probability of a contract, and those of it without each group.
fn factors(anatomy: &Anatomy, whole: f32, without: &[f32]) -> Vec<Factor> {
    let groups = GROUPS.iter().zip(without).enumerate();
    let mut factors: Vec<Factor> = groups
        .map(|(group, (feature, part))| Factor {
            feature,
            value: value(group, anatomy),
            contribution: whole - part,
        })
        .filter(|factor| factor.contribution.abs() > NOISE)
        .collect();
    factors.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    factors
}

fn check(entry: &EarlyEntry) -> Result<()> {
    entry.feature_schema.check(NAME, SCHEMA)?;
    let ours = BLOCKS.iter().map(|(name, width)| (*name, *width));
    let theirs = entry
        .blocks
        .iter()
        .map(|(name, width)| (name.as_str(), *width));
    if !ours.eq(theirs) {
        return Err(Error::Model(format!(
            "{NAME}: hashed features are {:?} but this version computes {BLOCKS:?}",
            entry.blocks
        )));
    }
    if entry.baseline.len() != NAMES.len() {
        return Err(Error::Model(format!(
            "{NAME}: baseline has {} values, not {}",
            entry.baseline.len(),
            NAMES.len()
        )));
    }
    Ok(())
}

fn open(config: &ModelConfig, graph: &Graph) -> Result<Session> {
    let bytes = graph.artifact.bytes(&config.dir)?;
    let ends = Ends {
        input: &graph.input,
        output: &graph.output,
    };
    Session::open(
        &config.onnxruntime,
        &graph.artifact.file,
        ends,
        WIDTH,
        &bytes,
    )
}
