//! From a frame's bytes to a pending transaction.

use crate::support::samples;
use criterion::{Criterion, Throughput};
use mempool_ids_core::wire::{parse_notification, parse_object};
use std::hint::black_box;

fn notification(object: &str) -> Vec<u8> {
    let subscription = "0x9cef478923ff08bf67fde6c64013158d";
    format!(
        r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{subscription}","result":{object}}}}}"#
    )
    .into_bytes()
}

pub fn bench(c: &mut Criterion) {
    let samples = samples::load();
    println!("{}", samples.origin);
    let frames: Vec<_> = samples
        .objects
        .iter()
        .map(|object| notification(object))
        .collect();

    // Answers first: both forms of the same transaction agree, and the calldata is what the JSON says.
    for (object, frame) in samples.objects.iter().zip(&frames) {
        let tx = parse_notification(frame, 7).expect("samples parse");
        assert_eq!(Ok(&tx), parse_object(object.as_bytes(), 7).as_ref());
        let json: serde_json::Value = serde_json::from_str(object).expect("samples are JSON");
        assert_eq!(
            json["input"].as_str(),
            Some(alloy_primitives::hex::encode_prefixed(&tx.input).as_str())
        );
    }

    let typical: Vec<_> = frames
        .iter()
        .filter(|frame| (950..1050).contains(&frame.len()))
        .collect();
    assert!(!typical.is_empty(), "no frame of about 1 kB");
    let mut group = c.benchmark_group("frame");
    group.throughput(Throughput::Elements(1));
    let mut next = typical.iter().cycle();
    group.bench_function("notification of 1 kB", |b| {
        b.iter(|| parse_notification(black_box(next.next().expect("a cycle")), 7).expect("parses"));
    });
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.sample_size(20);
    group.bench_function("all notifications", |b| {
        b.iter(|| {
            let parsed = frames
                .iter()
                .map(|frame| parse_notification(black_box(frame), 7).expect("parses"));
            parsed.map(|tx| tx.input.len()).sum::<usize>()
        });
    });
    group.finish();
}
