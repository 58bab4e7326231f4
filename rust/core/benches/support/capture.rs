//! A recorded mempool: the corpus again and again, as the sensor's own capture and as JSON lines.

use super::samples;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_primitives::{Signature, TxKind};
use bytes::Bytes;
use mempool_ids_core::capture::CaptureWriter;
use mempool_ids_core::config::CaptureConfig;
use mempool_ids_core::inbox::Raw;
use mempool_ids_core::stats::Stats;
use mempool_ids_core::tx::PendingTransaction;
use mempool_ids_core::wire::parse_object;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The sample's calldata in a transaction of its own, as a node returns it.
fn object(tx: &PendingTransaction, i: usize) -> String {
    let unsigned = TxEip1559 {
        chain_id: 1,
        nonce: i as u64,
        gas_limit: tx.gas,
        max_fee_per_gas: tx.max_fee_per_gas,
        max_priority_fee_per_gas: tx.max_priority_fee_per_gas,
        to: tx.to.map_or(TxKind::Create, TxKind::Call),
        value: tx.value,
        access_list: Default::default(),
        input: tx.input.clone().into(),
    };
    // The sender is recorded, so that no signature is ever checked: any will do.
    let envelope = TxEnvelope::from(unsigned.into_signed(Signature::test_signature()));
    let mut json = serde_json::to_value(&envelope).expect("serializes");
    json["from"] = serde_json::json!(tx.from);
    json["timestamp_ms"] = serde_json::json!(1_700_000_000_000 + i as u64);
    json.to_string()
}

/// Records `rows` transactions in `dir`, and the same as JSON lines; returns the calldata bytes in them.
pub fn record(dir: &Path, lines: &Path, rows: usize) -> usize {
    let samples = samples::load();
    println!(
        "{rows} transactions with the calldata of {}",
        samples.origin
    );
    let stats = Arc::new(Stats::default());
    let config = CaptureConfig {
        dir: dir.into(),
        rotate_ms: 3_600_000,
        rotate_rows: u64::MAX,
    };
    let mut writer = CaptureWriter::start(&config, 1, stats.clone()).expect("starts");
    let mut text = std::io::BufWriter::new(std::fs::File::create(lines).expect("creates"));
    let (mut bytes, mut offering) = (0, Duration::ZERO);
    let started = Instant::now();
    for (i, tx) in samples.transactions.iter().cycle().take(rows).enumerate() {
        let json = object(tx, i);
        std::io::Write::write_all(&mut text, json.as_bytes()).expect("writes");
        std::io::Write::write_all(&mut text, b"\n").expect("writes");
        let raw = Raw {
            bytes: Bytes::from(json),
            endpoint: 0,
            at: Instant::now(),
            unix_ms: 0,
        };
        let parsed = parse_object(&raw.bytes, 0).expect("parses");
        bytes += parsed.input.len();
        loop {
            let dropped = stats.dropped_capture.get();
            let start = Instant::now();
            writer.offer_raw(&raw, false, &parsed, "bench");
            offering += start.elapsed();
            if stats.dropped_capture.get() == dropped {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    println!(
        "capture: {:.0} ns an offer, {:.1} s until journalled",
        offering.as_nanos() as f64 / rows as f64,
        started.elapsed().as_secs_f64()
    );
    let started = Instant::now();
    writer.finish().expect("finishes");
    println!(
        "capture: {:.1} s to become Parquet",
        started.elapsed().as_secs_f64()
    );
    bytes
}
