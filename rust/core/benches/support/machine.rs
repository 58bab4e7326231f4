//! How much of the machine a measurement had: on a rented one the host takes time away, and neighbours share its caches.

use alloy_primitives::keccak256;
use std::time::{Duration, Instant};

/// Ticks since boot: all, and those that the host gave to others.
#[derive(Clone, Copy)]
pub struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// `None` where the system does not tell.
    pub fn now() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let ticks: Vec<u64> = stat
            .lines()
            .next()?
            .split_whitespace()
            .skip(1)
            .map_while(|field| field.parse().ok())
            .collect();
        // user nice system idle iowait irq softirq steal; the guests' are part of user's.
        Some(Self {
            all: ticks.iter().take(8).sum(),
            stolen: *ticks.get(7)?,
        })
    }

    /// Percent of the machine's time that was taken away since then.
    pub fn stolen_since(before: Option<Self>) -> Option<f64> {
        let (before, now) = (before?, Self::now()?);
        Some(100.0 * (now.stolen - before.stolen) as f64 / (now.all - before.all).max(1) as f64)
    }
}

/// Megabytes a second that Keccak-256 takes here: the same work each time, so that phases of the machine show.
pub fn keccak_mb_per_second() -> f64 {
    let block = vec![7_u8; 1 << 16];
    let start = Instant::now();
    let mut hashed = 0;
    while start.elapsed() < Duration::from_millis(200) {
        std::hint::black_box(keccak256(&block));
        hashed += block.len();
    }
    hashed as f64 / 1e6 / start.elapsed().as_secs_f64()
}

/// The third of the rounds that the host took least from, by `stolen`: chosen by the machine, not by the result.
pub fn quiet<T>(rounds: &[T], stolen: impl Fn(&T) -> Option<f64>) -> Vec<&T> {
    let mut sorted: Vec<&T> = rounds.iter().collect();
    let taken = |round: &T| stolen(round).unwrap_or(0.0);
    sorted.sort_by(|a, b| taken(a).total_cmp(&taken(b)));
    sorted.truncate(rounds.len().div_ceil(3));
    sorted
}
