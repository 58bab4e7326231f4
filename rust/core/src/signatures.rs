//! Declarative rules that match attack patterns. The language is described in `docs/rules.md`.
//!
//! `parse` reads files, `load` checks them against each other, `index` finds the rules that can match, `matcher` evaluates.

mod condition;
mod index;
mod invariant;
mod lint;
mod load;
mod matcher;
mod parse;
#[cfg(test)]
mod tests;
mod threshold;
mod yaml;

pub use invariant::{Compare, Invariant, Tolerance};

use crate::bytecode::CodeFacts;
use crate::decode::Decoded;
use crate::error::{Error, Result};
use crate::tx::PendingTransaction;
use alloy_primitives::Address;
use load::Loaded;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Compiled rules, shared read-only; replaced as a whole on reload.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// By ascending sid.
    rules: Vec<Loaded>,
    index: index::Index,
    /// By ascending sid.
    invariants: Vec<Invariant>,
}

/// One rule or invariant, for `rules list`.
#[derive(Debug, Clone, Serialize)]
pub struct RuleInfo {
    pub sid: u32,
    pub rev: u32,
    pub msg: String,
    pub classtype: String,
    pub severity: u8,
    pub weight: f32,
    pub reference: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    /// File it came from; "builtin/…" for the pack compiled in.
    pub file: String,
    pub enabled: bool,
    /// Of an invariant: what may never happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never: Option<String>,
}

/// Cost and use of one rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "rule")]
pub struct RuleCost {
    pub sid: u32,
    pub evaluated: u64,
    pub matched: u64,
    pub muted: u64,
    /// Mean nanoseconds of an evaluation, from a sample.
    pub mean_ns: f64,
}

/// A diagnostic of `rules lint`.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Lint {
    pub file: String,
    pub line: Option<u32>,
    pub sid: Option<u32>,
    /// "error" or "warning"
    pub level: &'static str,
    pub message: String,
}

impl RuleSet {
    /// `rules`: paths, globs, or "builtin". Any lint error fails the load with [`Error::Rules`], which names the first.
    pub fn load(rules: &[String]) -> Result<Self> {
        let mut lints = lint::Lints::default();
        let (loaded, invariants) = load::load(rules, &mut lints);
        if lints.errors() == 0 {
            return Ok(Self {
                index: index::Index::new(&loaded),
                rules: loaded,
                invariants,
            });
        }
        let total = lints.errors();
        let first = lints
            .into_vec()
            .into_iter()
            .find(|lint| lint.level == "error");
        let first = first.map_or_else(String::new, |lint| lint.to_string());
        let more = if total > 1 {
            format!(" ({} more errors; see `rules lint`)", total - 1)
        } else {
            String::new()
        };
        Err(Error::Rules(first + &more))
    }

    /// All diagnostics, without stopping at the first.
    pub fn lint(rules: &[String]) -> Vec<Lint> {
        let mut lints = lint::Lints::default();
        load::load(rules, &mut lints);
        lints.into_vec()
    }

    /// Rules and invariants by ascending sid, disabled ones too.
    pub fn list(&self) -> Vec<RuleInfo> {
        let info = |Loaded { rule, .. }: &Loaded| RuleInfo {
            sid: rule.sid,
            rev: rule.rev,
            msg: rule.msg.to_string(),
            classtype: rule.classtype.to_string(),
            severity: rule.severity,
            weight: rule.weight,
            reference: rule.reference.clone(),
            metadata: rule.metadata.clone(),
            file: rule.file.to_string(),
            enabled: rule.enabled,
            never: None,
        };
        let mut list: Vec<RuleInfo> = self.rules.iter().map(info).collect();
        list.extend(self.invariants.iter().map(Invariant::info));
        list.sort_by_key(|one| one.sid);
        list
    }

    /// What users demand of views, by ascending sid; without those that are not enabled.
    pub fn invariants(&self) -> Vec<Invariant> {
        let enabled = self.invariants.iter().filter(|one| one.enabled);
        enabled.cloned().collect()
    }

    /// # Errors
    /// [`Error::Rules`] where an invariant is for a contract that is not among `monitored`: it would never be checked.
    pub fn check_contracts(&self, monitored: &[&str]) -> Result<()> {
        let orphan = self.invariants.iter().find_map(|one| {
            let name = one.contract.as_deref()?;
            (one.enabled && !monitored.contains(&name)).then_some((one, name))
        });
        let Some((Invariant { file, sid, .. }, name)) = orphan else {
            return Ok(());
        };
        Err(Error::Rules(format!(
            "{file}: sid {sid}: no monitored contract is named '{name}'"
        )))
    }

    /// A rule and its place.
    fn get(&self, sid: u32) -> Option<(usize, &Loaded)> {
        let place = self
            .rules
            .binary_search_by_key(&sid, |loaded| loaded.rule.sid)
            .ok()?;
        Some((place, &self.rules[place]))
    }
}

impl std::fmt::Display for Lint {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(sid) = self.sid {
            write!(f, ": sid {sid}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub tx: &'a PendingTransaction,
    pub decoded: &'a Decoded,
    /// The callee's; for a creation, the scan of its init code. Absent until the background task has it.
    pub code: Option<&'a CodeFacts>,
    /// Monitored contracts it touches, as indices into `monitored`.
    pub touches: &'a [u16],
    /// Those of them whose address stands anywhere in the callee's code (or the init code), in whatever form.
    pub code_touches: &'a [u16],
    /// All monitored contracts, in the configuration's order.
    pub monitored: &'a [Address],
    /// The latest block, for the age of code.
    pub block_number: Option<u64>,
}

/// Evaluates a [`RuleSet`] and keeps the state of thresholds and the cost counters. One per pipeline.
#[derive(Debug)]
pub struct Matcher {
    rules: Arc<RuleSet>,
    /// Of the rule at the same place.
    counters: Vec<matcher::Counter>,
    counts: threshold::Counts,
    /// Transactions evaluated.
    round: u64,
}
