//! What is done with a job: looked at on what is known of the state, else put off until the rest has been fetched.

use super::fetched::Fetched;
use super::job::Job;
use super::queue::Queue;
use super::suspect::Key;
use crate::config::Executor;
use crate::evidence::{
    Before, Failure, FailureKind, Identity, RecordedSimulation, Response, Simulation,
    SimulationResult, Witness,
};
use crate::inbox::Item;
use crate::inbox::queue::ItemSender;
use crate::node::Asker;
use crate::simulate::evm::StateError;
use crate::simulate::evm::backend::{Backend, Local, Remote};
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::transaction::from_pending;
use crate::simulate::judge::simulator::{Simulator, Step, Unfinished};
use crate::simulate::state::head::{HeadBlock, HeadState, Place};
use crate::simulate::state::keeper::Neighbourhood;
use crate::simulate::state::prefetch::Prefetch;
use crate::simulate::state::{RecordedState, Recording, Snapshot, prefetch};
use crate::stats::Stats;
use crate::thread::{busy, give_way};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Blocks that the state may be older than the head.
const BEHIND: u64 = 2;
/// Between two looks for the first block.
const START: Duration = Duration::from_millis(2);
/// Questions about state that a node did not foresee: so many are no accident where time ran out, and so many are asked.
const FEW: usize = 16;
pub(super) const UNFORESEEN: usize = 64;
/// Attempts on heads that moved on meanwhile.
const ATTEMPTS: u32 = 4;

/// What all threads share.
pub struct Workshop {
    pub queue: Queue,
    pub state: Arc<HeadState>,
    pub neighbourhood: Arc<Neighbourhood>,
    pub asker: Asker,
    pub prefetch: Arc<Prefetch>,
    pub items: ItemSender,
    pub stats: Arc<Stats>,
    pub executor: Executor,
    pub fetched: Fetched,
    /// Whether what was read is handed over too.
    pub records: bool,
}

impl Workshop {
    pub fn work(self: Arc<Self>, mut simulator: Simulator) {
        give_way();
        while let Some(job) = self.queue.next() {
            let (key, sender) = (job.suspect.key(), job.suspect.tx.from);
            let attempt = AssertUnwindSafe(|| self.attempt(&mut simulator, job));
            if std::panic::catch_unwind(attempt).is_err() {
                // Our own mistake, which an attacker may have found: the next suspect is judged all the same.
                self.queue.end(&sender);
                let mut failure = Failure::new(FailureKind::Budget, "internal error");
                failure.touched = true;
                let done = Done {
                    key,
                    identity: Identity::default(),
                    since: Instant::now(),
                    mined: false,
                };
                self.tell(done, Err(failure), None);
            }
        }
    }

    /// Executes a job on what is known of the state; where that does not do, has the rest fetched and puts it off.
    pub(super) fn attempt(self: &Arc<Self>, simulator: &mut Simulator, mut job: Job) {
        if let Err(failure) = job.read_originals() {
            return self.end(job, Err(failure), None);
        }
        loop {
            let deadlines = job.deadlines();
            if Instant::now() >= deadlines.verdict {
                return self.end(job, Err(late()), None);
            }
            let Some(block) = self.first_block(deadlines.verdict) else {
                let failure = Failure::new(FailureKind::NotReady, "no block is known yet");
                return self.end(job, Err(failure), None);
            };
            let block = self.met(&mut job, block);
            if self.state.behind(&block) > BEHIND {
                let failure = Failure::new(FailureKind::NotReady, "the state is some blocks old");
                return self.end(job, Err(failure), None);
            }
            if let Some((head, raw)) = &mut job.fetched
                && let Some(raw) = raw.take()
                && let Ok(accounts) = prefetch::accounts(&raw)
            {
                let mut read = accounts.keys();
                job.touches |= read.any(|address| simulator.monitors(address));
                // For another head than the current one it is of no use. What comes before it is not foreseen.
                let place = Place {
                    hash: head,
                    is_parent: job.met.is_some(),
                };
                if self.state.learn_all(place, accounts).is_ok() && job.suspect.before.is_empty() {
                    job.foreseen = Some(*head);
                }
            }
            let asks = job
                .fetched
                .as_ref()
                .map(|_| (&self.asker, deadlines.verdict));
            let foreseen = job.foreseen == Some(block.hash);
            let few = foreseen || job.judged.is_some();
            let most = if few { UNFORESEEN } else { usize::MAX };
            let view = Snapshot::new(&self.state, &block, asks)
                .at_parent(job.met.is_some())
                .asking_at_most(most);
            if self.looks_back(&mut job, &block, &view) {
                continue;
            }
            let (sequence, begun) = (job.sequence(&view, block.next.block.basefee), busy());
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
                let (score, next) = (job.suspect.score, &block.next);
                simulator.taken.clone_from(&job.suspect.taken);
                let done = simulator.simulate_until(backend, next, &sequence, score, deadlines)?;
                Ok((done, sequence))
            });
            let failure = match done {
                Ok((mut simulation, sequence)) => {
                    if job.met.is_some() {
                        simulation.was_mined(job.suspect.tx.nonce);
                    }
                    let read = recording.into_read();
                    if !simulation.touched.is_empty() {
                        self.neighbourhood.add(read.accounts.keys().copied());
                    }
                    let recorded = self.records && self.executor == Executor::Revm;
                    let executed = recorded.then(|| executed(&block.next, read, &sequence));
                    let now = Instant::now();
                    // Until the verdict was due its reads were bounded by that; the question has longer.
                    let hurried = now >= deadlines.verdict && now < deadlines.answer;
                    let asks_on = match &simulation.response {
                        Some(Response::Unasked(unasked)) => unasked.missing || hurried,
                        _ => false,
                    };
                    if !asks_on {
                        return self.end(job, Ok(simulation), executed);
                    }
                    // The verdict stands, whatever becomes of the question: what that reads is asked for piece by piece.
                    job.judged = Some(Box::new((simulation, executed)));
                    job.fetched.get_or_insert((block.hash, None));
                    job.attempts += 1;
                    match job.attempts <= ATTEMPTS {
                        true => continue,
                        false => return self.end(job, Err(late()), None),
                    }
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

    /// On which state a job is looked at: that which it met, while it is still that before the head.
    fn met(&self, job: &mut Job, head: Arc<HeadBlock>) -> Arc<HeadBlock> {
        let parent = self.state.parent(&head.hash).map(|parent| parent.hash);
        job.met.take_if(|met| Some(met.hash) != parent);
        job.met.clone().unwrap_or(head)
    }

    /// Whether the head has what is looked at: on the state after it an attack would find nothing left to take, and who
    /// withdrew nothing left to withdraw.
    fn looks_back(&self, job: &mut Job, block: &HeadBlock, view: &Snapshot) -> bool {
        if job.met.is_some() || job.attempts >= ATTEMPTS || !job.is_used(view) {
            return false;
        }
        job.met = self.state.parent(&block.hash);
        job.attempts += u32::from(job.met.is_some());
        job.fetched.take_if(|_| job.met.is_some());
        job.met.is_some()
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
        mut job: Job,
        mut result: Result<Simulation, Failure>,
        mut executed: Option<Witness>,
    ) {
        self.queue.end(&job.suspect.tx.from);
        if let (Err(_), Some(judged)) = (&result, job.judged.take()) {
            let simulation;
            (simulation, executed) = *judged;
            result = Ok(simulation);
        }
        let done = Done {
            key: job.suspect.key(),
            identity: job.identity,
            since: job.since,
            mined: job.met.is_some(),
        };
        self.tell(done, result, executed);
    }

    fn tell(&self, done: Done, result: Result<Simulation, Failure>, executed: Option<Witness>) {
        let Done {
            key: (hash, fingerprint),
            identity,
            since,
            mined,
        } = done;
        let failure = match (&result, &executed) {
            (Err(failure), _) => Some(failure.clone()),
            // What the node read is not known.
            (Ok(_), None) => Some(Failure::new(FailureKind::NotReady, "executed by a node")),
            (Ok(_), Some(_)) => None,
        };
        let response = result.as_ref().ok().and_then(|done| done.response.as_ref());
        let unasked = response.and_then(|response| match response {
            Response::Unasked(unasked) => Some(unasked.why.clone().into_owned()),
            Response::Answered(_) => None,
        });
        let record = self.records.then_some(RecordedSimulation {
            hash,
            signer: identity.signer,
            failure,
            executed,
            unasked,
            mined,
        });
        let simulated = SimulationResult {
            hash,
            fingerprint,
            identity,
            result: result.map(Box::new),
            took_us: since.elapsed().as_nanos() as f64 / 1000.0,
            record: record.map(Box::new),
        };
        // A pipeline that is gone needs no result.
        self.items.send(Item::Simulated(Box::new(simulated))).ok();
    }
}

/// A job that is over.
struct Done {
    key: Key,
    identity: Identity,
    since: Instant,
    /// A block had it.
    mined: bool,
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
