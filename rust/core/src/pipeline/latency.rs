//! Frame to classification, as a histogram.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// Nanoseconds, with three significant digits, from a minute on growing.
#[derive(Debug)]
pub struct Latency {
    histogram: Histogram<u64>,
}

/// Microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
#[schemars(rename = "latency")]
pub struct LatencySnapshot {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Default for Latency {
    fn default() -> Self {
        // Bounds that the histogram's own documentation accepts: this cannot fail.
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("valid bounds");
        histogram.auto(true);
        Self { histogram }
    }
}

impl Latency {
    #[inline]
    pub fn record(&mut self, total: Duration) {
        self.histogram.saturating_record(total.as_nanos() as u64);
    }

    pub fn snapshot(&self) -> LatencySnapshot {
        let us = |nanos: u64| nanos as f64 / 1000.0;
        let at = |q: f64| us(self.histogram.value_at_quantile(q));
        LatencySnapshot {
            count: self.histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: us(self.histogram.max()),
        }
    }
}
