//! Frame on the socket to classified, through the real sensor: at 1,000 transactions a second as a histogram, sensor and
//! feed sharing the machine's cores; and at saturation as a rate, the sensor's threads together on one core.
//!
//! `cargo bench --bench latency [-- --json FILE]`; needs `MEMPOOL_IDS_ONNXRUNTIME` (the Makefile sets it).

mod support;

use hdrhistogram::Histogram;
use mempool_ids_core::config::{
    DetectionConfig, Emit, Limits, LiveConfig, ModelConfig, SensorConfig, SourceConfig,
};
use mempool_ids_core::event::Event;
use mempool_ids_core::pipeline::Sensor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::feed::{Feed, Plan};

const SENSOR_CORE: usize = 0;
const FEED_CORE: usize = 1;
/// Connections, caches and branch predictors are warm after this many.
const WARM_UP: u64 = 20_000;

fn pin(core: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(id) = cores.get(core) {
        core_affinity::set_for_current(*id);
    }
}

fn config(url: String, emit: Emit) -> SensorConfig {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/mempool_ids/models");
    let library = std::env::var_os("MEMPOOL_IDS_ONNXRUNTIME")
        .expect("MEMPOOL_IDS_ONNXRUNTIME: the library's path");
    SensorConfig {
        sensor: "bench".into(),
        chain_id: 1,
        source: SourceConfig::Live(LiveConfig {
            websocket_urls: vec![url],
            rpc_urls: Vec::new(),
            stall_timeout_ms: 30_000,
            reconnect_initial_ms: 250,
            reconnect_max_ms: 1_000,
            resync: false,
            drop_after_ms: 3_600_000,
        }),
        contracts: Vec::new(),
        // Every transaction is judged by every stage; none becomes an alert, whose cost is measured on its own.
        detection: DetectionConfig {
            threshold: 2.0,
            rules: vec!["builtin".into()],
            monitored_only: false,
        },
        model: Some(ModelConfig {
            dir: models,
            onnxruntime: PathBuf::from(library),
        }),
        capture: None,
        emit,
        limits: Limits { spin_us: std::env::var("SPIN").map_or(2000, |s| s.parse().unwrap()), ..Limits::default() },
    }
}

fn wait_ready(sensor: &Sensor) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if sensor
            .events()
            .recv(Duration::from_millis(100), 16)
            .iter()
            .any(|e| matches!(e, Event::Ready))
        {
            return;
        }
    }
    panic!("the sensor is not ready: {}", sensor.stats_json());
}

fn counter(sensor: &Sensor, name: &str) -> u64 {
    sensor.stats_json()[name].as_u64().expect("a counter")
}

fn wait_classified(sensor: &Sensor, target: u64) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while counter(sensor, "classified") + counter(sensor, "dropped_queue") < target {
        assert!(Instant::now() < deadline, "stuck: {}", sensor.stats_json());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Latencies from the feed's write to the end of classification, in microseconds.
fn at_rate(samples: &support::samples::Samples, rate: u64, count: u64) -> serde_json::Value {
    let feed = Feed::start(&samples.objects, 0, || {});
    let mut sensor =
        Sensor::new(config(format!("ws://{}", feed.address), Emit::All)).expect("sensor");
    sensor.start().expect("start");
    wait_ready(&sensor);
    let mut done: Vec<Option<(Instant, Instant)>> = vec![None; count as usize];
    feed.send(Plan {
        rate: Some(rate),
        count,
    });
    let mut received = 0;
    let deadline = Instant::now() + Duration::from_secs(count / rate + 20);
    while received < count && Instant::now() < deadline {
        for event in sensor.events().recv(Duration::from_millis(50), 64) {
            let Event::Transactions(records) = event else {
                continue;
            };
            for record in records {
                let n = record.tx.hash.0[24..]
                    .iter()
                    .fold(0_u64, |n, b| n << 8 | u64::from(*b))
                    - 1;
                done[n as usize] = Some((record.arrived, record.finished));
                received += 1;
            }
        }
    }
    let sent = feed
        .sent
        .recv_timeout(Duration::from_secs(10))
        .expect("sent times");
    assert_eq!(
        received,
        count,
        "every transaction is classified: {}",
        sensor.stats_json()
    );
    let minute = 60_000_000_000;
    let mut whole = Histogram::<u64>::new_with_max(minute, 3).expect("histogram");
    let mut inside = Histogram::<u64>::new_with_max(minute, 3).expect("histogram");
    // The first second warms up.
    for (sent, done) in sent.iter().zip(&done).skip(rate as usize) {
        let (arrived, finished) = done.expect("classified");
        whole.saturating_record((finished - *sent).as_nanos() as u64);
        inside.saturating_record((finished - arrived).as_nanos() as u64);
    }
    sensor.stop();
    let figures = |h: &Histogram<u64>| {
        let us = |q: f64| h.value_at_quantile(q) as f64 / 1000.0;
        serde_json::json!({"p50": us(0.5), "p90": us(0.9), "p99": us(0.99), "p99.9": us(0.999), "max": h.max() as f64 / 1000.0, "count": h.len()})
    };
    serde_json::json!({"rate": rate, "socket_to_classified_us": figures(&whole), "read_to_classified_us": figures(&inside)})
}

/// Transactions a second from a feed that always has more.
fn saturated(samples: &support::samples::Samples, count: u64) -> serde_json::Value {
    // Threads inherit this: all of the sensor runs on one core.
    pin(SENSOR_CORE);
    let feed = Feed::start(&samples.objects, 0, || pin(FEED_CORE));
    let mut sensor =
        Sensor::new(config(format!("ws://{}", feed.address), Emit::Alerts)).expect("sensor");
    sensor.start().expect("start");
    wait_ready(&sensor);
    feed.send(Plan {
        rate: None,
        count: WARM_UP,
    });
    wait_classified(&sensor, WARM_UP);
    let start = Instant::now();
    feed.send(Plan { rate: None, count });
    wait_classified(&sensor, WARM_UP + count);
    let seconds = start.elapsed().as_secs_f64();
    let dropped = counter(&sensor, "dropped_queue");
    let latency = sensor.stats_json()["latency_us"].clone();
    sensor.stop();
    let classified = count - dropped;
    serde_json::json!({"count": count, "dropped": dropped, "seconds": seconds, "tx_per_second": classified as f64 / seconds, "read_to_classified_us": latency})
}

fn main() {
    let quick = std::env::args().any(|a| a == "--quick");
    let samples = support::samples::load();
    if let Ok(n) = std::env::var("SAT") {
        println!("{}", saturated(&samples, n.parse().unwrap())["tx_per_second"]);
        return;
    }
    let runs = serde_json::json!({
        "samples": samples.origin,
        "at_1000": at_rate(&samples, 1_000, if quick { 3_000 } else { 20_000 }),
        "saturation": saturated(&samples, if quick { 50_000 } else { 1_000_000 }),
    });
    let text = serde_json::to_string_pretty(&runs).expect("json");
    println!("{text}");
    let mut args = std::env::args();
    if args.any(|a| a == "--json")
        && let Some(path) = args.next()
    {
        std::fs::write(path, text).expect("write the figures");
    }
}
