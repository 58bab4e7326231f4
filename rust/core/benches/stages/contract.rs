//! A contract's code: taken apart and made a row of, scored, explained, and its constructor run. Inference needs
//! `MEMPOOL_IDS_ONNXRUNTIME`, the path of ONNX Runtime's library.

use crate::support::{codes, corpus};
use criterion::{Criterion, Throughput};
use mempool_ids_core::bytecode::contract::{Anatomy, Extractor, WIDTH};
use mempool_ids_core::classify::{ContractModel, Manifest};
use mempool_ids_core::config::ModelConfig;
use mempool_ids_core::decode::KnownSelectors;
use mempool_ids_core::simulate::constructor::{Origin, construct_alone};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

pub fn bench(c: &mut Criterion) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let manifest = Manifest::read(&dir).expect("the shipped models");
    let known = manifest.selectors(&dir).expect("the known selectors");
    let extractor = Extractor::new(Arc::new(
        KnownSelectors::from_bytes(&known).expect("sorted"),
    ));
    let mut codes = codes::load();
    codes.sort_by_key(Vec::len);
    let (median, longest) = (&codes[codes.len() / 2], codes.last().expect("codes"));
    let sizes = [("median", median), ("longest", longest)];

    let mut row = Vec::with_capacity(WIDTH);
    corpus::print_percentiles("contract features", &codes, |code| {
        row.clear();
        extractor.extract(&Anatomy::of(black_box(code)), &mut row);
    });
    let mut group = c.benchmark_group("contract");
    for (name, code) in sizes {
        group.throughput(Throughput::Bytes(code.len() as u64));
        group.bench_function(format!("features/{name}"), |b| {
            b.iter(|| {
                row.clear();
                extractor.extract(&Anatomy::of(black_box(code)), &mut row);
            });
        });
        let init = codes::init(code);
        assert_eq!(construct_alone(&init).origin, Origin::Executed);
        group.bench_function(format!("constructor/{name}"), |b| {
            b.iter(|| construct_alone(black_box(&init)));
        });
    }
    group.finish();
    if let Some(onnxruntime) = std::env::var_os("MEMPOOL_IDS_ONNXRUNTIME") {
        let onnxruntime = onnxruntime.into();
        scored(c, &ModelConfig { dir, onnxruntime }, &codes, &sizes);
    } else {
        eprintln!("contract scores: not measured: MEMPOOL_IDS_ONNXRUNTIME is not set");
    }
}

fn scored(c: &mut Criterion, config: &ModelConfig, codes: &[Vec<u8>], sizes: &[(&str, &Vec<u8>)]) {
    let mut model = ContractModel::load(config, 1).expect("the shipped models");
    corpus::print_percentiles("contract score", codes, |code| {
        black_box(model.score(&Anatomy::of(black_box(code))).expect("a score"));
    });
    let mut group = c.benchmark_group("contract");
    for (name, code) in sizes {
        let anatomy = Anatomy::of(code);
        let score = model.score(&anatomy).expect("a score");
        let explained = model.explained(std::slice::from_ref(&anatomy), |_| true);
        let explained = explained.expect("factors").pop().expect("one");
        assert!((0.0..=1.0).contains(&score.score) && !explained.factors.is_empty());
        assert_eq!(
            (score.score, score.precise),
            (explained.score, explained.precise)
        );
        group.bench_function(format!("score/{name}"), |b| {
            b.iter(|| model.score(&Anatomy::of(black_box(code))).expect("a score"));
        });
        group.bench_function(format!("explain/{name}"), |b| {
            let contracts = std::slice::from_ref(&anatomy);
            b.iter(|| {
                model
                    .explained(black_box(contracts), |_| true)
                    .expect("factors")
            });
        });
    }
    group.finish();
}
