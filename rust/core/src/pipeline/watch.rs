//! How long the sensor has been watching: what features remember starts empty.

use std::time::Instant;

/// Live since its source was ready, by a clock that only goes forward; in a replay since its first record, by the recorded
/// clock.
#[derive(Debug)]
pub struct Watch {
    started: Instant,
    since_ms: Option<u64>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            since_ms: None,
        }
    }
}

impl Watch {
    /// Milliseconds, what a live sensor goes by.
    pub fn uptime_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The first of all calls counts.
    pub fn begin(&mut self, now_ms: u64) {
        self.since_ms.get_or_insert(now_ms);
    }

    /// 0 before it began.
    pub fn ms(&self, now_ms: u64) -> u64 {
        self.since_ms
            .map_or(0, |since| now_ms.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_counted_from_the_first_beginning() {
        let mut watch = Watch::default();
        assert_eq!(watch.ms(500), 0);
        watch.begin(1000);
        watch.begin(1500);
        assert_eq!((watch.ms(900), watch.ms(1700)), (0, 700));
    }
}
