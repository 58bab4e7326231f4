//! What one detonation may take.

use std::time::Duration;

/// Of one contract on one head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Calls made, arming ones and repeated ones counted.
    pub calls: usize,
    /// Gas that they use together.
    pub gas: u64,
    /// Gas of one call at first; one that runs out of it is tried again, last, with `most_gas`.
    pub call_gas: u64,
    pub most_gas: u64,
    /// Processor time after which no other call is begun.
    pub time: Duration,
    /// The same by the clock, nodes' answers included; a call that runs is ended then.
    pub patience: Duration,
    /// Calls that are judged, and how much longer all that may take.
    pub judged: usize,
    pub judging: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            calls: 2_048,
            gas: 200_000_000,
            call_gas: 2_000_000,
            most_gas: 16_000_000,
            time: Duration::from_millis(100),
            patience: Duration::from_secs(1),
            judged: 16,
            judging: Duration::from_millis(250),
        }
    }
}
