//! Calldata of real transactions, decoded into a reused record.

use crate::support::corpus;
use criterion::{Criterion, Throughput};
use mempool_ids_core::decode::{Decoded, Decoder, Method};
use std::hint::black_box;

/// The bench means nothing if the answers are wrong.
fn check(decoder: &Decoder, transactions: &[mempool_ids_core::tx::PendingTransaction]) {
    let mut decoded = Decoded::default();
    decoder.decode(&corpus::transfer(), &mut decoded);
    assert_eq!(
        (decoded.method, decoded.addresses.as_slice()),
        (Method::Builtin, [corpus::ALICE].as_slice())
    );
    decoder.decode(&corpus::swap(), &mut decoded);
    assert_eq!(
        (decoded.method, decoded.addresses.len()),
        (Method::Builtin, 4)
    );
    let (mut typed, mut scanned, mut anomalies) = (0, 0, 0);
    for tx in transactions {
        decoder.decode(tx, &mut decoded);
        assert_eq!(decoded.selectors.first().copied(), tx.selector());
        match decoded.method {
            Method::Builtin => typed += 1,
            Method::WordScan => scanned += 1,
            _ => {}
        }
        anomalies += usize::from(decoded.anomaly.is_some());
    }
    eprintln!("{typed} by the table, {scanned} by word scan, {anomalies} anomalies");
    assert!(typed > scanned / 4);
}

pub fn bench(c: &mut Criterion) {
    let decoder = Decoder::new(&[]);
    let (name, transactions) = corpus::load();
    check(&decoder, &transactions);
    let mut decoded = Decoded::default();
    corpus::print_percentiles("decode", &transactions, |tx| {
        decoder.decode(black_box(tx), &mut decoded)
    });
    let with_calldata: Vec<_> = transactions
        .iter()
        .filter(|tx| tx.selector().is_some())
        .cloned()
        .collect();
    corpus::print_percentiles("decode, calls with calldata", &with_calldata, |tx| {
        decoder.decode(black_box(tx), &mut decoded);
    });
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(transactions.len() as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            for tx in &transactions {
                decoder.decode(black_box(tx), &mut decoded);
                black_box(&decoded);
            }
        });
    });
    group.throughput(Throughput::Elements(1));
    let hostile = corpus::hostile().map(|(name, tx)| (format!("hostile/{name}"), tx));
    let honest = [("transfer", corpus::transfer()), ("swap", corpus::swap())];
    for (name, tx) in honest
        .map(|(name, tx)| (name.to_owned(), tx))
        .into_iter()
        .chain(hostile)
    {
        group.bench_function(name, |b| {
            b.iter(|| decoder.decode(black_box(&tx), &mut decoded))
        });
    }
    group.finish();
}
