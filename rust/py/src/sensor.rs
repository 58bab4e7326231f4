//! `Sensor`: a running pipeline that Python pulls events from.

use crate::convert::{PATIENCE, detached, interruptible, json};
use crate::error::{ConfigError, MempoolIdsError};
use mempool_ids_core::{pipeline, tools};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A running sensor. Every method may be called from any thread.
#[pyclass(frozen, module = "mempool_ids._core")]
pub struct Sensor {
    /// Taken when it is dropped.
    inner: Mutex<Option<pipeline::Sensor>>,
    events: pipeline::Events,
}

impl Sensor {
    fn with<T>(&self, call: impl FnOnce(&mut pipeline::Sensor) -> T) -> Option<T> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.as_mut().map(call)
    }
}

/// It waits for its threads: others need the GIL meanwhile.
impl Drop for Sensor {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(sensor) = inner.take() {
            Python::attach(|py| py.detach(move || drop(sensor)));
        }
    }
}

#[pymethods]
impl Sensor {
    #[new]
    fn new(py: Python<'_>, config_json: &str) -> PyResult<Self> {
        let config =
            serde_json::from_str(config_json).map_err(|e| ConfigError::new_err(e.to_string()))?;
        let inner = interruptible(py, || pipeline::Sensor::new(config))?;
        Ok(Self {
            events: inner.events(),
            inner: Mutex::new(Some(inner)),
        })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.with(pipeline::Sensor::start).unwrap_or(Ok(())))
    }

    /// Pulls up to `limit` events, waiting at most `timeout` seconds for the first.
    #[pyo3(signature = (timeout, limit = 1024))]
    fn recv<'py>(
        &self,
        py: Python<'py>,
        timeout: f64,
        limit: usize,
    ) -> PyResult<Vec<(&'static str, Bound<'py, PyBytes>)>> {
        let (timeout, begun) = (seconds(timeout)?, Instant::now());
        let encoded = loop {
            let left = timeout.saturating_sub(begun.elapsed());
            let encoded = py.detach(|| {
                let events = self.events.recv(left.min(PATIENCE), limit);
                let encoded = events
                    .iter()
                    .map(|event| self.events.origin().encode(event));
                encoded.collect::<Vec<_>>()
            });
            if !encoded.is_empty() || left <= PATIENCE {
                break encoded;
            }
            py.check_signals()?;
        };
        Ok(encoded
            .into_iter()
            .map(|(kind, bytes)| (kind, PyBytes::new(py, &bytes)))
            .collect())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let stats = py.detach(|| self.with(|sensor| sensor.stats_json()));
        Ok(PyBytes::new(py, &json(&stats)?))
    }

    fn reload(&self, py: Python<'_>, rules: Vec<String>) -> PyResult<()> {
        detached(py, || {
            self.with(|sensor| sensor.reload(&rules)).unwrap_or(Ok(()))
        })
    }

    fn fetch(&self, py: Python<'_>, tx_hash: &str) -> PyResult<()> {
        let hash = tx_hash
            .parse()
            .map_err(|e| MempoolIdsError::new_err(format!("transaction hash: {e}")))?;
        py.detach(|| self.with(|sensor| sensor.fetch(hash)));
        Ok(())
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.with(pipeline::Sensor::stop));
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
    let measure = move || tools::measure::measure_stages(&config, &transactions, time);
    let costs = interruptible(py, measure)?;
    Ok(PyBytes::new(py, &json(&costs)?))
}

fn seconds(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| MempoolIdsError::new_err("a time is a non-negative number of seconds"))
}
