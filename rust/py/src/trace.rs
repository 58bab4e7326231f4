//! Features of call trees in bulk, by the sensor's own code.

use crate::convert::{each, floats};
use mempool_ids_core::error::Error;
use mempool_ids_core::evidence::trace::Trace;
use mempool_ids_core::simulate::judge::behaviour::extract;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Trees as `callTracer` writes them, one a text, to a native-endian float32 matrix, row-major (n, features).
#[pyfunction]
pub fn trace_matrix(py: Python<'_>, traces: Vec<String>) -> PyResult<Bound<'_, PyBytes>> {
    let mut matrix = Vec::new();
    each(py, traces.len(), |row| {
        let trace = Trace::from_json(&traces[row])
            .map_err(|error| Error::Config(format!("row {row}: {error}")))?;
        matrix.extend_from_slice(&extract(&trace).row());
        Ok(())
    })?;
    Ok(PyBytes::new(py, &floats(&matrix)))
}
