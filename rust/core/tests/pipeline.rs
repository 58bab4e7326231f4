//! A whole sensor without a model: what goes in comes out.

use mempool_ids_core::config::{
    DetectionConfig, Emit, Limits, Mode, ReplayConfig, SensorConfig, SourceConfig,
};
use mempool_ids_core::event::Event;
use mempool_ids_core::pipeline::Sensor;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const CHAIN: u64 = 1;

fn object(n: u64) -> String {
    format!(
        r#"{{"hash":"0x{n:064x}","from":"0x{n:040x}","to":"0x{:040x}","value":"0x1","gas":"0x5208","gasPrice":"0x1","nonce":"0x{n:x}","input":"0x","type":"0x0","timestamp_ms":{}}}"#,
        n % 7,
        1_700_000_000_000 + n
    )
}

fn sensor(lines: &str) -> (Sensor, tempfile::TempDir) {
    sensor_on(None, lines)
}

fn sensor_on(chain_spec: Option<PathBuf>, lines: &str) -> (Sensor, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.jsonl");
    std::fs::File::create(&path)
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let config = SensorConfig {
        sensor: "test".into(),
        chain_id: CHAIN,
        chain_spec,
        mode: Mode::default(),
        source: SourceConfig::Replay(ReplayConfig {
            paths: vec![path],
            speed: 0.0,
        }),
        contracts: Vec::new(),
        detection: DetectionConfig {
            threshold: 0.7,
            rules: Vec::new(),
            monitored_only: false,
        },
        simulation: None,
        early: None,
        model: None,
        capture: None,
        emit: Emit::Alerts,
        limits: Limits::default(),
    };
    (Sensor::new(config).unwrap(), folder)
}

/// Nonces of all transactions, in order, and the names of anomalies.
fn run(mut sensor: Sensor) -> (Vec<u64>, Vec<&'static str>) {
    sensor.start().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let (mut nonces, mut anomalies) = (Vec::new(), Vec::new());
    while Instant::now() < deadline {
        for event in sensor.events().recv(Duration::from_millis(50), 100) {
            match event {
                Event::Transactions(records) => nonces.extend(records.iter().map(|r| r.tx.nonce)),
                Event::Anomaly(anomaly) => anomalies.push(anomaly.kind.name()),
                Event::End => return (nonces, anomalies),
                _ => {}
            }
        }
    }
    panic!("no end in time");
}

#[test]
fn every_transaction_comes_out_once_and_in_order() {
    let lines: String = (0..5_000).map(|n| object(n) + "\n").collect();
    let (sensor, _folder) = sensor(&lines);
    assert_eq!(run(sensor), ((0..5_000).collect(), vec![]));
}

#[test]
fn garbage_and_duplicates_between_transactions_hide_none() {
    let mut lines = String::new();
    for n in 0..1_000 {
        lines += &(object(n) + "\n");
        lines += match n % 4 {
            0 => "{\"hash\":\n",
            1 => "[[[[\n",
            _ => "",
        };
        lines += &(object(n / 2) + "\n");
    }
    let (sensor, _folder) = sensor(&lines);
    let (nonces, anomalies) = run(sensor);
    assert_eq!(nonces, (0..1_000).collect::<Vec<_>>());
    assert!(anomalies.iter().all(|kind| kind.starts_with("malformed")) && !anomalies.is_empty());
}

#[test]
fn a_second_transaction_under_a_known_hash_is_judged_too_and_told() {
    let forged = object(1).replace("\"value\":\"0x1\"", "\"value\":\"0x2\"");
    let (sensor, _folder) = sensor(&format!("{}\n{forged}\n{}\n", object(1), object(2)));
    assert_eq!(run(sensor), (vec![1, 1, 2], vec!["hash_mismatch"]));
}

#[test]
fn a_lie_about_the_chain_does_not_take_the_place_of_the_truth() {
    let lie = object(1).replace("\"type\":", "\"chainId\":\"0x3e7\",\"type\":");
    let (sensor, _folder) = sensor(&format!("{lie}\n{}\n", object(1)));
    assert_eq!(run(sensor), (vec![1], vec!["wrong_chain"]));
}

#[test]
fn what_the_chains_pool_does_not_take_is_told_and_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("chain.toml");
    let text =
        "id = 1\nname = 'Plain'\nnative = 'ETH'\nblock_time_ms = 1000\ntransaction_types = [0]\n";
    std::fs::write(&spec, text).unwrap();
    let later = object(2).replace("\"type\":\"0x0\"", "\"type\":\"0x1\",\"chainId\":\"0x1\"");
    assert_ne!(later, object(2));
    let (sensor, _folder) = sensor_on(Some(spec), &format!("{}\n{later}\n", object(1)));
    assert_eq!(run(sensor), (vec![1], vec!["unknown_transaction_type"]));
}

#[test]
fn any_recorded_time_can_be_written() {
    let (mut sensor, _folder) = sensor(&(object(1) + "\n"));
    sensor.start().unwrap();
    let events = sensor.events();
    let mut written = 0;
    let deadline = Instant::now() + Duration::from_secs(30);
    while written == 0 && Instant::now() < deadline {
        for event in events.recv(Duration::from_millis(50), 100) {
            if let Event::Transactions(mut records) = event {
                records[0].tx.seen_ms = u64::MAX;
                let (_, line) = events.origin().encode(&Event::Transactions(records));
                let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
                assert_eq!(line["timestamp"], "9999-12-31T23:59:59.999999Z");
                written += 1;
            }
        }
    }
    assert_eq!(written, 1);
}
