//! Simulations on threads of their own, each within its deadline.

mod fetched;
mod queue;
pub mod suspect;
#[cfg(test)]
mod tests;

use super::evm::StateError;
use super::evm::backend::{Backend, Local, Remote};
use super::evm::environment::Environment;
use super::evm::transaction::from_pending;
use super::judge::simulator::{Simulator, Step, Unfinished};
use super::state::head::{HeadBlock, HeadState};
use super::state::keeper::Neighbourhood;
use super::state::prefetch::Prefetch;
use super::state::{RecordedState, Recording, Snapshot, prefetch};
use crate::config::{Executor, SimulationConfig};
use crate::evidence::{
    Before, Failure, FailureKind, RecordedSimulation, SimulationResult, Witness,
};
use crate::inbox::Item;
use crate::inbox::queue::ItemSender;
use crate::node::Asker;
use crate::stats::Stats;
use crate::thread::{busy, give_way};
use crate::tx::Extras;
use alloy_primitives::B256;
use bytes::Bytes;
use fetched::{Answer, Fetched};
use queue::{Queue, Room};
use revm::DatabaseRef;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use suspect::Suspect;

/// Blocks that the state may be older than the head.
const BEHIND: u64 = 2;
/// Between two looks for the first block.
const START: Duration = Duration::from_millis(2);
/// Questions about state that a node did not foresee: so many are no accident where time ran out, and so many are asked.
const FEW: usize = 16;
const UNFORESEEN: usize = 64;
/// Attempts on heads that moved on meanwhile.
const ATTEMPTS: u32 = 4;

/// A suspect on its way.
pub struct Job {
    suspect: Suspect,
    /// Of the transactions before it and its own, read at the first attempt.
    extras: Option<Vec<Extras>>,
    since: Instant,
    deadline: Instant,
    /// Its state has been asked for: the head it was asked of, and what a node answered.
    fetched: Option<(B256, Option<Answer>)>,
    /// The node told all that it reads on this head.
    foreseen: Option<B256>,
    /// What the node told has a monitored contract in it.
    touches: bool,
    attempts: u32,
}

impl Job {
    fn new(suspect: Suspect, since: Instant, deadline: Instant) -> Self {
        Self {
            suspect,
            extras: None,
            since,
            deadline,
            fetched: None,
            foreseen: None,
            touches: false,
            attempts: 0,
        }
    }

    /// Reads what is in the JSON of the suspect and of what comes before it, once.
    fn read_extras(&mut self) -> Result<(), String> {
        if self.extras.is_some() {
            return Ok(());
        }
        let read = |raw: Option<(Bytes, bool)>| match raw {
            Some((json, is_notification)) => Extras::of_json(&json, is_notification),
            None => Ok(Extras::default()),
        };
        let raws = self.suspect.before.iter_mut();
        let raws = raws.map(|earlier| earlier.raw.take());
        let raws = raws.chain([self.suspect.raw.take()]);
        self.extras = Some(raws.map(read).collect::<Result<_, _>>()?);
        Ok(())
    }

    /// What is executed: of the transactions before it those that no block has yet, and the suspect.
    fn sequence(&self, state: &Snapshot) -> Result<Vec<Step<'_>>, StateError> {
        let extras = self.extras.as_deref().unwrap_or_default();
        let before = self.suspect.before.iter().map(|earlier| &earlier.tx);
        let all = before.chain([&self.suspect.tx]).zip(extras);
        let mut steps: Vec<_> = all.map(|(tx, extras)| Step { tx, extras }).collect();
        let Some(suspect) = steps.pop() else {
            return Ok(steps);
        };
        let mut pending = Vec::with_capacity(steps.len() + 1);
        for step in steps {
            let sender = state.basic_ref(step.tx.from)?;
            if step.tx.nonce >= sender.map_or(0, |sender| sender.nonce) {
                pending.push(step);
            }
        }
        pending.push(suspect);
        Ok(pending)
    }
}

/// What all threads share.
struct Workshop {
    queue: Queue,
    state: Arc<HeadState>,
    neighbourhood: Arc<Neighbourhood>,
    asker: Asker,
    prefetch: Arc<Prefetch>,
    items: ItemSender,
    stats: Arc<Stats>,
    executor: Executor,
    fetched: Fetched,
    /// Whether what was read is handed over too.
    records: bool,
}

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
    pub fn offer(&self, suspect: Suspect) -> Option<(B256, Failure)> {
        let now = Instant::now();
        let job = Job::new(suspect, now, now + self.deadline);
        let (job, kind) = match self.shared.queue.offer(job, self.room) {
            Ok(None) => return None,
            Ok(Some(other)) => (other, FailureKind::Queue),
            Err(refused) => *refused,
        };
        Some((job.suspect.tx.hash, refused(kind)))
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

impl Workshop {
    fn work(self: Arc<Self>, mut simulator: Simulator) {
        give_way();
        while let Some(job) = self.queue.next() {
            let tx = job.suspect.tx.clone();
            let attempt = AssertUnwindSafe(|| self.attempt(&mut simulator, job));
            if std::panic::catch_unwind(attempt).is_err() {
                // Our own mistake, which an attacker may have found: the next suspect is judged all the same.
                self.queue.end(&tx.from);
                let mut failure = Failure::new(FailureKind::Budget, "internal error");
                failure.touched = true;
                self.tell(tx.hash, Instant::now(), Err(failure), None);
            }
        }
    }

    /// Executes a job on what is known of the state; where that does not do, has the rest fetched and puts it off.
    fn attempt(self: &Arc<Self>, simulator: &mut Simulator, mut job: Job) {
        if let Err(reason) = job.read_extras() {
            let failure = Failure::new(FailureKind::State, reason);
            return self.end(job, Err(failure), None);
        }
        loop {
            if Instant::now() >= job.deadline {
                return self.end(job, Err(late()), None);
            }
            let Some(block) = self.first_block(job.deadline) else {
                let failure = Failure::new(FailureKind::NotReady, "no block is known yet");
                return self.end(job, Err(failure), None);
            };
            if self.state.behind(&block) > BEHIND {
                let failure = Failure::new(FailureKind::NotReady, "the state is some blocks old");
                return self.end(job, Err(failure), None);
            }
            if let Some((head, raw)) = &mut job.fetched
                && let Some(raw) = raw.take()
            {
                if let Ok(accounts) = prefetch::accounts(&raw) {
                    let mut read = accounts.keys();
                    job.touches |= read.any(|address| simulator.monitors(address));
                    // For another head than the current one it is of no use. What comes before it is not foreseen.
                    if self.state.learn_all(head, accounts).is_ok() && job.suspect.before.is_empty()
                    {
                        job.foreseen = Some(*head);
                    }
                }
            }
            let asks = job.fetched.as_ref().map(|_| (&self.asker, job.deadline));
            let foreseen = job.foreseen == Some(block.hash);
            let most = if foreseen { UNFORESEEN } else { usize::MAX };
            let view = Snapshot::new(&self.state, &block, asks).asking_at_most(most);
            let (sequence, begun) = (job.sequence(&view), busy());
            let recording = Recording::new(view);
            let local = Local(&recording);
            let remote = Remote {
                asker: &self.asker,
                method: self.executor,
                block: block.hash,
            };
            let backend: &dyn Backend = match self.executor {
                Executor::Revm => &local,
                _ => &remote,
            };
            let done = sequence.map_err(Unfinished::State).and_then(|sequence| {
                let done = simulator.simulate(backend, &block.next, &sequence, job.deadline)?;
                Ok((done, sequence))
            });
            let failure = match done {
                Ok((simulation, sequence)) => {
                    let read = recording.into_read();
                    if !simulation.touched.is_empty() {
                        self.neighbourhood.add(read.accounts.keys().copied());
                    }
                    let recorded = self.records && self.executor == Executor::Revm;
                    let executed = recorded.then(|| executed(&block.next, read, &sequence));
                    return self.end(job, Ok(simulation), executed);
                }
                Err(Unfinished::State(StateError::Unknown)) if job.fetched.is_none() => {
                    return self.fetch(job, &block);
                }
                Err(Unfinished::State(StateError::Moved)) if job.attempts < ATTEMPTS => {
                    job.attempts += 1;
                    continue;
                }
                Err(Unfinished::State(error)) => {
                    let late = Instant::now() >= job.deadline;
                    let many = foreseen && recording.state().asked() > FEW;
                    match error {
                        StateError::Unforeseen => unforeseen(&error),
                        _ if late && many => unforeseen(&StateError::Unforeseen),
                        _ if late => self::late(),
                        _ => error.into(),
                    }
                }
                Err(Unfinished::Failed(failure)) => {
                    blame(failure, busy() - begun, job.deadline - job.since)
                }
            };
            let touched = failure.touched || job.touches;
            return self.end(job, Err(Failure { touched, ..failure }), None);
        }
    }

    /// The block whose state is known. Right after the start there is none yet, and nothing that could be done meanwhile.
    fn first_block(&self, deadline: Instant) -> Option<Arc<HeadBlock>> {
        loop {
            let block = self.state.block();
            if block.is_some() || Instant::now() >= deadline {
                return block;
            }
            std::thread::sleep(START);
        }
    }

    fn fetch(self: &Arc<Self>, job: Job, block: &HeadBlock) {
        self.stats.state_fetches.add(1);
        let (shared, head, deadline) = (self.clone(), block.hash, job.deadline);
        let extras = job.extras.as_ref().and_then(|all| all.last());
        let transaction = from_pending(&job.suspect.tx, extras.cloned().unwrap_or_default());
        let params = prefetch::params(&transaction, &head, &block.next);
        self.prefetch
            .ask(&self.asker, params, deadline, move |answer| {
                // Without room it is asked for piece by piece.
                let fetched = Some((head, answer.and_then(|raw| shared.fetched.hold(raw))));
                shared.queue.put_back(Job { fetched, ..job });
            });
    }

    fn end(
        &self,
        job: Job,
        result: Result<crate::evidence::Simulation, Failure>,
        executed: Option<Witness>,
    ) {
        self.queue.end(&job.suspect.tx.from);
        self.tell(job.suspect.tx.hash, job.since, result, executed);
    }

    fn tell(
        &self,
        hash: B256,
        since: Instant,
        result: Result<crate::evidence::Simulation, Failure>,
        executed: Option<Witness>,
    ) {
        let failure = match (&result, &executed) {
            (Err(failure), _) => Some(failure.clone()),
            // What the node read is not known.
            (Ok(_), None) => Some(Failure::new(FailureKind::NotReady, "executed by a node")),
            (Ok(_), Some(_)) => None,
        };
        let record = self.records.then_some(RecordedSimulation {
            hash,
            failure,
            executed,
        });
        let simulated = SimulationResult {
            hash,
            result: result.map(Box::new),
            took_us: since.elapsed().as_nanos() as f64 / 1000.0,
            record: record.map(Box::new),
        };
        // A pipeline that is gone needs no result.
        self.items.send(Item::Simulated(Box::new(simulated))).ok();
    }
}

fn executed(environment: &Environment, read: RecordedState, sequence: &[Step]) -> Witness {
    let (suspect, before) = sequence.split_last().expect("the suspect is in it");
    let before = before.iter().map(|step| Before {
        hash: step.tx.hash,
        extras: step.extras.clone(),
    });
    Witness::new(environment, read, suspect.extras.clone(), before.collect())
}

/// What spent a good part of its time on its own work takes too long to execute, whoever is asked; what waited, for a
/// node or for the processor, may not.
fn blame(mut failure: Failure, worked: Duration, time: Duration) -> Failure {
    if failure.kind == FailureKind::Deadline && worked >= time / 4 {
        failure.kind = FailureKind::Budget;
    }
    failure
}

/// To read what no node can foresee is a way to use up the time.
fn unforeseen(error: &StateError) -> Failure {
    Failure::new(FailureKind::Budget, error.to_string())
}

fn late() -> Failure {
    Failure::new(FailureKind::Deadline, "not done within its deadline")
}
