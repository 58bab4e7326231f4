//! What simulations cost the transactions that are not simulated: the same mixed traffic at 1,000 a second through the
//! sensor without and with its simulator, in turns, sensor and node sharing the machine's cores. Of twenty transactions
//! one calls a monitored contract, and is simulated on the state of a block of mainnet that the node tells; the others
//! are the corpus's that touch none.
//!
//! `cargo bench --bench mixed [-- --quick] [-- --json FILE]`; needs `MEMPOOL_IDS_ONNXRUNTIME` (the Makefile sets it).

#[path = "../../tests/conformance/mainnet.rs"]
#[allow(dead_code)]
mod mainnet;
#[path = "../../tests/conformance/recorded.rs"]
mod recorded;
#[path = "../support/mod.rs"]
mod support;

mod chain;
mod told;

use alloy_primitives::Address;
use chain::Chain;
use hdrhistogram::Histogram;
use mempool_ids_core::config::{Emit, SensorConfig, SimulationConfig};
use mempool_ids_core::pipeline::Sensor;
use mempool_ids_core::tx::PendingTransaction;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::feed::{Feed, Plan};
use support::figures::{figures, histogram, tell, together};
use support::machine::{Ticks, quiet};
use support::sensor::{counter, receive, start};

/// The wheel's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Transactions a second; the first second of a round warms up.
const RATE: u64 = 1_000;
/// One of so many is simulated.
const ONE_OF: u64 = 20;
/// Transactions of a turn that are measured, in mainnet's time from head to head: one comes, in the middle.
const MEASURED: u64 = 12 * RATE;

/// What is sent, and who is monitored.
struct Traffic {
    chain: Arc<Chain>,
    monitored: Vec<Address>,
    objects: Vec<String>,
}

impl Traffic {
    fn load() -> Option<Self> {
        let chain = Chain::load()?;
        let monitored: BTreeSet<Address> =
            chain.suspects.iter().map(|suspect| suspect.to).collect();
        let monitored: Vec<_> = monitored.into_iter().collect();
        let samples = support::samples::load();
        let pairs = samples.transactions.iter().zip(&samples.objects);
        let mut others = pairs
            .filter(|(tx, _)| !touches(tx, &chain, &monitored))
            .map(|(_, object)| object)
            .cycle();
        let mut objects = Vec::new();
        for suspect in chain
            .suspects
            .iter()
            .cycle()
            .take(chain.suspects.len() * 10)
        {
            objects.push(suspect.object.clone());
            objects.extend(others.by_ref().take(ONE_OF as usize - 1).cloned());
        }
        Some(Self {
            chain: Arc::new(chain),
            monitored,
            objects,
        })
    }

    fn is_suspect(number: u64) -> bool {
        number.is_multiple_of(ONE_OF)
    }
}

/// Whether it would be simulated, too: as a creation, or for a monitored contract that is its callee, in its calldata, or in
/// its callee's code.
fn touches(tx: &PendingTransaction, chain: &Chain, monitored: &[Address]) -> bool {
    let code = tx.to.and_then(|to| chain.code(&to)).unwrap_or_default();
    let within =
        |bytes: &[u8], address: &Address| memchr::memmem::find(bytes, address.as_slice()).is_some();
    tx.to.is_none()
        || monitored.iter().any(|address| {
            tx.to.as_ref() == Some(address) || within(&tx.input, address) || within(&code, address)
        })
}

fn config(traffic: &Traffic, feed: &Feed, simulates: bool) -> SensorConfig {
    let named = traffic.monitored.iter();
    let named = named.map(|address| (address.to_string(), *address));
    let simulation = SimulationConfig {
        // By contact alone, so that the share is known.
        threshold: 2.0,
        ..SimulationConfig::default()
    };
    SensorConfig {
        simulation: simulates.then_some(simulation),
        ..support::sensor::config(feed.url(), Emit::All, named)
    }
}

/// Of transactions that are not simulated: from the feed's write, and from the sensor's read, to the end of classification.
struct Turn {
    whole: Histogram<u64>,
    inside: Histogram<u64>,
    stolen: Option<f64>,
    stats: Value,
}

impl Turn {
    fn measure(traffic: &Traffic, count: u64, simulates: bool) -> Self {
        let before = Ticks::now();
        let feed = Feed::start(&traffic.objects, traffic.chain.clone(), || {});
        let mut sensor = start(config(traffic, &feed, simulates));
        feed.send(Plan::rated(RATE, count).with_heads(count / 2));
        let done = receive(&sensor, count, Duration::from_secs(count / RATE + 20));
        if simulates {
            check(&sensor, count / ONE_OF);
        }
        let (mut whole, mut inside) = (histogram(), histogram());
        let measured = (0..).zip(feed.sent_times()).zip(done);
        for ((number, sent), done) in measured.skip(RATE as usize) {
            let (arrived, finished) = done.expect("classified");
            if !Traffic::is_suspect(number) {
                whole.saturating_record((finished - sent).as_nanos() as u64);
                inside.saturating_record((finished - arrived).as_nanos() as u64);
            }
        }
        let stats = sensor.stats_json();
        sensor.stop();
        Self {
            whole,
            inside,
            stolen: Ticks::stolen_since(before),
            stats,
        }
    }

    fn p99(&self) -> f64 {
        self.inside.value_at_quantile(0.99) as f64
    }
}

/// Every suspect was simulated, and nothing else; once more where it did nothing before its callee's code was known. None
/// is lost: where the host takes the machine away, some miss their deadline.
fn check(sensor: &Sensor, suspects: u64) {
    let triaged = counter(sensor, "triaged_contact");
    let ended = || {
        let again = counter(sensor, "simulated_again");
        counter(sensor, "simulated") + failures(&sensor.stats_json()) - again
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while ended() < triaged && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let stats = sensor.stats_json();
    assert_eq!(ended(), triaged, "{stats}");
    assert_eq!(counter(sensor, "triaged_score"), 0, "{stats}");
    let twice = triaged.checked_sub(suspects).expect("all suspects");
    assert!(twice <= counter(sensor, "rescored"), "{stats}");
}

/// Simulations without a verdict, whatever the reason.
fn failures(stats: &Value) -> u64 {
    let by_kind = stats["simulation_failures"].as_object().expect("counters");
    by_kind.values().filter_map(Value::as_u64).sum()
}

/// A turn without and one with simulations, in changing order.
struct Round {
    without: Turn,
    with: Turn,
}

impl Round {
    fn measure(traffic: &Traffic, count: u64, with_first: bool) -> Self {
        let turn = |simulates| Turn::measure(traffic, count, simulates);
        match with_first {
            true => {
                let with = turn(true);
                let without = turn(false);
                Self { without, with }
            }
            false => Self {
                without: turn(false),
                with: turn(true),
            },
        }
    }

    /// p99 from the read to the end of classification, with as a multiple of without.
    fn ratio(&self) -> f64 {
        self.with.p99() / self.without.p99()
    }

    /// In the worse of its turns.
    fn stolen(&self) -> Option<f64> {
        let (with, without) = (self.with.stolen?, self.without.stolen?);
        Some(with.max(without))
    }

    fn json(&self) -> Value {
        json!({
            "p99_ratio": self.ratio(),
            "without_p99_us": self.without.p99() / 1000.0,
            "with_p99_us": self.with.p99() / 1000.0,
            "stolen_percent": self.stolen(),
        })
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { 2 } else { 12 };
    let count = RATE + if quick { MEASURED / 4 } else { MEASURED };
    let Some(traffic) = Traffic::load() else {
        return tell(&Value::Null);
    };
    let rounds: Vec<Round> = (0..rounds)
        .map(|round| Round::measure(&traffic, count, round % 2 == 1))
        .collect();
    let all: Vec<&Round> = rounds.iter().collect();
    tell(&json!({
        "block": traffic.chain.number(),
        "head_bytes": traffic.chain.changes().0,
        "head_transactions": traffic.chain.changes().1,
        "suspects": traffic.chain.suspects.len(),
        "monitored": traffic.monitored.len(),
        "rate": RATE,
        "count": count,
        "simulated_percent": 100.0 / ONE_OF as f64,
        "all": summary(&all),
        "quiet": summary(&quiet(&rounds, Round::stolen)),
        "rounds": rounds.iter().map(Round::json).collect::<Vec<_>>(),
    }));
}

/// All transactions of some turns: whole and inside, as in a turn.
fn pooled<'a>(turns: impl Iterator<Item = &'a Turn> + Clone) -> [Histogram<u64>; 2] {
    let whole = together(turns.clone().map(|turn| &turn.whole));
    [whole, together(turns.map(|turn| &turn.inside))]
}

fn both_json([whole, inside]: &[Histogram<u64>; 2]) -> Value {
    json!({"socket_to_classified_us": figures(whole), "read_to_classified_us": figures(inside)})
}

/// A round's ratio is an accident of some slow milliseconds: what counts is that of all the rounds' transactions.
fn summary(rounds: &[&Round]) -> Value {
    let without = pooled(rounds.iter().map(|round| &round.without));
    let with = pooled(rounds.iter().map(|round| &round.with));
    let sum = |name: &str| -> u64 {
        let counts = rounds.iter().map(|round| round.with.stats[name].as_u64());
        counts.map(|count| count.expect("a counter")).sum()
    };
    json!({
        "rounds": rounds.len(),
        "without": both_json(&without),
        "with": both_json(&with),
        "simulated": sum("simulated"),
        "simulated_again": sum("simulated_again"),
        "state_fetches": sum("state_fetches"),
        "failed": rounds.iter().map(|round| failures(&round.with.stats)).sum::<u64>(),
    })
}
