//! `rehearse`: a sequence on a node's state that nobody sends.

use crate::convert::interruptible;
use crate::error::{ConfigError, to_py};
use mempool_ids_core::tools::rehearse::{Script, rehearse as execute};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// `steps_json`: an array of steps, or an object with `steps` and `rules`.
#[pyfunction]
#[pyo3(signature = (config_json, steps_json, block = None))]
pub fn rehearse<'py>(
    py: Python<'py>,
    config_json: &str,
    steps_json: &str,
    block: Option<&str>,
) -> PyResult<Bound<'py, PyBytes>> {
    let config =
        serde_json::from_str(config_json).map_err(|e| ConfigError::new_err(e.to_string()))?;
    let script = Script::parse(steps_json).map_err(to_py)?;
    let block = block.map(str::to_owned);
    let done = interruptible(py, move || execute(&config, script, block.as_deref()))?;
    Ok(PyBytes::new(py, &done))
}
