//! A model's probability for one transaction: a regression's by our own few lines, others' by ONNX Runtime's C library as the
//! onnxruntime wheel ships it.

mod contract;
mod graph;
mod logistic;
mod manifest;
mod model;
mod onnx;
mod scorer;
#[cfg(test)]
mod tests;

pub use contract::ContractModel;
pub use manifest::{Manifest, ModelEntry, Schema};
pub(crate) use model::Model;
pub use scorer::CodeScorer;

use crate::config::ModelConfig;
use crate::error::Result;
use crate::evidence::{Factor, FeatureVector};
use crate::features::{KnownSelectors, NAMES, SCHEMA_VERSION};
use std::sync::Arc;

/// The features of a transaction before it is executed.
const SCHEMA: Schema = Schema {
    version: SCHEMA_VERSION,
    names: &NAMES,
};

/// The default model of a model folder, ready to run. One per pipeline thread: sessions are not shared.
pub struct Classifier {
    model: Model,
    known: Arc<KnownSelectors>,
}

impl std::fmt::Debug for Classifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classifier")
            .field("model", &self.model.name)
            .field("version", &self.model.version)
            .finish()
    }
}

impl Classifier {
    /// Verifies hash, feature schema and shape before anything is run.
    ///
    /// # Errors
    /// [`Error::Model`](crate::error::Error::Model), naming the file and which of the three is wrong.
    pub fn load(config: &ModelConfig) -> Result<Self> {
        let manifest = Manifest::read(&config.dir)?;
        let known = KnownSelectors::from_bytes(&manifest.selectors(&config.dir)?)?;
        let (name, entry) = manifest.default_model()?;
        Ok(Self {
            model: Model::load(config, name, entry, SCHEMA)?,
            known: Arc::new(known),
        })
    }

    pub fn name(&self) -> &Arc<str> {
        &self.model.name
    }

    pub fn version(&self) -> &Arc<str> {
        &self.model.version
    }

    /// The selectors the model's features were computed with.
    pub fn known_selectors(&self) -> Arc<KnownSelectors> {
        self.known.clone()
    }

    /// Calibrated probabilities (0..=1) of `rows`, in order, into `out` (cleared first).
    pub fn classify(&mut self, rows: &[FeatureVector], out: &mut Vec<f32>) -> Result<()> {
        self.model.predict(rows.as_flattened(), out)
    }

    /// How much each feature moved the probability: p(x) − p(x with that feature at the training median).
    /// Largest first; features that moved nothing are left out.
    pub fn explain(&mut self, row: &FeatureVector) -> Result<Vec<Factor>> {
        self.model.explain(row)
    }
}
