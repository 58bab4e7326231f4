//! Declarative rules that match attack patterns.

use crate::decode::Decoded;
use crate::detection::SignatureMatch;
use crate::error::Result;
use crate::features::CodeFacts;
use crate::tx::PendingTransaction;
use serde::Serialize;
use std::sync::Arc;

/// Compiled rules, shared read-only; replaced as a whole on reload.
#[derive(Debug, Default)]
pub struct RuleSet {}

/// One rule, for `rules list`.
#[derive(Debug, Clone, Serialize)]
pub struct RuleInfo {
    pub sid: u32,
    pub rev: u32,
    pub msg: String,
    pub classtype: String,
    pub severity: u8,
    pub weight: f32,
    pub reference: Vec<String>,
    pub metadata: std::collections::BTreeMap<String, String>,
    /// File it came from, or "builtin".
    pub file: String,
    pub enabled: bool,
}

/// Cost and use of one rule.
#[derive(Debug, Clone, Serialize)]
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
    /// `rules`: paths, globs, or "builtin". Any lint error fails the load.
    pub fn load(_rules: &[String]) -> Result<Self> {
        todo!()
    }
    /// All diagnostics, without stopping at the first.
    pub fn lint(_rules: &[String]) -> Vec<Lint> {
        todo!()
    }
    pub fn list(&self) -> Vec<RuleInfo> {
        todo!()
    }
}

/// What rules look at.
pub struct Subject<'a> {
    pub tx: &'a PendingTransaction,
    pub decoded: &'a Decoded,
    /// Absent until the background task has it.
    pub code: Option<&'a CodeFacts>,
    /// Indices of monitored contracts it touches.
    pub touches: &'a [u16],
}

/// Evaluates a [`RuleSet`] and keeps the state of thresholds and the cost counters. One per pipeline.
#[derive(Debug)]
pub struct Matcher {}

impl Matcher {
    pub fn new(_rules: Arc<RuleSet>) -> Self {
        todo!()
    }
    /// Keeps threshold state of rules that stay (same sid and rev).
    pub fn reload(&mut self, _rules: Arc<RuleSet>) {
        todo!()
    }
    /// Appends the matches to `out` (cleared first) and returns 1 − Π(1 − weight). Does not touch threshold state.
    pub fn evaluate(&mut self, _subject: &Subject, _out: &mut Vec<u32>) -> f32 {
        todo!()
    }
    /// For a detection: full records, with thresholds and suppressions applied (they mute, they never drop).
    pub fn report(&mut self, _subject: &Subject, _matched: &[u32]) -> Vec<SignatureMatch> {
        todo!()
    }
    pub fn costs(&self) -> Vec<RuleCost> {
        todo!()
    }
}
