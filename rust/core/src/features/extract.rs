//! Fills the feature vector.

use super::accounts::{Senders, Targets, new_by_nonce};
use super::fees::{FeeWindow, log_tip};
use super::patterns::Evidence;
use super::payload::{WordFacts, byte_entropy, selector_entropy};
use super::{ChainView, KnownSelectors, MISSING};
use crate::bytecode::CodeFacts;
use crate::bytecode::roles::ADDRESS_BOOK;
use crate::decode::{Decoded, Decoder};
use crate::evidence::{FEATURES, FeatureVector};
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, U256};
use hashbrown::HashSet;
use std::borrow::Cow;
use std::sync::Arc;

/// Bits of the gas limit that feature 12 scales by: EIP-7825 caps a transaction at 2²⁴ gas.
const GAS_BITS: f64 = 24.0;
const MAX_PARAM_COUNT: f64 = 8.5;
const MAX_VALUE_LOG: f64 = 30.0;
const MAX_CALL_DEPTH: u8 = 16;
const MAX_OFFSETS: usize = 8;

/// Holds what features remember between transactions (fees, senders, targets): bounded, single-threaded, deterministic.
#[derive(Debug)]
pub struct Extractor {
    decoder: Arc<Decoder>,
    known: Arc<KnownSelectors>,
    known_addresses: HashSet<Address>,
    fees: FeeWindow,
    senders: Senders,
    targets: Targets,
}

impl Extractor {
    /// `accounts` bounds the senders and targets remembered, each. `known_addresses`: monitored contracts, added to the
    /// built-in ones.
    pub fn new(
        decoder: Arc<Decoder>,
        known: Arc<KnownSelectors>,
        known_addresses: &[Address],
        accounts: usize,
    ) -> Self {
        Self {
            decoder,
            known,
            known_addresses: ADDRESS_BOOK
                .keys()
                .chain(known_addresses)
                .copied()
                .collect(),
            fees: FeeWindow::default(),
            senders: Senders::new(accounts),
            targets: Targets::new(accounts),
        }
    }

    /// Features of `tx`, then remembers it. Time is `tx.seen_ms` alone, so a replay gives the same row.
    pub fn extract(
        &mut self,
        tx: &PendingTransaction,
        decoded: &Decoded,
        code: Option<&CodeFacts>,
        chain: &ChainView,
    ) -> FeatureVector {
        let mut row = self.extract_isolated(tx, decoded, code, chain);
        let tip = log_tip(tx.effective_tip(chain.next_base_fee.unwrap_or(0)));
        (row[9], row[10]) = self.fees.judge(tip);
        self.fees.push(tip);
        row[19] = flag(self.senders.meet(tx.from, tx.nonce, tx.seen_ms));
        if let Some(target) = tx.to {
            row[20] = self.targets.meet(target, tx.seen_ms);
        }
        row
    }

    /// Recomputes what depends on the callee's code when that arrives after the transaction.
    pub fn refresh_code(
        &self,
        row: &mut FeatureVector,
        tx: &PendingTransaction,
        decoded: &Decoded,
        code: &CodeFacts,
        chain: &ChainView,
    ) {
        self.fill_code(row, tx, decoded, Some(code), chain);
    }

    /// Without memory: features 10, 11, 21 are [`MISSING`], 20 by nonce alone. For training rows, which are no sequence.
    pub fn extract_isolated(
        &self,
        tx: &PendingTransaction,
        decoded: &Decoded,
        code: Option<&CodeFacts>,
        chain: &ChainView,
    ) -> FeatureVector {
        let mut row = [MISSING; FEATURES];
        self.fill_calldata(&mut row, tx, decoded);
        row[8] = (1.0 + wei(tx.value)).log10().min(MAX_VALUE_LOG) as f32;
        if tx.gas > 0 {
            row[11] = ((tx.gas as f64).log2() / GAS_BITS).min(1.0) as f32;
        }
        row[12] = f32::from(decoded.depth.min(MAX_CALL_DEPTH));
        row[19] = flag(new_by_nonce(tx.nonce));
        self.fill_code(&mut row, tx, decoded, code, chain);
        row
    }

    /// Features 1 to 8.
    fn fill_calldata(&self, row: &mut FeatureVector, tx: &PendingTransaction, decoded: &Decoded) {
        let length = tx.input.len();
        let words_after_selector = length.saturating_sub(4).div_ceil(32);
        row[6] = (words_after_selector as f64).ln_1p().min(MAX_PARAM_COUNT) as f32;
        let mut offsets = 0;
        if let Some(callee) = &tx.to {
            let selector = tx.selector();
            row[0] = selector.map_or(MISSING, selector_entropy);
            row[1] = flag(selector.is_some_and(|selector| !self.is_known(callee, selector)));
            row[2] = flag(decoded.zero_address);
            let words = WordFacts::of(tx.input.get(4..).unwrap_or_default());
            row[3] = flag(words.max_uint);
            row[4] = words.small_ratio();
            row[5] = words.large_ratio();
            offsets = words.offsets;
        }
        if length > 0 {
            let dynamic = offsets.min(MAX_OFFSETS) as f64 / MAX_OFFSETS as f64;
            row[7] = (0.5 * byte_entropy(&tx.input) / 8.0 + 0.5 * dynamic) as f32;
        }
    }

    fn is_known(&self, callee: &Address, selector: [u8; 4]) -> bool {
        self.decoder.is_builtin(selector)
            || self.known.contains(selector)
            || self.decoder.declares(callee, selector) == Some(true)
    }

    /// Features 14 to 19 and 22. A creation's init code, which holds the contract, stands for the callee's code.
    fn fill_code(
        &self,
        row: &mut FeatureVector,
        tx: &PendingTransaction,
        decoded: &Decoded,
        code: Option<&CodeFacts>,
        chain: &ChainView,
    ) {
        let creation = tx.to.is_none();
        let init =
            (creation && code.is_none()).then(|| Cow::Owned(CodeFacts::scan(&tx.input, None)));
        let code: Option<Cow<CodeFacts>> = code.map(Cow::Borrowed).or(init);
        let code = code.as_deref();
        if let Some(code) = code {
            row[13] = flag(code.delegatecall && !code.known_proxy);
            let known = decoded
                .addresses
                .iter()
                .filter(|a| self.known_addresses.contains(*a))
                .count();
            row[14] = (f64::from(code.call_sites) + known as f64).ln_1p() as f32;
            let sites = code.sstore_sites + code.sload_sites;
            row[15] = if sites == 0 {
                0.0
            } else {
                code.sstore_sites as f32 / sites as f32
            };
        }
        let evidence = Evidence::of(tx, decoded);
        row[16] = evidence.reentrancy(code);
        row[17] = evidence.flash_loan(code);
        row[18] = evidence.price_manipulation(code);
        row[21] = if creation {
            0.0
        } else {
            match (code.and_then(|c| c.created_at), chain.block_number) {
                (Some(created), Some(head)) => (head.saturating_sub(created) as f64).ln_1p() as f32,
                _ => MISSING,
            }
        };
    }
}

fn flag(holds: bool) -> f32 {
    f32::from(u8::from(holds))
}

/// To the precision of a double.
fn wei(value: U256) -> f64 {
    value.as_limbs().iter().rev().fold(0.0, |sum, limb| {
        sum * 18_446_744_073_709_551_616.0 + *limb as f64
    })
}
