//! Why the sensor does not work any more.

use serde::Serialize;

/// Our own code failed in a thread that nothing works without: a dead pipeline must not look like a quiet day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    pub thread: &'static str,
    /// For people; bounded in length.
    pub reason: String,
}
