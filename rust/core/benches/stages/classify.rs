//! The shipped models: over traces, on rows of its own; and over transactions, on rows of real transactions, one at a time and in the pipeline's batches.
//! Needs `MEMPOOL_IDS_ONNXRUNTIME`, the path of ONNX Runtime's library.

use crate::support::corpus;
use criterion::{BenchmarkId, Criterion, Throughput};
use mempool_ids_core::classify::Classifier;
use mempool_ids_core::config::ModelConfig;
use mempool_ids_core::evidence::FeatureVector;
use mempool_ids_core::simulate::judge::behaviour::NAMES;
use mempool_ids_core::simulate::judge::model::TraceModel;
use mempool_ids_core::tools::analyzer::Analyzer;
use std::hint::black_box;
use std::path::Path;

/// One row, of what it takes to judge one simulation.
fn verdict(c: &mut Criterion, config: &ModelConfig) {
    let mut model = TraceModel::load(config).expect("the shipped model");
    let rows: Vec<[f32; NAMES.len()]> = (0..64u8)
        .map(|n| std::array::from_fn(|i| f32::from(n ^ i as u8) / 16.0))
        .collect();
    let mut answer = Vec::new();
    let mut group = c.benchmark_group("classify/trace");
    group.throughput(Throughput::Elements(1));
    group.bench_function("1", |b| {
        let mut rows = rows.iter().cycle();
        b.iter(|| {
            let row = std::slice::from_ref(rows.next().expect("rows"));
            model
                .predict_rows(black_box(row), &mut answer)
                .expect("answers");
        });
    });
    group.finish();
}

pub fn bench(c: &mut Criterion) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let onnxruntime = std::env::var_os("MEMPOOL_IDS_ONNXRUNTIME");
    let config = ModelConfig {
        dir,
        onnxruntime: onnxruntime.clone().unwrap_or_default().into(),
    };
    verdict(c, &config);
    if onnxruntime.is_none() {
        eprintln!("classify: not measured: MEMPOOL_IDS_ONNXRUNTIME is not set");
        return;
    }
    let mut classifier = Classifier::load(&config).expect("the shipped model");
    let analyzer = Analyzer::new(classifier.known_selectors(), &[]).expect("no ABIs");
    let (name, transactions) = corpus::load();
    let rows: Vec<FeatureVector> = transactions
        .iter()
        .map(|tx| analyzer.features(tx, None))
        .collect();
    let mut alone = Vec::new();
    let mut together = Vec::new();
    classifier
        .classify(&rows[..64], &mut together)
        .expect("answers");
    for (row, expected) in rows[..64].iter().zip(&together) {
        classifier
            .classify(std::slice::from_ref(row), &mut alone)
            .expect("answers");
        assert_eq!(
            alone,
            [*expected],
            "a row's probability does not depend on its batch"
        );
        assert!((0.0..=1.0).contains(expected));
    }
    let mut group = c.benchmark_group(format!("classify/{name}"));
    for batch in [1, 8, 64] {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |b| {
            let mut chunks = rows.chunks_exact(batch).cycle();
            b.iter(|| {
                classifier
                    .classify(black_box(chunks.next().expect("rows")), &mut alone)
                    .expect("answers")
            });
        });
    }
    group.finish();
}
