//! Times as histograms, in nanoseconds, and what a report says of them.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// To three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 3).expect("valid bounds")
}

/// Microseconds.
pub fn figures(histogram: &Histogram<u64>) -> Value {
    let at = |q: f64| histogram.value_at_quantile(q) as f64 / 1000.0;
    json!({
        "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p99.9": at(0.999), "max": histogram.max() as f64 / 1000.0,
    })
}

pub fn together<'a>(histograms: impl Iterator<Item = &'a Histogram<u64>>) -> Histogram<u64> {
    let mut all = histogram();
    histograms.for_each(|one| all.add(one).expect("same bounds"));
    all
}

pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Prints the figures, and writes them where `--json FILE` says.
pub fn tell(figures: &Value) {
    let text = serde_json::to_string_pretty(figures).expect("json");
    println!("{text}");
    let mut arguments = std::env::args();
    if arguments.any(|argument| argument == "--json")
        && let Some(path) = arguments.next()
    {
        std::fs::write(path, text).expect("write the figures");
    }
}
