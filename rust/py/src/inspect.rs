//! `inspect_transaction`: one transaction simulated for a person.

use crate::convert::interruptible;
use crate::error::{ConfigError, to_py};
use mempool_ids_core::tools::inspect::{Input, inspect};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// `text`: a hash, signed bytes in hex, a transaction's JSON or a call tree's.
#[pyfunction]
#[pyo3(signature = (config_json, text, block = None))]
pub fn inspect_transaction<'py>(
    py: Python<'py>,
    config_json: &str,
    text: &str,
    block: Option<&str>,
) -> PyResult<Bound<'py, PyBytes>> {
    let config =
        serde_json::from_str(config_json).map_err(|e| ConfigError::new_err(e.to_string()))?;
    let input = Input::parse(text).map_err(to_py)?;
    let block = block.map(str::to_owned);
    let report = interruptible(py, move || inspect(&config, &input, block.as_deref()))?;
    Ok(PyBytes::new(py, &report))
}
