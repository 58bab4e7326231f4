//! Python's view of the core. Each function unwraps, calls, wraps; nothing else.

mod analyzer;
mod chain;
mod contract;
mod convert;
mod deployed;
mod error;
mod funding;
mod inspect;
mod model;
mod rehearse;
mod rules;
mod sensor;
mod trace;
mod transaction;

use mempool_ids_core::bytecode::contract as contract_features;
use mempool_ids_core::features::{NAMES, SCHEMA_VERSION};
use mempool_ids_core::simulate::judge::behaviour as trace_features;
use mempool_ids_core::simulate::judge::invariants;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    module.add("FEATURE_NAMES", PyTuple::new(module.py(), NAMES)?)?;
    module.add("FEATURE_SCHEMA", SCHEMA_VERSION)?;
    let trace_names = PyTuple::new(module.py(), trace_features::NAMES)?;
    module.add("TRACE_FEATURE_NAMES", trace_names)?;
    module.add("TRACE_FEATURE_SCHEMA", trace_features::SCHEMA_VERSION)?;
    let contract_names = PyTuple::new(module.py(), contract_features::NAMES)?;
    module.add("CONTRACT_FEATURE_NAMES", contract_names)?;
    module.add("CONTRACT_FEATURE_SCHEMA", contract_features::SCHEMA_VERSION)?;
    module.add(
        "CONTRACT_FEATURE_BLOCKS",
        PyTuple::new(module.py(), contract_features::BLOCKS)?,
    )?;
    let invariants: Vec<_> = invariants::names().collect();
    module.add("INVARIANT_NAMES", PyTuple::new(module.py(), invariants)?)?;
    module.add_class::<sensor::Sensor>()?;
    module.add_class::<analyzer::Analyzer>()?;
    module.add_class::<model::Model>()?;
    module.add_class::<funding::FundingIndex>()?;
    module.add_function(wrap_pyfunction!(chain::chain_spec, module)?)?;
    module.add_function(wrap_pyfunction!(inspect::inspect_transaction, module)?)?;
    module.add_function(wrap_pyfunction!(rehearse::rehearse, module)?)?;
    module.add_class::<model::TraceModel>()?;
    module.add_class::<contract::ContractScorer>()?;
    module.add_class::<deployed::DeployedContracts>()?;
    module.add_function(wrap_pyfunction!(sensor::measure_stages, module)?)?;
    module.add_function(wrap_pyfunction!(trace::trace_matrix, module)?)?;
    module.add_function(wrap_pyfunction!(contract::contract_matrix, module)?)?;
    module.add_function(wrap_pyfunction!(contract::running_contract, module)?)?;
    module.add_function(wrap_pyfunction!(rules::lint_rules, module)?)?;
    module.add_function(wrap_pyfunction!(rules::list_rules, module)?)?;
    module.add_function(wrap_pyfunction!(rules::match_rules, module)?)?;
    for function in [
        wrap_pyfunction!(transaction::unsigned_transaction, module)?,
        wrap_pyfunction!(transaction::signed_transaction, module)?,
        wrap_pyfunction!(transaction::decode_transaction, module)?,
        wrap_pyfunction!(transaction::encode_transaction, module)?,
        wrap_pyfunction!(transaction::keccak256, module)?,
        wrap_pyfunction!(transaction::recover_signer, module)?,
    ] {
        module.add_function(function)?;
    }
    error::register(module)
}
