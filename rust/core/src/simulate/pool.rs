//! Simulations on threads of their own, each within its deadline.

mod fetched;
mod job;
mod queue;
pub mod suspect;
#[cfg(test)]
mod tests;
mod workshop;

use super::judge::simulator::Simulator;
use super::state::head::HeadState;
use super::state::keeper::Neighbourhood;
use crate::config::SimulationConfig;
use crate::evidence::{Failure, FailureKind};
use crate::inbox::queue::ItemSender;
use crate::node::Asker;
use crate::stats::Stats;
use fetched::Fetched;
use job::Job;
use queue::{Queue, Room};
use std::sync::Arc;
use std::time::{Duration, Instant};
use suspect::{Key, Suspect};
use workshop::Workshop;

/// The pool. Dropping it lets its threads end; what waits then has no simulation.
pub struct Pool {
    shared: Arc<Workshop>,
    room: Room,
    deadline: Duration,
}

impl Pool {
    /// One thread for each of `simulators`. Results arrive as `Item::Simulated`.
    #[allow(clippy::too_many_arguments)] // One caller, which owns them all.
    pub fn start(
        config: &SimulationConfig,
        simulators: Vec<Simulator>,
        state: Arc<HeadState>,
        neighbourhood: Arc<Neighbourhood>,
        asker: Asker,
        items: ItemSender,
        stats: Arc<Stats>,
        records: bool,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Workshop {
            queue: Queue::default(),
            state,
            neighbourhood,
            asker,
            prefetch: Arc::default(),
            items,
            stats,
            executor: config.backend,
            fetched: Fetched::default(),
            records,
        });
        let pool = Self {
            shared,
            room: Room {
                jobs: config.queue,
                per_sender: config.per_sender,
            },
            deadline: Duration::from_millis(config.deadline_ms),
        };
        for simulator in simulators {
            let shared = pool.shared.clone();
            std::thread::Builder::new()
                .name("ids-simulate".into())
                .spawn(move || shared.work(simulator))?;
        }
        Ok(pool)
    }

    /// Has a suspect simulated. Never waits, and always has an answer: an item later, or now who will have none. That is
    /// the suspect itself, or an older one that gives way to it.
    pub fn offer(&self, suspect: Suspect) -> Option<(Key, Failure)> {
        let now = Instant::now();
        let job = Job::new(suspect, now, now + self.deadline);
        let (job, kind) = match self.shared.queue.offer(job, self.room) {
            Ok(None) => return None,
            Ok(Some(other)) => (other, FailureKind::Queue),
            Err(refused) => *refused,
        };
        Some((job.suspect.key(), refused(kind)))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

fn refused(kind: FailureKind) -> Failure {
    let reason = match kind {
        FailureKind::Quota => "too many others of its sender wait",
        FailureKind::Queue => "too many others wait",
        _ => "the sensor stops",
    };
    Failure::new(kind, reason)
}
