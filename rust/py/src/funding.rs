//! `FundingIndex`: who had money of services that ask little.

use crate::convert::{detached, json};
use crate::error::{ConfigError, MempoolIdsError};
use alloy_primitives::{Address, B256};
use mempool_ids_core::error::Error;
use mempool_ids_core::evidence::trace::Trace;
use mempool_ids_core::funding::{Block, Index, transfers};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[pyclass(frozen)]
pub struct FundingIndex {
    /// Nothing once it is closed.
    index: Mutex<Option<Index>>,
}

#[pymethods]
impl FundingIndex {
    /// `config_json`: a `FundingConfig`; with `write`, to feed it.
    #[new]
    #[pyo3(signature = (config_json, write = false))]
    fn new(py: Python<'_>, config_json: &str, write: bool) -> PyResult<Self> {
        let config = serde_json::from_str(config_json);
        let config = config.map_err(|e| ConfigError::new_err(format!("funding: {e}")))?;
        let open = if write { Index::open } else { Index::read };
        let index = detached(py, || open(config))?;
        Ok(Self {
            index: Mutex::new(Some(index)),
        })
    }

    /// Takes in a block: what its JSON tells of transfers, and what the traces of its transactions do, by hash. What came of it,
    /// and the hashes whose traces cannot be read.
    fn feed<'py>(
        &self,
        py: Python<'py>,
        block_json: &[u8],
        traces: Vec<(String, String)>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let block = serde_json::from_slice(block_json);
        let mut block: Block =
            block.map_err(|e| MempoolIdsError::new_err(format!("block: {e}")))?;
        let done = self.with(py, move |index| {
            let mut unreadable = Vec::new();
            for (hash, trace) in &traces {
                match (hash.parse::<B256>(), Trace::from_json(trace)) {
                    (Ok(tx), Ok(trace)) => block.transfers.extend(transfers(tx, &trace)),
                    _ => unreadable.push(hash.clone()),
                }
            }
            Ok((index.feed(&block)?, unreadable))
        });
        Ok(PyBytes::new(py, &json(&done?)?))
    }

    /// Undoes a block and what came after it: how many there were.
    fn undo(&self, py: Python<'_>, number: u64) -> PyResult<u64> {
        self.with(py, |index| index.undo(number))
    }

    #[pyo3(signature = (address, at = None))]
    fn funding_of<'py>(
        &self,
        py: Python<'py>,
        address: &[u8],
        at: Option<u64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let address = Address::try_from(address)
            .map_err(|_| MempoolIdsError::new_err("an address has 20 bytes"))?;
        let found = self.with(py, |index| index.funding_of(&address, at))?;
        Ok(PyBytes::new(py, &json(&found)?))
    }

    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let state = self.with(py, |index| index.state())?;
        Ok(PyBytes::new(py, &json(&state)?))
    }

    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Index::clear)
    }

    /// Idempotent.
    fn close(&self, py: Python<'_>) {
        py.detach(|| *self.lock() = None);
    }
}

impl FundingIndex {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Index) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let mut index = self.lock();
            index.as_mut().map(work)
        });
        let done = done.ok_or_else(|| MempoolIdsError::new_err("the funding index is closed"))?;
        done.map_err(crate::error::to_py)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Index>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
