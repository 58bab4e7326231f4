//! Contracts that are there, on the nodes of a configuration.

use crate::convert::interruptible;
use crate::error::{ConfigError, MempoolIdsError, to_py};
use alloy_primitives::Address;
use mempool_ids_core::error::Error;
use mempool_ids_core::tools::deployed::Deployed;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Arc, Mutex, PoisonError};

#[pyclass(frozen, module = "mempool_ids._core")]
pub struct DeployedContracts {
    inner: Arc<Mutex<Deployed>>,
}

#[pymethods]
impl DeployedContracts {
    #[new]
    fn new(config_json: &str) -> PyResult<Self> {
        let config =
            serde_json::from_str(config_json).map_err(|e| ConfigError::new_err(e.to_string()))?;
        let inner = Deployed::new(config).map_err(to_py)?;
        Ok(Self {
            inner: Arc::new(Mutex::new(inner)),
        })
    }

    /// What runs at the address at the head, and whose code that is where it is another account's; None where there is none.
    #[allow(clippy::type_complexity)]
    fn code<'py>(
        &self,
        py: Python<'py>,
        address: &[u8],
    ) -> PyResult<Option<(Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>)>> {
        let address = account(address)?;
        let found = self.run(py, move |deployed| deployed.code(address))?;
        Ok(found.map(|found| {
            let code = PyBytes::new(py, &found.code);
            let of = found.implementation;
            (code, of.map(|of| PyBytes::new(py, of.as_slice())))
        }))
    }

    /// What calling it shows, as JSON; None where there is no code.
    #[pyo3(signature = (address, deployer = None))]
    fn detonate<'py>(
        &self,
        py: Python<'py>,
        address: &[u8],
        deployer: Option<&[u8]>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let address = account(address)?;
        let deployer = deployer.map(account).transpose()?;
        let done = self.run(py, move |deployed| deployed.detonate(address, deployer))?;
        Ok(done.map(|done| PyBytes::new(py, &done)))
    }
}

impl DeployedContracts {
    fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Deployed) -> Result<T, Error> + Send + 'static,
    ) -> PyResult<T> {
        let inner = self.inner.clone();
        interruptible(py, move || {
            work(&mut inner.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

fn account(bytes: &[u8]) -> PyResult<Address> {
    let account = Address::try_from(bytes);
    account.map_err(|_| MempoolIdsError::new_err("an address has 20 bytes"))
}
