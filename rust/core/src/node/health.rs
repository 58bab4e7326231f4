//! Whether a node answers: one that does not is asked last.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A node that did not answer is asked last for this long: each question to it may cost a whole timeout.
const REST: Duration = Duration::from_secs(30);
/// Less than this is no time to answer in.
const SOME_TIME: Duration = Duration::from_millis(100);

/// Whether a node answers.
#[derive(Default)]
pub struct Health(Cell<Option<Instant>>);

impl Health {
    pub fn is_down(&self) -> bool {
        self.0.get().is_some_and(|at| at.elapsed() < REST)
    }

    pub fn watch(&self) -> Watch<'_> {
        Watch {
            health: self,
            since: Instant::now(),
            answered: None,
        }
    }
}

/// One question to a node. Where nobody waits for the answer any longer, the node is down if it had some time.
pub struct Watch<'a> {
    health: &'a Health,
    since: Instant,
    pub answered: Option<bool>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let down = match self.answered {
            Some(answered) => !answered,
            None if self.since.elapsed() < SOME_TIME => return,
            None => true,
        };
        self.health.0.set(down.then(Instant::now));
    }
}
