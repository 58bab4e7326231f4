//! `Sensor`: a running pipeline that Python pulls events from.

use crate::convert::{detached, json};
use crate::error::{ConfigError, MempoolIdsError};
use mempool_ids_core::{pipeline, tools};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A running sensor. Every method may be called from any thread.
#[pyclass(frozen, module = "mempool_ids._core")]
pub struct Sensor {
    inner: Mutex<pipeline::Sensor>,
    events: pipeline::Events,
}

impl Sensor {
    fn lock(&self) -> MutexGuard<'_, pipeline::Sensor> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Sensor {
    #[new]
    fn new(py: Python<'_>, config_json: &str) -> PyResult<Self> {
        let config =
            serde_json::from_str(config_json).map_err(|e| ConfigError::new_err(e.to_string()))?;
        let inner = detached(py, || pipeline::Sensor::new(config))?;
        Ok(Self {
            events: inner.events(),
            inner: Mutex::new(inner),
        })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.lock().start())
    }

    /// Pulls up to `limit` events, waiting at most `timeout` seconds for the first.
    #[pyo3(signature = (timeout, limit = 1024))]
    fn recv<'py>(
        &self,
        py: Python<'py>,
        timeout: f64,
        limit: usize,
    ) -> PyResult<Vec<(&'static str, Bound<'py, PyBytes>)>> {
        let timeout = seconds(timeout)?;
        let encoded = py.detach(|| {
            self.events
                .recv(timeout, limit)
                .iter()
                .map(|event| self.events.origin().encode(event))
                .collect::<Vec<_>>()
        });
        Ok(encoded
            .into_iter()
            .map(|(kind, bytes)| (kind, PyBytes::new(py, &bytes)))
            .collect())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let stats = py.detach(|| self.lock().stats_json());
        Ok(PyBytes::new(py, &json(&stats)?))
    }

    fn reload(&self, py: Python<'_>, rules: Vec<String>) -> PyResult<()> {
        detached(py, || self.lock().reload(&rules))
    }

    fn fetch(&self, py: Python<'_>, tx_hash: &str) -> PyResult<()> {
        let hash = tx_hash
            .parse()
            .map_err(|e| MempoolIdsError::new_err(format!("transaction hash: {e}")))?;
        py.detach(|| self.lock().fetch(hash));
        Ok(())
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.lock().stop());
    }
}

/// Nanoseconds per transaction of each stage, with the configuration's rules, ABIs and model.
#[pyfunction]
pub fn measure_stages<'py>(
    py: Python<'py>,
    config_json: &str,
    transactions: Vec<Vec<u8>>,
    seconds: f64,
) -> PyResult<Bound<'py, PyBytes>> {
    let config =
        serde_json::from_str(config_json).map_err(|e| ConfigError::new_err(e.to_string()))?;
    let time = self::seconds(seconds)?;
    let costs = detached(py, || {
        tools::measure::measure_stages(&config, &transactions, time)
    })?;
    Ok(PyBytes::new(py, &json(&costs)?))
}

fn seconds(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| MempoolIdsError::new_err("a time is a non-negative number of seconds"))
}
