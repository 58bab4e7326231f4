//! Conversions between Python's values and the core's.

use crate::error::{ConfigError, MempoolIdsError, to_py};
use mempool_ids_core::config::MonitoredContract;
use mempool_ids_core::tx::PendingTransaction;
use pyo3::prelude::*;
use serde::Serialize;

pub fn json(value: &impl Serialize) -> PyResult<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| MempoolIdsError::new_err(e.to_string()))
}

pub fn contracts(text: &str) -> PyResult<Vec<MonitoredContract>> {
    serde_json::from_str(text).map_err(|e| ConfigError::new_err(format!("contracts: {e}")))
}

/// A transaction object as `eth_getTransactionByHash` returns it.
pub fn transaction(object: &[u8]) -> PyResult<PendingTransaction> {
    mempool_ids_core::wire::parse_object(object, 0)
        .map_err(|e| MempoolIdsError::new_err(format!("transaction: {}", e.reason)))
}

/// Native-endian float32, row-major (n, N).
pub fn rows<const N: usize>(bytes: &[u8]) -> PyResult<Vec<[f32; N]>> {
    let (values, rest) = bytes.as_chunks::<4>();
    let floats: Vec<f32> = values.iter().map(|b| f32::from_ne_bytes(*b)).collect();
    let (rows, partial) = floats.as_chunks::<N>();
    if rest.is_empty() && partial.is_empty() {
        return Ok(rows.to_vec());
    }
    Err(MempoolIdsError::new_err(format!(
        "{} bytes are no whole number of float32 rows of {N}",
        bytes.len()
    )))
}

pub fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_ne_bytes()).collect()
}

/// Runs `work` without the GIL and converts its error.
pub fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> mempool_ids_core::error::Result<T> + Send,
) -> PyResult<T> {
    py.detach(work).map_err(to_py)
}
