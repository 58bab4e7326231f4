//! How long the sensor has been watching: what features remember starts empty.

use std::time::Instant;

/// From when on it watches.
#[derive(Debug, Clone, Copy)]
pub enum Watch {
    /// Since its source was ready, by a clock that only goes forward.
    Live(Option<Instant>),
    /// Since the first record, Unix milliseconds.
    Recorded(Option<u64>),
}

impl Watch {
    pub fn ready(&mut self) {
        if let Self::Live(since) = self {
            since.get_or_insert_with(Instant::now);
        }
    }

    pub fn record(&mut self, at_ms: u64) {
        if let Self::Recorded(since) = self {
            since.get_or_insert(at_ms);
        }
    }

    /// Milliseconds until a transaction arrived, 0 before it began. By the transaction's own time: when it is judged hangs
    /// on others, and a replay must say the same each time.
    pub fn until(&self, arrived: Instant, seen_ms: u64) -> u64 {
        match *self {
            Self::Live(since) => since.map_or(0, |since| {
                arrived.saturating_duration_since(since).as_millis() as u64
            }),
            Self::Recorded(since) => since.map_or(0, |since| seen_ms.saturating_sub(since)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_replay_counts_from_its_first_record_by_the_recorded_clock() {
        let mut watch = Watch::Recorded(None);
        let now = Instant::now();
        watch.ready();
        assert_eq!(watch.until(now, 500), 0);
        watch.record(1000);
        watch.record(1500);
        assert_eq!((watch.until(now, 900), watch.until(now, 1700)), (0, 700));
    }

    #[test]
    fn a_live_sensor_counts_from_when_it_was_ready_first_whatever_the_wall_clock_says() {
        let mut watch = Watch::Live(None);
        let before = Instant::now();
        watch.record(1000);
        assert_eq!(watch.until(before, u64::MAX), 0);
        watch.ready();
        let Watch::Live(Some(since)) = watch else {
            panic!("it is ready");
        };
        watch.ready();
        assert_eq!(watch.until(before, u64::MAX), 0);
        assert_eq!(watch.until(since + Duration::from_millis(700), 0), 700);
    }
}
