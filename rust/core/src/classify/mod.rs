//! A model's probability for one transaction, by ONNX Runtime's C library as the onnxruntime wheel ships it.

mod manifest;
mod onnx;
#[cfg(test)]
mod tests;

pub use manifest::{Manifest, ModelEntry};

use crate::config::ModelConfig;
use crate::detection::Factor;
use crate::error::{Error, Result};
use crate::features::{FEATURES, FeatureVector, KnownSelectors, NAMES};
use onnx::Session;
use std::sync::Arc;

/// The default model of a model folder, ready to run. One per pipeline thread: sessions are not shared.
pub struct Classifier {
    session: Session,
    known: Arc<KnownSelectors>,
    name: Arc<str>,
    version: Arc<str>,
    baseline: FeatureVector,
    scratch: Vec<f32>,
}

impl std::fmt::Debug for Classifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classifier")
            .field("model", &self.name)
            .field("version", &self.version)
            .finish()
    }
}

impl Classifier {
    /// Verifies hash, feature schema and shape before anything is run.
    ///
    /// # Errors
    /// [`Error::Model`], naming the file and which of the three is wrong.
    pub fn load(config: &ModelConfig) -> Result<Self> {
        let manifest = Manifest::read(&config.dir)?;
        let known = KnownSelectors::from_bytes(&manifest.selectors(&config.dir)?)?;
        let (name, entry) = manifest.default_model()?;
        let bytes = entry.bytes(name, &config.dir)?;
        let mut session = Session::open(&config.onnxruntime, name, entry, &bytes)?;
        // A graph of the right interface can still fail on its first row (an operator this runtime lacks).
        session.run(&entry.baseline, &mut Vec::new())?;
        Ok(Self {
            session,
            known: Arc::new(known),
            name: name.into(),
            version: entry.version.as_str().into(),
            baseline: entry.baseline,
            scratch: Vec::new(),
        })
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// The selectors the model's features were computed with.
    pub fn known_selectors(&self) -> Arc<KnownSelectors> {
        self.known.clone()
    }

    /// Calibrated probabilities (0..=1) of `rows`, in order, into `out` (cleared first).
    pub fn classify(&mut self, rows: &[FeatureVector], out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        if rows.is_empty() {
            return Ok(());
        }
        self.session.run(rows.as_flattened(), out)?;
        if out.len() == rows.len() {
            return Ok(());
        }
        Err(Error::Model(format!(
            "{}: {} rows gave {} probabilities",
            self.name,
            rows.len(),
            out.len()
        )))
    }

    /// How much each feature moved the probability: p(x) − p(x with that feature at the training median).
    /// Largest first; features that moved nothing are left out.
    pub fn explain(&mut self, row: &FeatureVector) -> Result<Vec<Factor>> {
        let mut rows = vec![*row; FEATURES + 1];
        for (feature, row) in rows[1..].iter_mut().enumerate() {
            row[feature] = self.baseline[feature];
        }
        let mut p = std::mem::take(&mut self.scratch);
        let answered = self.classify(&rows, &mut p);
        let mut factors: Vec<Factor> = p
            .iter()
            .skip(1)
            .enumerate()
            .map(|(i, without)| Factor {
                feature: NAMES[i],
                value: row[i],
                contribution: p[0] - without,
            })
            .filter(|factor| factor.contribution != 0.0)
            .collect();
        self.scratch = p;
        answered?;
        factors.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
        Ok(factors)
    }
}
