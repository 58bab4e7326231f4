//! What time it is for the pipeline: durations that no step of the host's clock stretches, and dates for people.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Unix milliseconds by the host's clock; 0 where that is set before 1970.
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}

/// One moment by both.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub elapsed_ms: u64,
    pub unix_ms: u64,
}

/// Live by the host's clocks, in a replay as far as the recording has come.
#[derive(Debug)]
pub enum Clock {
    Live {
        since: Instant,
        wall: fn() -> SystemTime,
    },
    /// The latest time in what is replayed, Unix milliseconds.
    Recorded { latest_ms: u64 },
}

impl Clock {
    pub fn live() -> Self {
        Self::Live {
            since: Instant::now(),
            wall: SystemTime::now,
        }
    }

    /// Milliseconds that only grow, from an arbitrary beginning: for whatever has a deadline.
    pub fn elapsed_ms(&self) -> u64 {
        match self {
            Self::Live { since, .. } => since.elapsed().as_millis() as u64,
            Self::Recorded { latest_ms } => *latest_ms,
        }
    }

    /// Unix milliseconds, for people: the host may step it.
    pub fn unix_ms(&self) -> u64 {
        match self {
            Self::Live { wall, .. } => wall()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as u64),
            Self::Recorded { latest_ms } => *latest_ms,
        }
    }

    pub fn now(&self) -> Now {
        Now {
            elapsed_ms: self.elapsed_ms(),
            unix_ms: self.unix_ms(),
        }
    }

    /// Something was recorded at this time.
    pub fn recorded(&mut self, at_ms: u64) {
        if let Self::Recorded { latest_ms } = self {
            *latest_ms = at_ms.max(*latest_ms);
        }
    }
}
