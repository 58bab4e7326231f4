//! Transactions that Python has signed and sends: what is to be signed, the bytes, and what bytes say.

use crate::convert::json;
use crate::error::MempoolIdsError;
use alloy_primitives::keccak256 as keccak;
use mempool_ids_core::wire::WireError;
use mempool_ids_core::wire::signing::{self, Unsigned};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Two byte strings.
type Pair<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

fn to_py(error: WireError) -> PyErr {
    MempoolIdsError::new_err(format!("transaction: {error}"))
}

/// The encoding without a signature, and the hash that is signed.
#[pyfunction]
pub fn unsigned_transaction<'py>(py: Python<'py>, json: &str) -> PyResult<Pair<'py>> {
    let tx = Unsigned::of_json(json.as_bytes()).map_err(to_py)?;
    let (encoded, hash) = (tx.encoded(), tx.signing_hash());
    Ok((PyBytes::new(py, &encoded), PyBytes::new(py, &hash[..])))
}

/// The signed bytes, and their hash.
#[pyfunction]
pub fn signed_transaction<'py>(
    py: Python<'py>,
    json: &str,
    y_parity: u8,
    r: &[u8],
    s: &[u8],
) -> PyResult<Pair<'py>> {
    let tx = Unsigned::of_json(json.as_bytes()).map_err(to_py)?;
    let (raw, hash) = tx.signed(y_parity, r, s).map_err(to_py)?;
    Ok((PyBytes::new(py, &raw), PyBytes::new(py, &hash[..])))
}

#[pyfunction]
pub fn decode_transaction<'py>(py: Python<'py>, raw: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let fields = py.detach(|| signing::decode(raw)).map_err(to_py)?;
    Ok(PyBytes::new(py, &json(&fields)?))
}

#[pyfunction]
pub fn encode_transaction<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let raw = py.detach(|| signing::encode_object(json)).map_err(to_py)?;
    Ok(PyBytes::new(py, &raw))
}

#[pyfunction]
pub fn keccak256<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &keccak(data)[..])
}

/// The address of who signed.
#[pyfunction]
pub fn recover_signer<'py>(
    py: Python<'py>,
    hash: &[u8],
    y_parity: u8,
    r: &[u8],
    s: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let signer = py.detach(|| signing::recover(hash, y_parity, r, s));
    Ok(PyBytes::new(py, &signer.map_err(to_py)?[..]))
}
