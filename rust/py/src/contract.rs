//! Contracts' code: features in bulk by the sensor's own code, and its score.

use crate::convert::{detached, each, floats, json, pieces, rows};
use mempool_ids_core::bytecode::contract::{Anatomy, Extractor, WIDTH};
use mempool_ids_core::config::ModelConfig;
use mempool_ids_core::decode::KnownSelectors;
use mempool_ids_core::simulate::constructor::{Kind, running_code};
use mempool_ids_core::tools::score::Scorer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Features of codes as they run, as a native-endian float32 matrix, row-major (n, features).
#[pyfunction]
pub fn contract_matrix<'py>(
    py: Python<'py>,
    known_selectors: &[u8],
    codes: Vec<Vec<u8>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let known = detached(py, || KnownSelectors::from_bytes(known_selectors))?;
    let extractor = Extractor::new(Arc::new(known));
    let mut matrix = Vec::new();
    each(py, codes.len(), |row| {
        extractor.extract(&Anatomy::of(&codes[row]), &mut matrix);
        Ok(())
    })?;
    Ok(PyBytes::new(py, &floats(&matrix)))
}

/// What runs of a code, and where it comes from: `told`, or `executed`, `embedded` or `constructor` where it is init code.
#[pyfunction]
#[pyo3(signature = (code, creation = None))]
pub fn running_contract<'py>(
    py: Python<'py>,
    code: &[u8],
    creation: Option<bool>,
) -> PyResult<(Bound<'py, PyBytes>, &'static str)> {
    let running = detached(py, || Ok(running_code(code, creation.map(kind))))?;
    let origin = running.origin.map_or("told", |origin| origin.name());
    Ok((PyBytes::new(py, &running.code), origin))
}

fn kind(creation: bool) -> Kind {
    match creation {
        true => Kind::Creation,
        false => Kind::Runtime,
    }
}

#[pyclass(frozen, module = "mempool_ids._core")]
pub struct ContractScorer {
    inner: Mutex<Scorer>,
}

#[pymethods]
impl ContractScorer {
    /// With these thresholds, where they are given, in place of the model's for the chain.
    #[new]
    #[pyo3(signature = (dir, onnxruntime, chain_id, high_recall = None, high_precision = None))]
    fn new(
        py: Python<'_>,
        dir: PathBuf,
        onnxruntime: PathBuf,
        chain_id: u64,
        high_recall: Option<f32>,
        high_precision: Option<f32>,
    ) -> PyResult<Self> {
        let config = ModelConfig { dir, onnxruntime };
        let load = || Scorer::load(&config, chain_id, high_recall, high_precision);
        let inner = detached(py, load)?;
        Ok(Self {
            inner: Mutex::new(inner),
        })
    }

    /// One JSON object a code. `creations`: whether each is init code, where that is known.
    fn score<'py>(
        &self,
        py: Python<'py>,
        codes: Vec<Vec<u8>>,
        creations: Vec<Option<bool>>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let contracts: Vec<_> = codes
            .iter()
            .zip(creations)
            .map(|(code, creation)| (code.as_slice(), creation.map(kind)))
            .collect();
        let scored = pieces(py, &contracts, |contracts, out| {
            let mut scorer = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            *out = scorer.score(contracts)?;
            Ok(())
        })?;
        let texts = scored.iter().map(|one| Ok(PyBytes::new(py, &json(one)?)));
        texts.collect()
    }

    /// Probabilities of the model that misses little, and of the one that is seldom wrong.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        rows: &[u8],
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let rows = self::rows::<WIDTH>(rows)?;
        let mut precise = Vec::new();
        let recall = pieces(py, &rows, |rows, out| {
            let mut scorer = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            let (recall, precision) = scorer.model().predict(rows.as_flattened())?;
            *out = recall;
            precise.extend(precision);
            Ok(())
        })?;
        Ok((
            PyBytes::new(py, &floats(&recall)),
            PyBytes::new(py, &floats(&precise)),
        ))
    }
}
