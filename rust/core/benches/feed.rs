//! The feed as a process of its own, for peers in other languages:
//! `cargo bench --bench feed -- PORT COUNT [RATE]` prints its URL, waits for a client's subscription, then sends.

mod support;

use std::time::Duration;
use support::feed::{Feed, Plan};

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    let [port, count, rate @ ..] = numbers.as_slice() else {
        println!(
            "feed: nothing to measure here; usage: cargo bench --bench feed -- PORT COUNT [RATE]"
        );
        return;
    };
    let samples = support::samples::load();
    let feed = Feed::start(
        &samples.objects,
        u16::try_from(*port).expect("a port"),
        || {},
    );
    println!("ws://{} {}", feed.address, samples.origin);
    feed.send(Plan {
        rate: rate.first().copied(),
        count: *count,
    });
    let _ = feed.sent.recv_timeout(Duration::from_secs(300));
    // The reader may still be behind: keep the socket open until it leaves.
    std::thread::sleep(Duration::from_secs(60));
}
