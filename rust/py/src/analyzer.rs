//! `Analyzer`: features of single transactions for people, and of many for training, by the sensor's own code.

use crate::convert::{contracts, each, floats, json, transaction};
use crate::error::{MempoolIdsError, to_py};
use alloy_primitives::{Address, U256, hex};
use mempool_ids_core::bytecode::CodeFacts;
use mempool_ids_core::decode::Decoded;
use mempool_ids_core::features::{FEATURES, KnownSelectors};
use mempool_ids_core::tools::analyzer;
use mempool_ids_core::tx::PendingTransaction;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;
use std::sync::Arc;

#[pyclass(frozen, module = "mempool_ids._core")]
pub struct Analyzer {
    inner: analyzer::Analyzer,
}

#[pymethods]
impl Analyzer {
    #[new]
    #[pyo3(signature = (known_selectors, contracts_json = "[]"))]
    fn new(known_selectors: &[u8], contracts_json: &str) -> PyResult<Self> {
        let known = KnownSelectors::from_bytes(known_selectors).map_err(to_py)?;
        let inner =
            analyzer::Analyzer::new(Arc::new(known), &contracts(contracts_json)?).map_err(to_py)?;
        Ok(Self { inner })
    }

    #[pyo3(signature = (tx_json, code = None))]
    fn analyze<'py>(
        &self,
        py: Python<'py>,
        tx_json: &[u8],
        code: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let tx = transaction(tx_json)?;
        let code = code.map(|code| CodeFacts::scan(code, None));
        let mut decoded = Decoded::default();
        let features = self.inner.features_with(&tx, code.as_ref(), &mut decoded);
        let description = self.inner.describe(&tx);
        let report = json!({
            "features": features.to_vec(),
            "function": description.function,
            "arguments": description.arguments.iter()
                .map(|(name, kind, value)| json!({"name": name, "type": kind, "value": value})).collect::<Vec<_>>(),
            "depth": decoded.depth,
            "anomaly": decoded.anomaly,
            "selectors": decoded.selectors.iter().map(hex::encode_prefixed).collect::<Vec<_>>(),
            "addresses": decoded.addresses.iter().map(|a| format!("{a:#x}")).collect::<Vec<_>>(),
        });
        Ok(PyBytes::new(py, &json(&report)?))
    }

    /// Columns of equal length to a native-endian float32 matrix, row-major (n, 22).
    #[allow(clippy::too_many_arguments)] // One argument a column, as in the frame they come from.
    #[pyo3(signature = (to, from_, value, nonce, gas, max_fee, max_priority_fee, input, code = None))]
    fn matrix<'py>(
        &self,
        py: Python<'py>,
        to: Vec<Option<Vec<u8>>>,
        from_: Vec<Vec<u8>>,
        value: Vec<Vec<u8>>,
        nonce: Vec<u64>,
        gas: Vec<u64>,
        max_fee: Vec<u128>,
        max_priority_fee: Vec<u128>,
        mut input: Vec<Vec<u8>>,
        code: Option<Vec<Option<Vec<u8>>>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let n = input.len();
        let lengths = [
            to.len(),
            from_.len(),
            value.len(),
            nonce.len(),
            gas.len(),
            max_fee.len(),
            max_priority_fee.len(),
        ];
        if lengths.iter().any(|len| *len != n) || code.as_ref().is_some_and(|code| code.len() != n)
        {
            return Err(MempoolIdsError::new_err("columns differ in length"));
        }
        let mut matrix = Vec::with_capacity(n * FEATURES);
        let (mut decoded, mut tx) = (Decoded::default(), PendingTransaction::default());
        each(py, n, |i| {
            tx.to = to[i].as_deref().map(address).transpose()?;
            tx.from = address(&from_[i])?;
            tx.value =
                U256::try_from_be_slice(&value[i]).ok_or_else(|| wrong("value", value[i].len()))?;
            (tx.nonce, tx.gas) = (nonce[i], gas[i]);
            tx.input = std::mem::take(&mut input[i]);
            (tx.max_fee_per_gas, tx.max_priority_fee_per_gas) = (max_fee[i], max_priority_fee[i]);
            let code = code.as_ref().and_then(|code| code[i].as_deref());
            let code = code.map(|code| CodeFacts::scan(code, None));
            let row = self.inner.features_with(&tx, code.as_ref(), &mut decoded);
            matrix.extend_from_slice(&row);
            Ok(())
        })?;
        Ok(PyBytes::new(py, &floats(&matrix)))
    }
}

fn address(bytes: &[u8]) -> mempool_ids_core::error::Result<Address> {
    Address::try_from(bytes).map_err(|_| wrong("address", bytes.len()))
}

fn wrong(what: &str, len: usize) -> mempool_ids_core::error::Error {
    mempool_ids_core::error::Error::Config(format!("{what} of {len} bytes"))
}
