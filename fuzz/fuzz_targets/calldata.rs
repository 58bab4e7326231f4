//! Arbitrary calldata, init code and callee code: an answer within its bounds, and every feature finite.

#![no_main]

use alloy_primitives::Address;
use libfuzzer_sys::fuzz_target;
use mempool_ids_core::tools::analyzer::Analyzer;
use mempool_ids_core::decode::{Decoded, MAX_ADDRESSES, MAX_DEPTH, MAX_NESTED};
use mempool_ids_core::bytecode::CodeFacts;
use mempool_ids_core::features::KnownSelectors;
use mempool_ids_core::tx::PendingTransaction;
use std::sync::{Arc, LazyLock};

static ANALYZER: LazyLock<Analyzer> = LazyLock::new(|| {
    Analyzer::new(Arc::new(KnownSelectors::default()), &[]).expect("no contracts, no errors")
});

fuzz_target!(|data: &[u8]| {
    // The first byte chooses between a call and a creation, and where the callee's code begins.
    let Some((choice, bytes)) = data.split_first() else { return };
    let to = (choice & 1 == 0).then(|| Address::repeat_byte(*choice));
    let (input, code) = bytes.split_at(bytes.len() * usize::from(choice >> 1) / 127);
    let tx = PendingTransaction { to, input: input.to_vec(), ..Default::default() };
    let mut decoded = Decoded::default();
    let code = CodeFacts::scan(code, None);
    let row = ANALYZER.features_with(&tx, Some(&code), &mut decoded);
    assert!(row.iter().all(|v| v.is_finite() && *v >= -1.0), "{row:?}");
    assert!(decoded.addresses.len() <= MAX_ADDRESSES);
    assert!(decoded.selectors.len() <= 1 + MAX_NESTED);
    assert!(usize::from(decoded.depth) <= MAX_DEPTH);
    let description = ANALYZER.describe(&tx);
    assert!(description.arguments.len() <= 32);
});
