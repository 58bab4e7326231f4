use super::*;
use crate::capture::samples::{Dice, Signed, signed};
use crate::evidence::AnomalyKind;
use crate::inbox::queue::{ItemReceiver, queue};
use crate::tx::PendingTransaction;
use crate::wire::parse_object;
use ::parquet::basic::{Compression, GzipLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use alloy_primitives::hex;
use std::path::Path;
use std::time::{Duration, Instant};

mod bad;
mod json;

fn start(config: &ReplayConfig) -> Result<(ReplaySource, ItemReceiver, Arc<Stats>)> {
    let stats = Arc::new(Stats::default());
    let (tx, rx) = queue(&Limits::default(), stats.clone());
    let source = ReplaySource::start(config, 1, &Limits::default(), stats.clone(), tx)?;
    Ok((source, rx, stats))
}

fn at_speed(speed: f64, path: &Path) -> ReplayConfig {
    ReplayConfig {
        paths: vec![path.into()],
        speed,
    }
}

/// Transactions, and anomalies as (kind, origin, reason), of a whole replay.
type Outcome = (Vec<PendingTransaction>, Vec<(AnomalyKind, String, String)>);

fn replay(path: &Path) -> Outcome {
    let (source, rx, stats) = start(&at_speed(0.0, path)).unwrap();
    assert!(matches!(
        rx.recv_timeout(Duration::from_secs(10)),
        Some(Item::Ready)
    ));
    let (mut transactions, mut anomalies) = (Vec::new(), Vec::new());
    let mut rows = 0;
    loop {
        match rx
            .recv_timeout(Duration::from_secs(10))
            .expect("the replay goes on")
        {
            Item::Transaction { tx, .. } => transactions.push(*tx),
            Item::Object(raw) => match parse_object(&raw.bytes, raw.unix_ms) {
                Ok(tx) => transactions.push(tx),
                Err(error) => {
                    anomalies.push((error.kind, "parser".into(), error.reason.into_owned()))
                }
            },
            Item::Anomaly(a) => anomalies.push((a.kind, a.origin, a.reason)),
            Item::End => break,
            other => panic!("unexpected {other:?}"),
        }
        rows += 1;
    }
    source.join();
    assert!(
        stats.received.get() <= rows,
        "what was received is answered"
    );
    (transactions, anomalies)
}

/// One row of a mempool-dumpster file, as far as a replay reads it.
#[derive(Clone, Default)]
struct Row {
    timestamp: i64,
    hash: Option<String>,
    from: Option<String>,
    raw: Vec<u8>,
}

impl Row {
    fn of(tx: &Signed, timestamp: i64) -> Self {
        let (hash, from) = (Some(tx.hash.to_string()), Some(format!("{:#x}", tx.from)));
        Self {
            timestamp,
            hash,
            from,
            raw: tx.raw.clone(),
        }
    }
}

const DUMPSTER: &str = "message parquet_go_root {
    required int64 timestamp (TIMESTAMP_MILLIS);
    required binary hash (UTF8);
    required binary from (UTF8);
    required binary rawTx;
}";

const NULLABLE: &str = "message m {
    optional int64 timestamp (TIMESTAMP(MICROS,true));
    optional binary rawTx;
    optional int64 nonce;
    optional binary from (UTF8);
    optional binary hash (UTF8);
}";

/// Writes rows in groups, gzip like the published files. In a nullable column an absent value is null.
fn write(path: &Path, schema: &str, groups: &[Vec<Row>]) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(GzipLevel::default()))
        .build();
    let mut file = SerializedFileWriter::new(
        std::fs::File::create(path).unwrap(),
        schema,
        Arc::new(properties),
    )
    .unwrap();
    let names: Vec<_> = file
        .schema_descr()
        .columns()
        .iter()
        .map(|column| column.name().to_string())
        .collect();
    for rows in groups {
        let mut group = file.next_row_group().unwrap();
        for name in &names {
            let mut column = group.next_column().unwrap().unwrap();
            if matches!(name.as_str(), "timestamp" | "nonce") {
                let values: Vec<_> = rows.iter().map(|row| row.timestamp).collect();
                column
                    .typed::<Int64Type>()
                    .write_batch(&values, Some(&vec![1; rows.len()]), None)
                    .unwrap();
            } else {
                let texts = rows.iter().map(|row| match name.as_str() {
                    "hash" => row.hash.clone().map(String::into_bytes),
                    "from" => row.from.clone().map(String::into_bytes),
                    _ => Some(row.raw.clone()),
                });
                let texts: Vec<_> = texts.collect();
                let levels: Vec<_> = texts.iter().map(|text| i16::from(text.is_some())).collect();
                let values: Vec<_> = texts.into_iter().flatten().map(ByteArray::from).collect();
                column
                    .typed::<ByteArrayType>()
                    .write_batch(&values, Some(&levels), None)
                    .unwrap();
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    file.close().unwrap();
}

/// The transaction as a node would have announced it: the reference for what is decoded from its bytes.
fn announced(tx: &Signed, seen_ms: u64) -> PendingTransaction {
    parse_object(tx.object.to_string().as_bytes(), seen_ms).unwrap()
}

/// All types in turn; signing is slow, so that many repeat a few.
fn samples(count: usize) -> Vec<Signed> {
    let mut dice = Dice(77);
    let distinct: Vec<_> = (0..count.min(60))
        .map(|i| signed(&mut dice, (i % 6) as u8))
        .collect();
    distinct.iter().cycle().take(count).cloned().collect()
}

#[test]
fn published_files_of_every_type_decode_to_what_a_node_announces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("2023-09-08.parquet");
    let samples = samples(3000);
    let rows: Vec<_> = samples
        .iter()
        .enumerate()
        .map(|(i, tx)| Row::of(tx, 1_694_131_200_000 + i as i64))
        .collect();
    // More than one batch, more than one group, an empty group.
    write(
        &path,
        DUMPSTER,
        &[rows[..2500].to_vec(), vec![], rows[2500..].to_vec()],
    );
    let expected: Vec<_> = samples
        .iter()
        .enumerate()
        .map(|(i, tx)| announced(tx, 1_694_131_200_000 + i as u64))
        .collect();
    assert_eq!(replay(&path), (expected, vec![]));
}

#[test]
fn other_writers_column_order_units_and_nulls_are_understood() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let samples = samples(6);
    let mut rows: Vec<_> = samples
        .iter()
        .map(|tx| Row::of(tx, 1_700_000_000_123_456))
        .collect();
    // The sender is recovered from the signature where it is not recorded.
    (rows[1].from, rows[2].from, rows[3].hash) = (None, Some(String::new()), None);
    // Hex text instead of bytes.
    rows[4].raw = hex::encode_prefixed(&rows[4].raw).into_bytes();
    write(&path, NULLABLE, &[rows]);
    let expected: Vec<_> = samples
        .iter()
        .map(|tx| announced(tx, 1_700_000_000_123))
        .collect();
    assert_eq!(replay(&path), (expected, vec![]));
}

#[test]
fn a_blob_transaction_may_come_with_its_sidecar() {
    use alloy_consensus::{BlobTransactionSidecar, TxEip4844WithSidecar, TxEnvelope};
    use alloy_eips::eip2718::{Decodable2718, Encodable2718};
    use alloy_eips::eip4844::{Blob, Bytes48};
    let blob = signed(&mut Dice(4), 3);
    let TxEnvelope::Eip4844(plain) = TxEnvelope::decode_2718_exact(&blob.raw).unwrap() else {
        panic!("a blob")
    };
    let (tx, signature, hash) = plain.into_parts();
    let sidecar = BlobTransactionSidecar::new(
        vec![Blob::default()],
        vec![Bytes48::default()],
        vec![Bytes48::default()],
    );
    let pooled = TxEip4844WithSidecar::from_tx_and_sidecar(tx.tx().clone(), sidecar);
    let pooled = TxEnvelope::from(alloy_consensus::Signed::new_unchecked(
        pooled, signature, hash,
    ))
    .encoded_2718();
    assert!(pooled.len() > 131_072);
    let decoded =
        crate::wire::signed::decode_raw(&pooled, Some(blob.hash), Some(blob.from), 5).unwrap();
    assert_eq!(decoded, announced(&blob, 5));
}

#[test]
fn a_folder_is_replayed_in_the_order_of_names() {
    let dir = tempfile::tempdir().unwrap();
    let samples = samples(4);
    write(
        &dir.path().join("b.parquet"),
        DUMPSTER,
        &[vec![Row::of(&samples[1], 2)]],
    );
    write(
        &dir.path().join("d.parquet"),
        DUMPSTER,
        &[vec![Row::of(&samples[3], 4)]],
    );
    std::fs::write(dir.path().join("a.jsonl"), json::line(&samples[0], 1)).unwrap();
    std::fs::write(dir.path().join("c.json"), json::line(&samples[2], 3)).unwrap();
    // None of these is a capture.
    for name in [
        "README.md",
        "e.parquet.part",
        ".hidden.jsonl",
        "noextension",
    ] {
        std::fs::write(dir.path().join(name), "x").unwrap();
    }
    std::fs::create_dir(dir.path().join("f.parquet")).unwrap();
    let expected: Vec<_> = samples
        .iter()
        .zip(1..)
        .map(|(tx, ms)| announced(tx, ms))
        .collect();
    assert_eq!(replay(dir.path()), (expected, vec![]));
}

#[test]
fn recorded_speed_is_kept_and_multiplied() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    // A step back in time does not wait.
    let rows = samples(5)
        .iter()
        .zip([1000, 1200, 1100, 1400, 1600])
        .map(|(tx, ms)| Row::of(tx, ms))
        .collect();
    write(&path, DUMPSTER, &[rows]);
    for (speed, expected_ms) in [(1.0, 600), (3.0, 200)] {
        let started = Instant::now();
        let (_source, rx, _) = start(&at_speed(speed, &path)).unwrap();
        while !matches!(rx.recv_timeout(Duration::from_secs(10)), Some(Item::End)) {}
        let took = started.elapsed().as_millis();
        assert!(
            (expected_ms..expected_ms + 400).contains(&took),
            "{took} ms at speed {speed}"
        );
    }
}

#[test]
fn a_wait_is_cut_short_by_stop() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let rows = samples(2)
        .iter()
        .zip([0, i64::MAX])
        .map(|(tx, ms)| Row::of(tx, ms))
        .collect();
    write(&path, DUMPSTER, &[rows]);
    let (source, rx, _) = start(&at_speed(1e-300, &path)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    source.stop();
    let items: Vec<_> = std::iter::from_fn(|| rx.recv_timeout(Duration::from_secs(5)))
        .take(3)
        .collect();
    assert!(matches!(
        items[..],
        [Item::Ready, Item::Transaction { .. }, Item::End]
    ));
    source.join();
}

#[test]
fn nothing_is_dropped_however_slow_the_pipeline_and_a_gone_pipeline_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let rows: Vec<_> = samples(200).iter().map(|tx| Row::of(tx, 5)).collect();
    write(&path, DUMPSTER, &[rows]);
    let limits = Limits {
        queue_frames: 2,
        queue_bytes: 100,
        ..Limits::default()
    };
    for listen in [true, false] {
        let (tx, rx) = queue(&limits, Arc::default());
        let source =
            ReplaySource::start(&at_speed(0.0, &path), 1, &limits, Arc::default(), tx).unwrap();
        let mut count = 0;
        while listen && !matches!(rx.recv_timeout(Duration::from_secs(5)).unwrap(), Item::End) {
            std::thread::sleep(Duration::from_micros(200));
            count += 1;
        }
        assert_eq!(count, if listen { 201 } else { 0 });
        drop(rx);
        source.join();
    }
}
