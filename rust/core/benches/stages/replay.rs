//! A recorded mempool through the replay source, as fast as it goes.

use crate::support::capture::record;
use criterion::{Criterion, Throughput};
use mempool_ids_core::capture::replay::ReplaySource;
use mempool_ids_core::config::{Limits, ReplayConfig};
use mempool_ids_core::inbox::Item;
use mempool_ids_core::inbox::queue::queue;
use mempool_ids_core::stats::Stats;
use mempool_ids_core::wire::parse_object;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const ROWS: usize = 200_000;

/// Transactions and calldata bytes of a whole replay.
fn replay(path: &Path) -> (usize, usize) {
    let limits = Limits::default();
    let stats = Arc::new(Stats::default());
    let (tx, rx) = queue(&limits, stats.clone());
    let config = ReplayConfig {
        paths: vec![path.into()],
        speed: 0.0,
    };
    let source = ReplaySource::start(&config, 1, &limits, stats, tx).expect("starts");
    let (mut count, mut bytes) = (0, 0);
    loop {
        match rx.recv_timeout(Duration::from_secs(60)).expect("goes on") {
            Item::Transaction { tx, .. } => {
                count += 1;
                bytes += tx.input.len();
            }
            Item::Object(raw) => {
                count += 1;
                bytes += parse_object(&raw.bytes, raw.unix_ms)
                    .expect("parses")
                    .input
                    .len();
            }
            Item::End => break,
            Item::Anomaly(anomaly) => panic!("{anomaly:?}"),
            _ => {}
        }
    }
    source.join();
    (count, bytes)
}

pub fn bench(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let (parquet, lines) = (
        folder.path().join("capture"),
        folder.path().join("lines.jsonl"),
    );
    let bytes = record(&parquet, &lines, ROWS);
    let mut group = c.benchmark_group("replay");
    group
        .throughput(Throughput::Elements(ROWS as u64))
        .sample_size(10);
    for (name, path) in [("Parquet", &parquet), ("JSON lines, parsed", &lines)] {
        group.bench_function(name, |b| {
            b.iter(|| assert_eq!(replay(path), (ROWS, bytes)));
        });
    }
    group.finish();
}
