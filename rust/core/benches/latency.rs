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
use mempool_ids_core::classify::Classifier;
use mempool_ids_core::config::{Emit, SensorConfig};
use mempool_ids_core::evidence::FeatureVector;
use mempool_ids_core::pipeline::Sensor;
use mempool_ids_core::tools::analyzer::Analyzer;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::feed::{Feed, Mute, Plan};
use support::figures::{figures, histogram, median, tell, together};
use support::machine::{Ticks, keccak_mb_per_second, quiet};
use support::samples::Samples;
use support::sensor::{counter, model, receive, start};

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

fn config(feed: &Feed, emit: Emit) -> SensorConfig {
    let monitored = MONITORED.map(|(name, address)| (name.to_owned(), address));
    support::sensor::config(feed.url(), emit, monitored)
}

fn feed(samples: &Samples, pin: fn()) -> Feed {
    Feed::start(&samples.objects, Arc::new(Mute), pin)
}

fn wait_classified(sensor: &Sensor, target: u64) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while counter(sensor, "classified") + counter(sensor, "dropped_queue") < target {
        assert!(Instant::now() < deadline, "stuck: {}", sensor.stats_json());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// From the feed's write, and from the sensor's read, to the end of classification.
fn at_rate(samples: &Samples, count: u64) -> (Histogram<u64>, Histogram<u64>) {
    let feed = feed(samples, || {});
    let mut sensor = start(config(&feed, Emit::All));
    feed.send(Plan::rated(RATE, count));
    let done = receive(&sensor, count, Duration::from_secs(count / RATE + 20));
    let (mut whole, mut inside) = (histogram(), histogram());
    for (sent, done) in feed.sent_times().iter().zip(&done).skip(RATE as usize) {
        let (arrived, finished) = done.expect("classified");
        whole.saturating_record((finished - *sent).as_nanos() as u64);
        inside.saturating_record((finished - arrived).as_nanos() as u64);
    }
    sensor.stop();
    (whole, inside)
}

/// The same feed read by a thread that does nothing else: what the machine's sockets and scheduler take of the above.
fn bare(samples: &Samples, count: u64) -> Histogram<u64> {
    let feed = feed(samples, || {});
    let (mut socket, _) = tokio_tungstenite::tungstenite::connect(feed.url()).expect("connect");
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newPendingTransactions",true]}"#;
    socket.send(request.into()).expect("subscribe");
    socket.read().expect("a reply");
    feed.send(Plan::rated(RATE, count));
    let read: Vec<Instant> = (0..count)
        .map(|_| {
            socket.read().expect("a frame");
            Instant::now()
        })
        .collect();
    let mut floor = histogram();
    for (sent, read) in feed.sent_times().iter().zip(&read).skip(RATE as usize) {
        floor.saturating_record((*read - *sent).as_nanos() as u64);
    }
    floor
}

/// Transactions a second from a feed that always has more, and how many of `count` were dropped.
fn saturated(samples: &Samples, count: u64) -> (f64, u64) {
    // Threads inherit this: all of the sensor runs on one core.
    pin(SENSOR_CORE);
    let feed = feed(samples, || pin(FEED_CORE));
    let mut sensor = start(config(&feed, Emit::Alerts));
    feed.send(Plan::full(WARM_UP));
    wait_classified(&sensor, WARM_UP);
    let before = counter(&sensor, "dropped_queue");
    let begun = Instant::now();
    feed.send(Plan::full(count));
    wait_classified(&sensor, WARM_UP + count);
    let seconds = begun.elapsed().as_secs_f64();
    let dropped = counter(&sensor, "dropped_queue") - before;
    sensor.stop();
    ((count - dropped) as f64 / seconds, dropped)
}

/// The model on single rows of real transactions, with nothing else in between.
struct OneRow {
    classifier: Classifier,
    rows: Vec<FeatureVector>,
}

impl OneRow {
    fn load() -> Self {
        let classifier = Classifier::load(&model()).expect("the shipped model");
        let analyzer = Analyzer::new(classifier.known_selectors(), &[]).expect("no ABIs");
        let (_, transactions) = support::corpus::load();
        let rows = transactions.iter();
        let rows = rows.map(|tx| analyzer.features(tx, None)).collect();
        Self { classifier, rows }
    }

    /// Median microseconds of a row, by hundreds.
    fn measure(&mut self) -> f64 {
        let mut answer = Vec::new();
        let mut times: Vec<f64> = self.rows[..10_000]
            .chunks_exact(100)
            .map(|rows| {
                let start = Instant::now();
                for row in rows {
                    let row = std::slice::from_ref(row);
                    self.classifier.classify(row, &mut answer).expect("answers");
                    assert!((0.0..=1.0).contains(&answer[0]));
                }
                start.elapsed().as_nanos() as f64 / 1e5
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }
}

/// One measurement of everything, with what the machine was like meanwhile.
struct Round {
    keccak_mb_per_second: f64,
    one_row_us: f64,
    /// During the two at the rate.
    stolen_at_rate: Option<f64>,
    bare: Histogram<u64>,
    whole: Histogram<u64>,
    inside: Histogram<u64>,
    stolen_saturated: Option<f64>,
    tx_per_second: f64,
    dropped: u64,
}

impl Round {
    fn measure(
        samples: &Samples,
        one_row: &mut OneRow,
        at_rate_count: u64,
        saturated_count: u64,
    ) -> Self {
        let keccak_mb_per_second = keccak_mb_per_second();
        let one_row_us = one_row.measure();
        let before = Ticks::now();
        let bare = bare(samples, at_rate_count);
        let (whole, inside) = at_rate(samples, at_rate_count);
        let stolen_at_rate = Ticks::stolen_since(before);
        let before = Ticks::now();
        // On a thread of its own, which is pinned.
        let (tx_per_second, dropped) = std::thread::scope(|scope| {
            let saturated = scope.spawn(|| saturated(samples, saturated_count));
            saturated.join().expect("measures")
        });
        Self {
            keccak_mb_per_second,
            one_row_us,
            stolen_at_rate,
            bare,
            whole,
            inside,
            stolen_saturated: Ticks::stolen_since(before),
            tx_per_second,
            dropped,
        }
    }

    fn json(&self) -> Value {
        json!({
            "keccak_mb_per_second": self.keccak_mb_per_second,
            "one_row_us": self.one_row_us,
            "stolen_at_rate_percent": self.stolen_at_rate,
            "stolen_saturated_percent": self.stolen_saturated,
            "socket_to_bare_read_us": figures(&self.bare),
            "socket_to_classified_us": figures(&self.whole),
            "read_to_classified_us": figures(&self.inside),
            "tx_per_second": self.tx_per_second,
        })
    }
}

fn median_rate(rounds: &[&Round]) -> f64 {
    median(rounds.iter().map(|round| round.tx_per_second))
}

fn at_rate_json(rounds: &[&Round]) -> Value {
    let of = |part: fn(&Round) -> &Histogram<u64>| {
        figures(&together(rounds.iter().map(|round| part(round))))
    };
    json!({
        "rounds": rounds.len(),
        "socket_to_classified_us": of(|round| &round.whole),
        "read_to_classified_us": of(|round| &round.inside),
        "socket_to_bare_read_us": of(|round| &round.bare),
    })
}

fn main() {
    let quick = std::env::args().any(|a| a == "--quick");
    let (count, at_rate_count, saturated_count) = if quick {
        (2, 2 * RATE, 50_000)
    } else {
        (15, 4 * RATE, 200_000)
    };
    let samples = support::samples::load();
    let mut one_row = OneRow::load();
    let rounds: Vec<Round> = (0..count)
        .map(|_| Round::measure(&samples, &mut one_row, at_rate_count, saturated_count))
        .collect();
    let all: Vec<&Round> = rounds.iter().collect();
    let runs = json!({
        "samples": samples.origin,
        "rate": RATE,
        "at_rate": at_rate_json(&all),
        "at_rate_quiet": at_rate_json(&quiet(&rounds, |round| round.stolen_at_rate)),
        "one_row_us": median(rounds.iter().map(|round| round.one_row_us)),
        "saturated": {
            "count": saturated_count,
            "tx_per_second": median_rate(&all),
            "tx_per_second_quiet": median_rate(&quiet(&rounds, |round| round.stolen_saturated)),
            "dropped": rounds.iter().map(|round| round.dropped).sum::<u64>(),
        },
        "rounds": rounds.iter().map(Round::json).collect::<Vec<_>>(),
    });
    tell(&runs);
}
