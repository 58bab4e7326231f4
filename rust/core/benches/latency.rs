//! Frame on the socket to classified, through the real sensor: at 1,000 transactions a second as a histogram, sensor and
//! feed sharing the machine's cores; and at saturation as a rate, the sensor's threads together on one core. In rounds,
//! since a machine is not equally fast at all times.
//!
//! `cargo bench --bench latency [-- --json FILE]`; needs `MEMPOOL_IDS_ONNXRUNTIME` (the Makefile sets it).

mod support;

/// The wheel's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use alloy_primitives::{Address, address};
use hdrhistogram::Histogram;
use mempool_ids_core::config::{
    DetectionConfig, Emit, Limits, LiveConfig, ModelConfig, MonitoredContract, SensorConfig,
    SourceConfig,
};
use mempool_ids_core::event::Event;
use mempool_ids_core::pipeline::Sensor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::feed::{Feed, Plan};
use support::samples::Samples;

/// Transactions a second; the first second of a round warms up.
const RATE: u64 = 1_000;
/// Busy ones of mainnet, so that the stages that look for contacts have work.
const MONITORED: [(&str, Address); 3] = [
    ("USDC", address!("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")),
    ("WETH", address!("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")),
    (
        "Uniswap V2 Router",
        address!("7a250d5630b4cf539739df2c5dacb4c659f2488d"),
    ),
];
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
        contracts: MONITORED
            .iter()
            .map(|(name, address)| MonitoredContract {
                name: (*name).into(),
                address: *address,
                abi: None,
            })
            .collect(),
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
        limits: Limits::default(),
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

/// Nanoseconds, to three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 3).expect("valid bounds")
}

/// Of several rounds together, and the median of each.
fn figures(rounds: &[Histogram<u64>]) -> serde_json::Value {
    let us = |nanos: u64| nanos as f64 / 1000.0;
    let mut all = histogram();
    rounds
        .iter()
        .for_each(|round| all.add(round).expect("same bounds"));
    let at = |q: f64| us(all.value_at_quantile(q));
    let each = |q: f64| -> Vec<f64> {
        rounds
            .iter()
            .map(|round| us(round.value_at_quantile(q)))
            .collect()
    };
    serde_json::json!({
        "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p99.9": at(0.999), "max": us(all.max()), "count": all.len(),
        "p50_by_round": each(0.5), "p99_by_round": each(0.99),
    })
}

/// From the feed's write, and from the sensor's read, to the end of classification.
fn at_rate(samples: &Samples, count: u64) -> (Histogram<u64>, Histogram<u64>) {
    let feed = Feed::start(&samples.objects, || {});
    let mut sensor =
        Sensor::new(config(format!("ws://{}", feed.address), Emit::All)).expect("sensor");
    sensor.start().expect("start");
    wait_ready(&sensor);
    let mut done: Vec<Option<(Instant, Instant)>> = vec![None; count as usize];
    feed.send(Plan {
        rate: Some(RATE),
        count,
    });
    let mut received = 0;
    let deadline = Instant::now() + Duration::from_secs(count / RATE + 20);
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
    assert_eq!(
        received,
        count,
        "every transaction is classified: {}",
        sensor.stats_json()
    );
    let (mut whole, mut inside) = (histogram(), histogram());
    for (sent, done) in sent_times(&feed).iter().zip(&done).skip(RATE as usize) {
        let (arrived, finished) = done.expect("classified");
        whole.saturating_record((finished - *sent).as_nanos() as u64);
        inside.saturating_record((finished - arrived).as_nanos() as u64);
    }
    sensor.stop();
    (whole, inside)
}

fn sent_times(feed: &Feed) -> Vec<Instant> {
    feed.sent
        .recv_timeout(Duration::from_secs(10))
        .expect("sent times")
}

/// The same feed read by a thread that does nothing else: what the machine's sockets and scheduler take of the above.
fn bare(samples: &Samples, count: u64) -> Histogram<u64> {
    let feed = Feed::start(&samples.objects, || {});
    let (mut socket, _) =
        tokio_tungstenite::tungstenite::connect(format!("ws://{}", feed.address)).expect("connect");
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newPendingTransactions",true]}"#;
    socket.send(request.into()).expect("subscribe");
    socket.read().expect("a reply");
    feed.send(Plan {
        rate: Some(RATE),
        count,
    });
    let read: Vec<Instant> = (0..count)
        .map(|_| {
            socket.read().expect("a frame");
            Instant::now()
        })
        .collect();
    let mut floor = histogram();
    for (sent, read) in sent_times(&feed).iter().zip(&read).skip(RATE as usize) {
        floor.saturating_record((*read - *sent).as_nanos() as u64);
    }
    floor
}

/// Transactions a second from a feed that always has more, and how many of `count` were dropped.
fn saturated(samples: &Samples, count: u64) -> (f64, u64) {
    // Threads inherit this: all of the sensor runs on one core.
    pin(SENSOR_CORE);
    let feed = Feed::start(&samples.objects, || pin(FEED_CORE));
    let mut sensor =
        Sensor::new(config(format!("ws://{}", feed.address), Emit::Alerts)).expect("sensor");
    sensor.start().expect("start");
    wait_ready(&sensor);
    feed.send(Plan {
        rate: None,
        count: WARM_UP,
    });
    wait_classified(&sensor, WARM_UP);
    let before = counter(&sensor, "dropped_queue");
    let start = Instant::now();
    feed.send(Plan { rate: None, count });
    wait_classified(&sensor, WARM_UP + count);
    let seconds = start.elapsed().as_secs_f64();
    let dropped = counter(&sensor, "dropped_queue") - before;
    sensor.stop();
    ((count - dropped) as f64 / seconds, dropped)
}

fn main() {
    let quick = std::env::args().any(|a| a == "--quick");
    let rounds = if quick { 2 } else { 5 };
    let samples = support::samples::load();
    let count = RATE * if quick { 2 } else { 8 };
    let (mut whole, mut inside, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        floor.push(bare(&samples, count / 2));
        let (w, i) = at_rate(&samples, count);
        whole.push(w);
        inside.push(i);
    }
    let count = if quick { 50_000 } else { 400_000 };
    let mut saturation: Vec<(f64, u64)> = (0..rounds).map(|_| saturated(&samples, count)).collect();
    saturation.sort_by(|a, b| a.0.total_cmp(&b.0));
    let runs = serde_json::json!({
        "samples": samples.origin,
        "at_1000": {
            "rate": RATE,
            "socket_to_classified_us": figures(&whole),
            "read_to_classified_us": figures(&inside),
            "socket_to_bare_read_us": figures(&floor),
        },
        "saturation": {
            "count": count,
            "tx_per_second": saturation[rounds / 2].0,
            "by_round": saturation.iter().map(|round| round.0).collect::<Vec<_>>(),
            "dropped": saturation.iter().map(|round| round.1).sum::<u64>(),
        },
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
