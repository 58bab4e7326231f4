//! `chain_spec`: what the core takes a chain to be.

use crate::convert::{detached, json};
use mempool_ids_core::chain::ChainSpec;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

#[pyfunction]
#[pyo3(signature = (chain_id, file = None))]
pub fn chain_spec(
    py: Python<'_>,
    chain_id: u64,
    file: Option<PathBuf>,
) -> PyResult<Bound<'_, PyBytes>> {
    let spec = detached(py, || ChainSpec::load(chain_id, file.as_deref()))?;
    Ok(PyBytes::new(py, &json(spec.as_ref())?))
}
