//! Maps the core's errors to one exception family; callers can catch `MempoolIdsError` alone.

use mempool_ids_core::error::Error;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    mempool_ids._core,
    MempoolIdsError,
    PyException,
    "Base of all errors of mempool-ids."
);
create_exception!(
    mempool_ids._core,
    ConfigError,
    MempoolIdsError,
    "The configuration cannot be used as given."
);
create_exception!(
    mempool_ids._core,
    RulesError,
    ConfigError,
    "A rule file does not parse or lint."
);
create_exception!(
    mempool_ids._core,
    ModelError,
    ConfigError,
    "A model artifact is missing, altered or of another schema."
);
create_exception!(
    mempool_ids._core,
    CaptureError,
    MempoolIdsError,
    "A capture cannot be read or written."
);
create_exception!(
    mempool_ids._core,
    NodeError,
    MempoolIdsError,
    "A node does not answer, or answers with an error."
);

pub fn to_py(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Config(_) | Error::Abi { .. } => ConfigError::new_err(text),
        Error::Rules(_) => RulesError::new_err(text),
        Error::Model(_) => ModelError::new_err(text),
        Error::Capture { .. } => CaptureError::new_err(text),
        Error::Node { .. } => NodeError::new_err(text),
        Error::Io { .. } | Error::Funding { .. } => MempoolIdsError::new_err(text),
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("MempoolIdsError", py.get_type::<MempoolIdsError>())?;
    module.add("ConfigError", py.get_type::<ConfigError>())?;
    module.add("RulesError", py.get_type::<RulesError>())?;
    module.add("ModelError", py.get_type::<ModelError>())?;
    module.add("CaptureError", py.get_type::<CaptureError>())?;
    module.add("NodeError", py.get_type::<NodeError>())?;
    Ok(())
}
