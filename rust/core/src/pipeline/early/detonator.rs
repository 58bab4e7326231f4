//! Calls new contracts on the current state, on a thread of its own, while they are young; what that shows reaches the
//! pipeline as `Item::Detonated`.

use super::Shared;
use super::again::keep;
use crate::config::DetonationConfig;
use crate::detonate::scheduler::{self, Limits, Outcome, Scheduler};
use crate::detonate::{Budget, Creation, Detonated, Subject, detonate};
use crate::evidence::{Deployment, Detonation, FoundContract, RecordedDetonation, Sighting};
use crate::inbox::{self, Item};
use crate::node::RpcError;
use crate::pipeline::clock::now_ms;
use crate::simulate::evm::StateError;
use crate::simulate::judge::simulator::Simulator;
use crate::simulate::state::Snapshot;
use crate::stats::Stats;
use crate::survey::receipts;
use crate::thread::{busy, give_way};
use alloy_primitives::Address;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select};
use revm::DatabaseRef;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What waits to be taken note of.
const WAITING: usize = 4_096;
/// Of the contracts that wait, the part that one deployer may have.
const OF_DEPLOYER: usize = 8;
/// What waits for a node's answers is charged a part of the time that passes: else what reads much that is not known would
/// seem cheap, and hold up the others.
const OF_WAITING: u32 = 4;
/// Whoever's time was over after fewer calls was hardly looked at.
const FEW: usize = 64;

/// A contract that is worth calling.
pub struct Suspect {
    pub deployment: Box<Deployment>,
    /// The pending transaction that creates it.
    pub creation: Option<Creation>,
    /// 0 to 1.
    pub suspicion: f32,
}

/// The end of whoever finds suspects: never waits. Its thread ends with it.
pub struct Detonator {
    suspects: Sender<Suspect>,
    stats: Arc<Stats>,
}

impl Detonator {
    /// With whom to tell of each state.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(
        config: &DetonationConfig,
        simulator: Simulator,
        shared: Shared,
    ) -> std::io::Result<(Self, Sender<()>)> {
        let (suspects, told) = bounded(WAITING);
        // Of several states the last one counts.
        let (states, there) = bounded(1);
        let stats = shared.stats.clone();
        let work = Work {
            scheduler: Scheduler::new(limits(config)),
            simulator,
            shared,
            early: Vec::new(),
            told: scheduler::Counts::default(),
        };
        std::thread::Builder::new()
            .name("ids-detonate".into())
            .spawn(move || work.run(&told, &there))?;
        Ok((Self { suspects, stats }, states))
    }

    pub fn offer(&self, suspect: Suspect) {
        if self.suspects.try_send(suspect).is_err() {
            self.stats.early.detonations_dropped.add(1);
        }
    }
}

fn limits(config: &DetonationConfig) -> Limits {
    Limits {
        contracts: config.contracts,
        per_deployer: (config.contracts / OF_DEPLOYER).max(1),
        young: config.young_blocks,
        head: Duration::from_millis(config.head_ms),
        each: Budget {
            calls: config.calls,
            gas: config.gas,
            time: Duration::from_millis(config.contract_ms),
            ..Budget::default()
        },
    }
}

struct Work {
    scheduler: Scheduler<Subject>,
    simulator: Simulator,
    shared: Shared,
    /// Of blocks whose state is not there yet.
    early: Vec<(u64, Suspect)>,
    /// What statistics were told of.
    told: scheduler::Counts,
}

impl Work {
    fn run(mut self, suspects: &Receiver<Suspect>, states: &Receiver<()>) {
        give_way();
        loop {
            // Whoever is new comes before who is called again.
            match suspects.try_recv() {
                Ok(suspect) => self.hear(suspect),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            if states.try_recv().is_ok() {
                self.go_on();
            }
            if suspects.is_empty() && !self.work() {
                select! {
                    recv(suspects) -> suspect => match suspect {
                        Ok(suspect) => self.hear(suspect),
                        Err(_) => return,
                    },
                    recv(states) -> state => match state {
                        Ok(()) => self.go_on(),
                        Err(_) => return,
                    },
                }
            }
            self.count();
        }
    }

    /// The state of a new head is there.
    fn go_on(&mut self) {
        let Some(block) = self.shared.state.block() else {
            return;
        };
        self.scheduler.head(block.number);
        let early = std::mem::take(&mut self.early).into_iter();
        let (now, later) = early.partition::<Vec<_>, _>(|(of, _)| *of <= block.number);
        self.early = later;
        now.into_iter().for_each(|(_, suspect)| self.add(suspect));
    }

    fn hear(&mut self, suspect: Suspect) {
        let of = match suspect.deployment.seen {
            Sighting::Mined { block, .. } => block,
            Sighting::Pending | Sighting::Simulated | Sighting::Gone => 0,
        };
        let known = self.shared.state.block().map_or(0, |block| block.number);
        if of <= known {
            self.add(suspect);
        } else if self.early.len() < WAITING {
            self.early.push((of, suspect));
        } else {
            self.shared.stats.early.detonations_dropped.add(1);
        }
    }

    fn add(&mut self, suspect: Suspect) {
        let Suspect {
            mut deployment,
            creation,
            suspicion,
        } = suspect;
        let (address, maker) = (deployment.address, deployment.maker());
        let mined = matches!(deployment.seen, Sighting::Mined { .. });
        let known = self.scheduler.contract(address);
        let is_other = known.is_some_and(|known| keep(&mut deployment, &known.deployment));
        let fails = creation.as_ref().is_some_and(|creation| creation.fails);
        let subject = Subject::new(Arc::from(deployment), creation);
        // What is learnt of the code stays as long as the code does.
        if let Some(known) = self.scheduler.contract(address) {
            known.is_as(&subject);
        }
        self.scheduler
            .add(address, maker, suspicion, mined, subject);
        if fails {
            self.scheduler.put_back(address);
        }
        if is_other {
            self.scheduler.renew(address);
        }
    }

    /// One detonation; whether there was one to do.
    fn work(&mut self) -> bool {
        let Some(task) = self.scheduler.task() else {
            return false;
        };
        let (address, mut subject) = (task.address, task.contract);
        let (begun, from) = (Instant::now(), busy());
        let attempt = AssertUnwindSafe(|| self.attempt(&mut subject, task.budget, task.is_new));
        let outcome = match std::panic::catch_unwind(attempt) {
            Ok(Some(outcome)) => outcome,
            Ok(None) => Outcome::Unfinished,
            // Our own mistake, which an attacker may have found: the others are called all the same.
            Err(_) => {
                self.shared.stats.early.detonations_dropped.add(1);
                self.scheduler.remove(address);
                return true;
            }
        };
        let took = charged(busy() - from, begun.elapsed());
        self.scheduler.done(address, subject, took, outcome);
        true
    }

    /// There is no code: its transaction failed, another one took its place, or it destroyed itself, which refutes nothing.
    /// It stays: on another branch of the chain it may be there.
    fn take_back(&self, subject: &mut Subject, deadline: Instant) {
        if subject.deployment.seen == Sighting::Gone {
            return;
        }
        let asked = receipts::question(subject.deployment.tx);
        let answer = self.shared.asker.wait(vec![asked], deadline).pop();
        let failed = match answer {
            Some(Ok(raw)) => receipts::one(&raw).is_some_and(|receipt| !receipt.succeeded()),
            Some(Err(error)) => error == RpcError::Null,
            None => false,
        };
        if !failed {
            return;
        }
        let deployment = Arc::make_mut(&mut subject.deployment);
        deployment.seen = Sighting::Gone;
        let gone = FoundContract {
            deployment: deployment.clone(),
            funding: Vec::new(),
            past_attacker: None,
            at_ms: now_ms(),
        };
        // A pipeline that is gone needs to know nothing.
        let item = Item::Deployed(Box::new(gone), None);
        self.shared.items.send(item).ok();
    }

    /// Nothing where the state could not be had.
    fn attempt(&mut self, subject: &mut Subject, budget: Budget, is_new: bool) -> Option<Outcome> {
        let Shared { state, asker, .. } = &self.shared;
        let block = state.block()?;
        let (begun, deadline) = (busy(), Instant::now() + budget.patience);
        let view = Snapshot::new(state, &block, Some((asker, deadline)));
        let is_settled = is_settled(&subject.deployment, &view);
        if is_settled {
            subject.was_mined();
        }
        // What a factory is to create is nowhere before.
        if subject.creation.is_none() && is_empty(&view, subject.deployment.address) {
            if !is_settled {
                return Some(Outcome::Absent);
            }
            self.take_back(subject, deadline);
            return Some(Outcome::Gone);
        }
        if is_settled {
            self.scheduler.was_mined(subject.deployment.address);
        }
        let done = detonate(subject, &view, &block.next, &mut self.simulator, budget);
        match done {
            Ok(done) => {
                let waited = Instant::now() >= deadline && busy() - begun < budget.time;
                let (cut, calls) = (done.detonation.cut, done.detonation.calls);
                Some(match self.tell(subject, done) {
                    Outcome::Proved => Outcome::Proved,
                    _ if cut && waited => Outcome::Starved,
                    _ if cut && is_new && hardly_begun(calls, budget.calls) => Outcome::Begun,
                    outcome => outcome,
                })
            }
            Err(StateError::Moved) => None,
            Err(_) => {
                self.shared.stats.early.detonations_failed.add(1);
                None
            }
        }
    }

    fn tell(&self, subject: &Subject, done: Detonated) -> Outcome {
        let Detonated {
            detonation,
            witness,
        } = done;
        let address = subject.deployment.address;
        let outcome = match (&detonation.proof, detonation.touched) {
            (Some(_), _) => Outcome::Proved,
            (None, 0) => Outcome::Nothing,
            (None, _) => Outcome::Concerning,
        };
        let stats = &self.shared.stats;
        stats.early.calls.add(detonation.calls as u64);
        stats.early.entered.add(u64::from(detonation.entered > 0));
        stats.early.guarded.add(u64::from(detonation.guarded > 0));
        stats
            .early
            .proved
            .add(u64::from(detonation.proof.is_some()));
        let record = self.shared.records.then(|| RecordedDetonation {
            address,
            calls: match &detonation.proof {
                Some(proof) => proof.calls.clone(),
                None => Vec::new(),
            },
            creation: subject.creation.as_ref().map(|one| (*one.tx).clone()),
            detonation: Detonation {
                proof: None,
                ..detonation.clone()
            },
            executed: witness,
        });
        let done = inbox::Detonated {
            address,
            detonation,
            record,
        };
        // A pipeline that is gone needs to know nothing.
        self.shared.items.send(Item::Detonated(Box::new(done))).ok();
        outcome
    }

    /// What the scheduler has counted since.
    fn count(&mut self) {
        let (now, before) = (self.scheduler.counts(), self.told);
        let stats = &self.shared.stats;
        stats.early.detonated.add(now.detonated - before.detonated);
        stats
            .early
            .detonations_dropped
            .add(now.dropped - before.dropped);
        stats.early.waiting.set(self.scheduler.unseen() as u64);
        self.told = now;
    }
}

/// What a detonation took, of the processor and by the clock.
fn charged(busy: Duration, passed: Duration) -> Duration {
    busy.max(passed / OF_WAITING)
}

/// Whether its time was over after so few calls, of so many that it may have, that it is worth another turn.
fn hardly_begun(calls: usize, most: usize) -> bool {
    calls < FEW.min(most)
}

/// Whether the state is one after the transaction that creates it, or another one that took its place.
fn is_settled(deployment: &Deployment, view: &impl DatabaseRef) -> bool {
    let deployer = view.basic_ref(deployment.deployer);
    let nonce = deployer.ok().flatten().map(|deployer| deployer.nonce);
    nonce.is_some_and(|nonce| nonce > deployment.nonce)
}

/// Whether it is known that there is no code.
fn is_empty(view: &impl DatabaseRef, address: Address) -> bool {
    let account = view.basic_ref(address);
    account.is_ok_and(|account| account.is_none_or(|account| account.is_empty_code_hash()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_hardly_began_is_none() {
        assert!(hardly_begun(4, 2_048));
        assert!(!hardly_begun(FEW, 2_048));
        assert!(!hardly_begun(4, 4), "that is all it may have");
    }

    #[test]
    fn who_waits_for_nodes_is_charged_for_it() {
        let millis = Duration::from_millis;
        assert_eq!(charged(millis(80), millis(100)), millis(80));
        assert_eq!(charged(millis(5), millis(1_000)), millis(250));
    }
}
