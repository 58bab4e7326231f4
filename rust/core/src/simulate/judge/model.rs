//! The verdict model: a probability for what a simulated transaction did.

use super::behaviour::{NAMES, SCHEMA_VERSION, TraceFeatures, TraceRow};
use crate::classify::{Manifest, Model, Schema};
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::evidence::Factor;
use std::sync::Arc;

const NAME: &str = "trace";
const SCHEMA: Schema = Schema {
    version: SCHEMA_VERSION,
    names: &NAMES,
};

/// The model over traces of a model folder, ready to run. One per thread: sessions are not shared.
pub struct TraceModel {
    model: Model,
    scratch: Vec<f32>,
}

impl std::fmt::Debug for TraceModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceModel")
            .field("version", &self.model.version)
            .finish()
    }
}

impl TraceModel {
    /// Verifies hash, feature schema and shape before anything is run.
    ///
    /// # Errors
    /// [`Error::Model`], naming the file and which of the three is wrong, or that the folder has no such model.
    pub fn load(config: &ModelConfig) -> Result<Self> {
        let model = Self::load_if_there(config)?;
        model.ok_or_else(|| {
            Error::Model(format!(
                "{}: no model over traces; train one",
                config.dir.display()
            ))
        })
    }

    /// The same; `None` where the folder has no such model.
    pub fn load_if_there(config: &ModelConfig) -> Result<Option<Self>> {
        let manifest = Manifest::read(&config.dir)?;
        let Some(entry) = &manifest.trace else {
            return Ok(None);
        };
        Ok(Some(Self {
            model: Model::load(config, NAME, entry, SCHEMA)?,
            scratch: Vec::new(),
        }))
    }

    pub fn version(&self) -> &Arc<str> {
        &self.model.version
    }

    /// The calibrated probability (0..=1) that the transaction is an exploit.
    pub fn predict(&mut self, features: &TraceFeatures) -> Result<f32> {
        let mut answer = std::mem::take(&mut self.scratch);
        let predicted = self.predict_rows(&[features.row()], &mut answer);
        let probability = answer.first().copied().unwrap_or_default();
        self.scratch = answer;
        predicted.map(|()| probability)
    }

    /// Those of `rows`, in order, into `out` (cleared first).
    pub fn predict_rows(&mut self, rows: &[TraceRow], out: &mut Vec<f32>) -> Result<()> {
        self.model.predict(rows.as_flattened(), out)
    }

    /// How much each feature moved the probability: p(x) − p(x with that feature at the training median).
    /// Largest first; features that moved nothing are left out.
    pub fn explain(&mut self, features: &TraceFeatures) -> Result<Vec<Factor>> {
        self.explain_row(&features.row())
    }

    /// The same of a row.
    pub fn explain_row(&mut self, row: &TraceRow) -> Result<Vec<Factor>> {
        self.model.explain(row)
    }
}
