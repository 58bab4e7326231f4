//! `Model` and `TraceModel`: the inference paths of the sensor, for export checks and notebooks.

use crate::convert::{detached, floats, json, pieces, rows};
use crate::error::MempoolIdsError;
use mempool_ids_core::classify::Classifier;
use mempool_ids_core::config::ModelConfig;
use mempool_ids_core::simulate::judge::model::TraceModel as CoreTraceModel;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

#[pyclass(frozen, module = "mempool_ids._core")]
pub struct Model {
    inner: Mutex<Classifier>,
}

#[pymethods]
impl Model {
    #[new]
    fn new(py: Python<'_>, dir: PathBuf, onnxruntime: PathBuf) -> PyResult<Self> {
        let inner = detached(py, || Classifier::load(&ModelConfig { dir, onnxruntime }))?;
        Ok(Self {
            inner: Mutex::new(inner),
        })
    }

    fn predict<'py>(&self, py: Python<'py>, rows: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let rows = self::rows(rows)?;
        let probabilities = pieces(py, &rows, |rows, out| {
            let mut model = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            model.classify(rows, out)
        })?;
        Ok(PyBytes::new(py, &floats(&probabilities)))
    }

    fn explain<'py>(&self, py: Python<'py>, row: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let rows = self::rows(row)?;
        let [row] = rows.as_slice() else {
            return Err(MempoolIdsError::new_err("one row is explained at a time"));
        };
        let factors = detached(py, || {
            self.inner
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .explain(row)
        })?;
        Ok(PyBytes::new(py, &json(&factors)?))
    }
}

#[pyclass(frozen, module = "mempool_ids._core")]
pub struct TraceModel {
    inner: Mutex<CoreTraceModel>,
}

#[pymethods]
impl TraceModel {
    #[new]
    fn new(py: Python<'_>, dir: PathBuf, onnxruntime: PathBuf) -> PyResult<Self> {
        let inner = detached(py, || {
            CoreTraceModel::load(&ModelConfig { dir, onnxruntime })
        })?;
        Ok(Self {
            inner: Mutex::new(inner),
        })
    }

    fn predict<'py>(&self, py: Python<'py>, rows: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let rows = self::rows(rows)?;
        let probabilities = pieces(py, &rows, |rows, out| {
            let mut model = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            model.predict_rows(rows, out)
        })?;
        Ok(PyBytes::new(py, &floats(&probabilities)))
    }

    fn explain<'py>(&self, py: Python<'py>, row: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let rows = self::rows(row)?;
        let [row] = rows.as_slice() else {
            return Err(MempoolIdsError::new_err("one row is explained at a time"));
        };
        let factors = detached(py, || {
            self.inner
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .explain_row(row)
        })?;
        Ok(PyBytes::new(py, &json(&factors)?))
    }
}
