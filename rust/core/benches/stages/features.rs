//! The 22 features of real transactions, in sequence, with all memory in use.

use crate::support::corpus;
use criterion::{Criterion, Throughput};
use mempool_ids_core::bytecode::CodeFacts;
use mempool_ids_core::decode::{Decoded, Decoder};
use mempool_ids_core::evidence::FEATURES;
use mempool_ids_core::features::{ChainView, Extractor, KnownSelectors, MISSING};
use mempool_ids_core::tx::PendingTransaction;
use std::hint::black_box;
use std::sync::Arc;

/// As many as the public collection behind the model has, evenly spread.
const KNOWN: u32 = 134_774;

fn extractor(decoder: &Arc<Decoder>) -> Extractor {
    let step = u32::MAX / KNOWN;
    let bytes: Vec<u8> = (0..KNOWN).flat_map(|i| (i * step).to_be_bytes()).collect();
    let known = Arc::new(KnownSelectors::from_bytes(&bytes).expect("ascending"));
    Extractor::new(Arc::clone(decoder), known, &[], 1 << 16)
}

/// The bench means nothing if the answers are wrong.
fn check(decoder: &Arc<Decoder>, items: &[(PendingTransaction, Decoded)]) {
    let transfer = corpus::transfer();
    let mut decoded = Decoded::default();
    decoder.decode(&transfer, &mut decoded);
    let row = extractor(decoder).extract(&transfer, &decoded, None, &ChainView::default());
    assert_eq!(
        (row[0], row[1], row[4], row[6]),
        (2.5, 0.0, 0.5, 3_f32.ln())
    );
    let mut extractor = extractor(decoder);
    for (tx, decoded) in items {
        let row = extractor.extract(tx, decoded, None, &ChainView::default());
        assert!(
            row.iter()
                .all(|v| v.is_finite() && (*v >= 0.0 || *v == MISSING)),
            "{row:?}"
        );
    }
}

pub fn bench(c: &mut Criterion) {
    let decoder = Arc::new(Decoder::new(&[]));
    let (name, transactions) = corpus::load();
    let items: Vec<(PendingTransaction, Decoded)> = transactions
        .iter()
        .map(|tx| {
            let mut decoded = Decoded::default();
            decoder.decode(tx, &mut decoded);
            (tx.clone(), decoded)
        })
        .collect();
    check(&decoder, &items);
    let chain = ChainView {
        next_base_fee: Some(10_000_000_000),
        block_number: Some(20_000_000),
    };
    // A token with a proxy: what most callees look like.
    let code = CodeFacts {
        size: 4000,
        call_sites: 2,
        sload_sites: 9,
        sstore_sites: 5,
        ..CodeFacts::default()
    };
    let code = CodeFacts {
        created_at: Some(10_000_000),
        ..code
    };
    let mut memory = extractor(&decoder);
    let calls: Vec<_> = transactions
        .iter()
        .filter(|tx| tx.selector().is_some())
        .cloned()
        .collect();
    for (label, set) in [
        ("features with decode", &transactions),
        ("features with decode, calls with calldata", &calls),
    ] {
        let mut decoded = Decoded::default();
        corpus::print_percentiles(label, set, |tx| {
            decoder.decode(tx, &mut decoded);
            black_box(memory.extract(black_box(tx), &decoded, Some(&code), &chain));
        });
    }
    let mut group = c.benchmark_group("features");
    group.throughput(Throughput::Elements(items.len() as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            let mut sum = [0.0; FEATURES];
            for (tx, decoded) in &items {
                let row = memory.extract(black_box(tx), decoded, Some(&code), &chain);
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
            sum
        });
    });
    // 24 KiB, the most that a contract can have: a dispatcher over and over.
    let dispatcher = [
        0x80, 0x63, 0xa9, 0x05, 0x9c, 0xbb, 0x14, 0x61, 0x01, 0x23, 0x57, 0x54, 0x55, 0xf1,
    ];
    let code: Vec<u8> = dispatcher.iter().copied().cycle().take(24 << 10).collect();
    group.throughput(Throughput::Bytes(code.len() as u64));
    group.bench_function("code_scan", |b| {
        b.iter(|| CodeFacts::scan(black_box(&code), None))
    });
    group.finish();
}
