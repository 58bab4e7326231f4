//! One verified model of a model folder, whatever its features.

use super::logistic::Logistic;
use super::manifest::{ModelEntry, Schema};
use super::onnx::{Ends, Session};
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::evidence::Factor;
use std::sync::Arc;

/// Ready to run. One per thread: sessions are not shared.
pub(crate) struct Model {
    evaluator: Evaluator,
    schema: Schema,
    pub name: Arc<str>,
    pub version: Arc<str>,
    baseline: Vec<f32>,
    scratch: Vec<f32>,
}

/// Who computes.
enum Evaluator {
    Logistic(Logistic),
    Onnx(Session),
}

impl Model {
    /// Verifies hash, feature schema and shape before anything is run.
    pub fn load(
        config: &ModelConfig,
        name: &str,
        entry: &ModelEntry,
        schema: Schema,
    ) -> Result<Self> {
        let bytes = entry.bytes(name, &config.dir, schema)?;
        let width = schema.names.len();
        let mut evaluator = match Logistic::read(&bytes, width) {
            Some(logistic) => Evaluator::Logistic(logistic),
            None => Evaluator::Onnx(Session::open(
                &config.onnxruntime,
                name,
                Ends {
                    input: &entry.input,
                    output: &entry.output,
                },
                width,
                &bytes,
            )?),
        };
        // A graph of the right interface can still fail on its first row (an operator this runtime lacks).
        evaluator.run(&entry.baseline, width, &mut Vec::new())?;
        Ok(Self {
            evaluator,
            schema,
            name: name.into(),
            version: entry.version.as_str().into(),
            baseline: entry.baseline.clone(),
            scratch: Vec::new(),
        })
    }

    /// Calibrated probabilities (0..=1) of row-major `rows`, in order, into `out` (cleared first).
    pub fn predict(&mut self, rows: &[f32], out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        if rows.is_empty() {
            return Ok(());
        }
        let width = self.schema.names.len();
        self.evaluator.run(rows, width, out)?;
        let count = rows.len() / width;
        if out.len() == count {
            return Ok(());
        }
        Err(Error::Model(format!(
            "{}: {count} rows gave {} probabilities",
            self.name,
            out.len()
        )))
    }

    /// How much each feature moved the probability: p(x) − p(x with that feature at the training median).
    /// Largest first; features that moved nothing are left out.
    pub fn explain(&mut self, row: &[f32]) -> Result<Vec<Factor>> {
        let names = self.schema.names;
        let mut rows = row.repeat(names.len() + 1);
        for (feature, baseline) in self.baseline.iter().enumerate() {
            rows[(feature + 1) * names.len() + feature] = *baseline;
        }
        let mut p = std::mem::take(&mut self.scratch);
        let answered = self.predict(&rows, &mut p);
        let mut factors: Vec<Factor> = p
            .iter()
            .skip(1)
            .enumerate()
            .map(|(i, without)| Factor {
                feature: names[i],
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

impl Evaluator {
    /// Appends a probability for each row.
    fn run(&mut self, rows: &[f32], width: usize, out: &mut Vec<f32>) -> Result<()> {
        match self {
            Self::Logistic(logistic) => {
                out.extend(rows.chunks_exact(width).map(|row| logistic.predict(row)));
                Ok(())
            }
            Self::Onnx(session) => session.run(rows, out),
        }
    }
}
