//! What peers and the installed command are measured with:
//! `cargo bench --bench supply -- feed COUNT [RATE]` prints the URL of a node that only talks, waits for a client's
//! subscription, then sends; `-- capture FOLDER COUNT` records transactions.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::capture::record;
use support::feed::{Feed, Mute, Plan};

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["feed", count, rate @ ..] => feed(number(count), rate.first().map(|r| number(r))),
        ["capture", folder, count] => {
            let count = usize::try_from(number(count)).expect("a count");
            record(Path::new(folder), Path::new("/dev/null"), count);
        }
        _ => println!("nothing to measure here; usage: feed COUNT [RATE] | capture FOLDER COUNT"),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn feed(count: u64, rate: Option<u64>) {
    let samples = support::samples::load();
    let feed = Feed::start(&samples.objects, Arc::new(Mute), || {});
    println!("{} {}", feed.url(), samples.origin);
    feed.send(rate.map_or_else(|| Plan::full(count), |rate| Plan::rated(rate, count)));
    feed.sent_times();
    // The reader may still be behind: keep the socket open until it leaves.
    std::thread::sleep(Duration::from_secs(60));
}
