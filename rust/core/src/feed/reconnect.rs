//! One connection after another, for as long as the sensor runs.

use super::endpoint::{Connected, Ended, Endpoint};
use std::rc::Rc;
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

/// Keeps `endpoint` connected. Returns where it must not be used: it serves another chain, or the pipeline is gone.
///
/// A connection's whole life is one future inside this loop, dropped before the next begins: no second loop can be left
/// running. Success, which resets the backoff, means subscribed and caught up, so that a node that breaks off while it is
/// asked for its pool is asked ever more seldom.
pub async fn keep_connected(endpoint: Rc<Endpoint>) {
    let config = &endpoint.shared.config;
    let mut backoff = Backoff::new(
        Duration::from_millis(config.reconnect_initial_ms),
        Duration::from_millis(config.reconnect_max_ms),
    );
    loop {
        let Connected { ended, caught_up } = endpoint.connect_once().await;
        if caught_up {
            backoff.reset();
        }
        let reason = match ended {
            Ended::Lost(reason) => reason,
            Ended::WrongChain => return,
            Ended::Closed => return,
        };
        let delay = backoff.next_delay();
        endpoint.connection_lost(&reason, delay);
        tokio::time::sleep(delay).await;
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
