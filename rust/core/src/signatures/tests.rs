//! Shared by the tests of signatures: rules from text, and subjects made by hand.

mod invariants;
mod language;
mod matching;
mod pack;
mod properties;
mod thresholds;

use super::{Lint, Matcher, RuleSet, Subject};
use crate::bytecode::CodeFacts;
use crate::decode::{Decoded, Method};
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, U256, keccak256};
use std::io::Write;
use std::sync::Arc;

/// A rule file that is removed with the value.
pub(super) fn file(text: &[u8]) -> (tempfile::NamedTempFile, Vec<String>) {
    let mut file = tempfile::Builder::new()
        .suffix(".yaml")
        .tempfile()
        .expect("temporary file");
    file.write_all(text).expect("written");
    let rules = vec![file.path().display().to_string()];
    (file, rules)
}

pub(super) fn load(text: &str) -> RuleSet {
    let (_file, rules) = file(text.as_bytes());
    RuleSet::load(&rules).expect("rules load")
}

pub(super) fn lint(text: impl AsRef<[u8]>) -> Vec<Lint> {
    let (_file, rules) = file(text.as_ref());
    RuleSet::lint(&rules)
}

/// One rule of sid 1 and weight 0.5 with this `match:`, in flow style.
pub(super) fn rule(condition: &str) -> String {
    format!("rules:\n- {{sid: 1, msg: m, classtype: other, weight: 0.5, match: {condition}}}\n")
}

pub(super) fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}

pub(super) fn address(n: u8) -> Address {
    Address::repeat_byte(n)
}

pub(super) const SENDER: Address = Address::repeat_byte(0xaa);
pub(super) const VAULT: Address = Address::repeat_byte(0x11);
pub(super) const OTHER: Address = Address::repeat_byte(0x22);

/// What a subject borrows. `monitored` is the vault.
pub(super) struct Scene {
    pub tx: PendingTransaction,
    pub decoded: Decoded,
    pub code: Option<CodeFacts>,
    pub touches: Vec<u16>,
    pub monitored: Vec<Address>,
    pub block_number: Option<u64>,
}

impl Scene {
    /// A call of `signature` with 32-byte words, decoded by word scan.
    pub fn call(to: Address, signature: &str, words: &[U256]) -> Self {
        let own = selector(signature);
        let mut input = own.to_vec();
        for word in words {
            input.extend_from_slice(&word.to_be_bytes::<32>());
        }
        let tx = PendingTransaction {
            from: SENDER,
            to: Some(to),
            gas: 300_000,
            nonce: 100,
            input,
            seen_ms: 1_000,
            ..Default::default()
        };
        let decoded = Decoded {
            method: Method::WordScan,
            selectors: vec![own],
            ..Default::default()
        };
        let touches = if to == VAULT { vec![0] } else { vec![] };
        Self {
            tx,
            decoded,
            code: None,
            touches,
            monitored: vec![VAULT],
            block_number: Some(1_000_000),
        }
    }

    pub fn subject(&self) -> Subject<'_> {
        Subject {
            tx: &self.tx,
            decoded: &self.decoded,
            code: self.code.as_ref(),
            touches: &self.touches,
            code_touches: &[],
            monitored: &self.monitored,
            block_number: self.block_number,
        }
    }

    /// Sids and score by these rules.
    pub fn evaluate(&self, rules: RuleSet) -> (Vec<u32>, f32) {
        let mut matched = Vec::new();
        let score = Matcher::new(Arc::new(rules)).evaluate(&self.subject(), &mut matched);
        (matched, score)
    }

    /// Whether the `match:` holds.
    pub fn holds(&self, condition: &str) -> bool {
        self.evaluate(load(&rule(condition))).0 == [1]
    }
}

pub(super) fn code(selectors: &[&str], addresses: &[Address]) -> CodeFacts {
    let mut facts = CodeFacts {
        size: 700,
        call_sites: 3,
        selectors: selectors.iter().map(|s| selector(s)).collect(),
        addresses: addresses.to_vec(),
        ..Default::default()
    };
    facts.selectors.sort_unstable();
    facts.addresses.sort_unstable();
    facts
}
