//! Python's view of the core. Each function unwraps, calls, wraps; nothing else.

mod analyzer;
mod convert;
mod error;
mod inspect;
mod model;
mod rules;
mod sensor;

use mempool_ids_core::features::{NAMES, SCHEMA_VERSION};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add("FEATURE_NAMES", PyTuple::new(module.py(), NAMES)?)?;
    module.add("FEATURE_SCHEMA", SCHEMA_VERSION)?;
    module.add_class::<sensor::Sensor>()?;
    module.add_class::<analyzer::Analyzer>()?;
    module.add_class::<model::Model>()?;
    module.add_function(wrap_pyfunction!(inspect::inspect_transaction, module)?)?;
    module.add_function(wrap_pyfunction!(sensor::measure_stages, module)?)?;
    module.add_function(wrap_pyfunction!(rules::lint_rules, module)?)?;
    module.add_function(wrap_pyfunction!(rules::list_rules, module)?)?;
    module.add_function(wrap_pyfunction!(rules::match_rules, module)?)?;
    error::register(module)
}
