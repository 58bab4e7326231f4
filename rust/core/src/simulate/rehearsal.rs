//! Every configured pause, executed on each new head: so that it is known whether it would work now, and what it reads is at
//! hand when it is asked about.

use super::evm::StateError;
use super::evm::backend::{Backend, Local};
use super::evm::environment::Environment;
use super::evm::execute::{Execution, Exit};
use super::evm::tracer::Bounds;
use super::evm::transaction::from_pause;
use super::evm::views::Views;
use super::judge::response::{Candidate, tried};
use super::state::head::{HeadBlock, HeadState};
use super::state::keeper::Neighbourhood;
use super::state::{Recording, Snapshot};
use crate::config::{MonitoredContract, Pause, SimulationConfig};
use crate::evidence::TriedPause;
use crate::node::Asker;
use crate::thread::give_way;
use crossbeam_channel::{Receiver, Sender, bounded};
use revm::DatabaseRef;
use revm::primitives::hardfork::SpecId;
use serde::Serialize;
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long one may wait for nodes.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a contract's pause went when it was tried last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rehearsal {
    pub contract: Arc<str>,
    /// The call goes through, and where there is a check, it says so afterwards.
    pub succeeds: bool,
    /// The check says so before. A second pause may well fail then.
    pub paused: bool,
    /// Spent, before refunds, by the rules of the next block and by Amsterdam's. Nothing where it fails by these.
    pub gas: Option<u64>,
    pub gas_amsterdam: Option<u64>,
    /// On whose state; 0 before the first.
    pub block: u64,
    /// Unix milliseconds; 0 before the first.
    pub at_ms: u64,
    /// Why it fails, or why there is no newer one.
    pub reason: Option<String>,
}

impl Rehearsal {
    fn none(contract: Arc<str>) -> Self {
        Self {
            contract,
            succeeds: false,
            paused: false,
            gas: None,
            gas_amsterdam: None,
            block: 0,
            at_ms: 0,
            reason: Some("not rehearsed yet".into()),
        }
    }
}

/// The latest of each contract, for whoever asks.
#[derive(Debug, Default)]
pub struct Rehearsals(Mutex<Vec<Rehearsal>>);

impl Rehearsals {
    pub fn latest(&self) -> Vec<Rehearsal> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }

    fn change(&self, at: usize, change: impl FnOnce(&mut Rehearsal)) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = latest.get_mut(at) {
            change(latest);
        }
    }
}

/// The contracts that have a pause, and how they are rehearsed.
pub struct Stage {
    pauses: Vec<(Arc<str>, Pause)>,
    limits: SimulationConfig,
    state: Arc<HeadState>,
    neighbourhood: Arc<Neighbourhood>,
    asker: Asker,
    results: Arc<Rehearsals>,
    /// Which is the next: nodes may be too slow for all of them between two heads.
    next: Cell<usize>,
}

impl Stage {
    pub fn new(
        contracts: &[MonitoredContract],
        limits: &SimulationConfig,
        state: Arc<HeadState>,
        neighbourhood: Arc<Neighbourhood>,
        asker: Asker,
        results: Arc<Rehearsals>,
    ) -> Self {
        let pauses = contracts.iter().filter_map(|contract| {
            let name: Arc<str> = contract.name.as_str().into();
            Some((name, contract.pause.clone()?))
        });
        let pauses: Vec<_> = pauses.collect();
        let names = pauses.iter().map(|(name, _)| name.clone());
        let none = names.map(Rehearsal::none).collect();
        *results.0.lock().unwrap_or_else(PoisonError::into_inner) = none;
        Self {
            pauses,
            limits: limits.clone(),
            state,
            neighbourhood,
            asker,
            results,
            next: Cell::new(0),
        }
    }

    /// On a thread of its own, which ends with whoever tells it of heads; nothing where there is no pause.
    pub fn start(self) -> std::io::Result<Option<Sender<()>>> {
        if self.pauses.is_empty() {
            return Ok(None);
        }
        // A head that comes meanwhile is looked at afterwards, and of several the last.
        let (heads, told) = bounded(1);
        std::thread::Builder::new()
            .name("ids-rehearse".into())
            .spawn(move || self.run(&told))?;
        Ok(Some(heads))
    }

    fn run(&self, told: &Receiver<()>) {
        give_way();
        while told.recv().is_ok() {
            let all = AssertUnwindSafe(|| self.all());
            if std::panic::catch_unwind(all).is_err() {
                self.fail(0..self.pauses.len(), "internal error");
            }
        }
    }

    fn all(&self) {
        let Some(block) = self.state.block() else {
            return;
        };
        for _ in 0..self.pauses.len() {
            let at = self.next.get() % self.pauses.len();
            let (name, pause) = &self.pauses[at];
            match self.one((name, pause), &block) {
                Ok(rehearsal) => self.results.change(at, |latest| *latest = rehearsal),
                // The next head is told of as well.
                Err(StateError::Moved) => return,
                Err(error) => self.fail(at..at + 1, &error.to_string()),
            }
            self.next.set(at + 1);
        }
    }

    fn fail(&self, which: std::ops::Range<usize>, why: &str) {
        for at in which {
            self.results
                .change(at, |latest| latest.reason = Some(why.into()));
        }
    }

    fn one(&self, pause: Candidate, block: &HeadBlock) -> Result<Rehearsal, StateError> {
        let deadline = Instant::now() + PATIENCE;
        let bounds = Bounds {
            deadline,
            frames: self.limits.frames,
            bytes: self.limits.bytes,
            accesses: self.limits.accesses,
        };
        let view = Snapshot::new(&self.state, block, Some((&self.asker, deadline)));
        let recording = Recording::new(view);
        let done = rehearse(&recording, &block.next, pause, bounds);
        let read = recording.into_read().accounts;
        self.neighbourhood.add(read.into_keys());
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Rehearsal {
            block: block.number,
            at_ms: now.map_or(0, |now| now.as_millis() as u64),
            ..done?
        })
    }
}

/// On this state, by the rules of this block and by Amsterdam's.
pub fn rehearse<S: DatabaseRef<Error = StateError>>(
    state: &S,
    environment: &Environment,
    pause: Candidate,
    bounds: Bounds,
) -> Result<Rehearsal, StateError> {
    let (done, reason) = execute(state, environment, pause, bounds)?;
    let mut later = environment.clone();
    later.fork = later.fork.max(SpecId::AMSTERDAM);
    // As much as it needs: a limit that was enough need not be.
    let unlimited = Pause {
        gas: None,
        ..pause.1.clone()
    };
    let (after, _) = execute(state, &later, (pause.0, &unlimited), bounds)?;
    let gas = |done: &TriedPause| done.succeeds.then_some(done.gas);
    Ok(Rehearsal {
        succeeds: done.succeeds,
        paused: done.already_paused,
        gas: gas(&done),
        gas_amsterdam: gas(&after),
        reason: match (done.succeeds, done.already_paused) {
            (true, _) => None,
            (false, true) => Some(format!("paused already; {reason}")),
            (false, false) => Some(reason),
        },
        ..Rehearsal::none(done.contract)
    })
}

fn execute<S: DatabaseRef<Error = StateError>>(
    state: &S,
    environment: &Environment,
    pause: Candidate,
    bounds: Bounds,
) -> Result<(TriedPause, String), StateError> {
    let call = from_pause(pause.1, environment);
    let mut done = None;
    let mut look = |execution: Execution, views: &dyn Views| {
        let reason = match &execution.exit {
            Exit::Succeeded => "the check does not say that it is paused".to_owned(),
            other => other.to_string(),
        };
        done = Some((tried(&pause, &execution, views), reason));
    };
    Local(state).execute(environment, &[call], &[pause.1.from], bounds, &mut look)?;
    done.ok_or_else(|| StateError::Node("it was not executed".into()))
}

#[cfg(test)]
mod tests;
