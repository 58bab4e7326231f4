//! Rules outside a running sensor: lint, list, and what matches one transaction.

use crate::convert::{contracts, detached, json, transaction};
use crate::error::to_py;
use mempool_ids_core::signatures::RuleSet;
use mempool_ids_core::tools::rules::match_one;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pyfunction]
pub fn lint_rules(py: Python<'_>, rules: Vec<String>) -> PyResult<Bound<'_, PyBytes>> {
    Ok(PyBytes::new(py, &json(&RuleSet::lint(&rules))?))
}

#[pyfunction]
pub fn list_rules(py: Python<'_>, rules: Vec<String>) -> PyResult<Bound<'_, PyBytes>> {
    let rules = detached(py, || RuleSet::load(&rules))?;
    Ok(PyBytes::new(py, &json(&rules.list())?))
}

#[pyfunction]
#[pyo3(signature = (rules, contracts_json, tx_json, code = None))]
pub fn match_rules<'py>(
    py: Python<'py>,
    rules: Vec<String>,
    contracts_json: &str,
    tx_json: &[u8],
    code: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    let rules = detached(py, || RuleSet::load(&rules))?;
    let matches = match_one(
        rules,
        &contracts(contracts_json)?,
        &transaction(tx_json)?,
        code,
    )
    .map_err(to_py)?;
    Ok(PyBytes::new(py, &json(&matches)?))
}
