//! How long to wait between two attempts to connect.

use crate::config::LiveConfig;
use std::time::Duration;

/// Exponential backoff with full jitter: a delay is uniform in 0..=min(max, initial·2ⁿ), so that sensors cut off
/// together do not come back together.
#[derive(Debug)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub fn new(initial: Duration, max: Duration) -> Self {
        Self {
            initial: initial.max(Duration::from_millis(1)),
            max: max.max(initial),
            failures: 0,
        }
    }

    /// As configured.
    pub fn of(config: &LiveConfig) -> Self {
        Self::new(
            Duration::from_millis(config.reconnect_initial_ms),
            Duration::from_millis(config.reconnect_max_ms),
        )
    }

    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The longest the next delay may be.
    pub fn ceiling(&self) -> Duration {
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.initial
            .checked_mul(factor)
            .unwrap_or(self.max)
            .min(self.max)
    }

    pub fn next_delay(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(rand::random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_maximum_and_starts_over_after_success() {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
        let mut ceilings = Vec::new();
        for _ in 0..40 {
            ceilings.push(backoff.ceiling());
            let ceiling = backoff.ceiling();
            assert!(backoff.next_delay() <= ceiling);
        }
        assert_eq!(
            ceilings[..4],
            [250, 500, 1000, 2000].map(Duration::from_millis)
        );
        assert!(ceilings[8..].iter().all(|c| *c == Duration::from_secs(30)));
        backoff.reset();
        assert_eq!(backoff.ceiling(), Duration::from_millis(250));
    }

    #[test]
    fn jitter_is_full() {
        let ceiling = Duration::from_secs(1);
        let delays: Vec<_> = (0..400)
            .map(|_| Backoff::new(ceiling, ceiling).next_delay())
            .collect();
        assert!(
            delays.iter().any(|d| *d < ceiling / 10)
                && delays.iter().any(|d| *d > ceiling * 9 / 10)
        );
    }
}
