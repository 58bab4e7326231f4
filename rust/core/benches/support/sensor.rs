//! A sensor as the wheel runs it, on a feed.

use alloy_primitives::Address;
use mempool_ids_core::config::{
    DetectionConfig, Emit, Limits, LiveConfig, Mode, ModelConfig, MonitoredContract, SensorConfig,
    SourceConfig,
};
use mempool_ids_core::event::Event;
use mempool_ids_core::pipeline::Sensor;
use mempool_ids_core::tx::PendingTransaction;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub fn model() -> ModelConfig {
    let library = std::env::var_os("MEMPOOL_IDS_ONNXRUNTIME")
        .expect("MEMPOOL_IDS_ONNXRUNTIME: the library's path");
    ModelConfig {
        dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models"),
        onnxruntime: PathBuf::from(library),
    }
}

/// Every transaction is judged by every stage; none becomes an alert, whose cost is measured on its own.
pub fn config(
    url: String,
    emit: Emit,
    monitored: impl IntoIterator<Item = (String, Address)>,
) -> SensorConfig {
    let contracts = monitored
        .into_iter()
        .map(|(name, address)| MonitoredContract {
            name,
            address,
            ..MonitoredContract::default()
        });
    SensorConfig {
        sensor: "bench".into(),
        chain_id: 1,
        chain_spec: None,
        mode: Mode::default(),
        source: SourceConfig::Live(LiveConfig {
            websocket_urls: vec![url],
            rpc_urls: Vec::new(),
            stall_timeout_ms: 30_000,
            reconnect_initial_ms: 250,
            reconnect_max_ms: 1_000,
            resync: false,
            drop_after_ms: 3_600_000,
        }),
        contracts: contracts.collect(),
        detection: DetectionConfig {
            threshold: 2.0,
            rules: vec!["builtin".into()],
            monitored_only: false,
        },
        simulation: None,
        early: None,
        model: Some(model()),
        capture: None,
        emit,
        limits: Limits::default(),
    }
}

/// Starts it and waits until it is subscribed.
pub fn start(config: SensorConfig) -> Sensor {
    let mut sensor = Sensor::new(config).expect("sensor");
    sensor.start().expect("start");
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let events = sensor.events().recv(Duration::from_millis(100), 16);
        if events.iter().any(|event| matches!(event, Event::Ready)) {
            return sensor;
        }
    }
    panic!("the sensor is not ready: {}", sensor.stats_json());
}

pub fn counter(sensor: &Sensor, name: &str) -> u64 {
    sensor.stats_json()[name].as_u64().expect("a counter")
}

/// When one was read, and when the last stage was done with it.
pub type Done = Option<(Instant, Instant)>;

/// Waits for transactions 0 to `count` of the feed, for `patience` at the most.
///
/// # Panics
/// One was not classified.
pub fn receive(sensor: &Sensor, count: u64, patience: Duration) -> Vec<Done> {
    let mut done: Vec<Done> = vec![None; count as usize];
    let mut received = 0;
    let deadline = Instant::now() + patience;
    while received < count && Instant::now() < deadline {
        for event in sensor.events().recv(Duration::from_millis(50), 64) {
            let Event::Transactions(records) = event else {
                continue;
            };
            for record in records {
                done[number(&record.tx)] = Some((record.arrived, record.finished));
                received += 1;
            }
        }
    }
    let stats = sensor.stats_json();
    assert_eq!(received, count, "every transaction is classified: {stats}");
    done
}

/// Its number on the feed, whose hashes count from one.
fn number(tx: &PendingTransaction) -> usize {
    let low = tx.hash.0[24..].iter();
    low.fold(0_usize, |n, byte| n << 8 | usize::from(*byte)) - 1
}
