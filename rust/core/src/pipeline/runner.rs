//! Who simulates what triage submits: threads beside a live pipeline, or the recording.

use super::early::{self, Parts, Scout};
use super::triage::Awaited;
use crate::chain::ChainSpec;
use crate::classify::CodeScorer;
use crate::config::{LiveConfig, SensorConfig, SimulationConfig, SourceConfig};
use crate::error::Error;
use crate::evidence::{
    Detonation, Failure, FailureKind, Identity, RecordedDetonation, RecordedSimulation, Response,
    Simulation, Unasked, Witness,
};
use crate::inbox::queue::ItemSender;
use crate::node::Asker;
use crate::signatures::RuleSet;
use crate::simulate::evm::backend::Local;
use crate::simulate::judge::simulator::{Simulator, Step, Unfinished};
use crate::simulate::pool::Pool;
use crate::simulate::pool::suspect::{Earlier, Key, Suspect, credible};
use crate::simulate::rehearsal::{Rehearsals, Stage};
use crate::simulate::state::head::HeadState;
use crate::simulate::state::keeper::{Keeper, Neighbourhood};
use crate::stats::Stats;
use crate::tx::PendingTransaction;
use alloy_primitives::B256;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// A replay has no hurry: what the capture says was done in time is done.
const REPLAY: Duration = Duration::from_secs(60);

pub enum Runner {
    Live {
        pool: Pool,
        keeper: Keeper,
        /// Absent where nobody looks for new contracts.
        scout: Option<Scout>,
    },
    Replay(Box<Simulator>),
}

impl Runner {
    /// Threads of their own, and questions on connections of their own.
    ///
    /// # Errors
    /// [`Error::Config`]: a URL cannot be used. [`Error::Io`]: no thread can be had.
    #[allow(clippy::too_many_arguments)] // One caller, which owns them all.
    pub fn live(
        config: &SensorConfig,
        chain: &Arc<ChainSpec>,
        live: &LiveConfig,
        simulation: &SimulationConfig,
        simulators: Vec<Simulator>,
        items: &ItemSender,
        stats: &Arc<Stats>,
        rehearsals: &Arc<Rehearsals>,
        early: Option<Parts>,
    ) -> Result<Self, Error> {
        let no_thread = |source| Error::Io {
            path: "thread ids-simulate".into(),
            source,
        };
        let asker = Asker::start(
            live,
            config.chain_id,
            &config.limits,
            stats.clone(),
            items.clone(),
        )?;
        let state = Arc::new(HeadState::new(simulation.state));
        let monitored = config.contracts.iter().map(|c| c.address);
        let pauses = config.contracts.iter().filter_map(|c| c.pause.as_ref());
        let paused = pauses.flat_map(|pause| {
            let check = pause.check.as_ref().map(|check| check.to);
            [pause.from, pause.to].into_iter().chain(check)
        });
        let neighbourhood = Arc::new(Neighbourhood::of(monitored.chain(paused)));
        let stage = Stage::new(
            &config.contracts,
            simulation,
            state.clone(),
            neighbourhood.clone(),
            asker.clone(),
            rehearsals.clone(),
        );
        let stage = stage.start().map_err(no_thread)?;
        let scout = early.map(|parts| {
            let shared = early::Shared {
                state: state.clone(),
                asker: asker.clone(),
                items: items.clone(),
                stats: stats.clone(),
                records: config.capture.is_some(),
            };
            parts.start(shared)
        });
        let (scout, states) = scout.transpose().map_err(no_thread)?.unzip();
        let followed = [stage, states.flatten()].into_iter().flatten();
        let keeper = Keeper::start(
            state.clone(),
            neighbourhood.clone(),
            asker.clone(),
            chain.clone(),
            items.clone(),
            stats.clone(),
            config.contracts.iter().map(|c| c.address).collect(),
            followed.collect(),
        );
        let pool = Pool::start(
            simulation,
            simulators,
            state,
            neighbourhood,
            asker,
            items.clone(),
            stats.clone(),
            config.capture.is_some(),
        );
        Ok(Self::Live {
            pool: pool.map_err(no_thread)?,
            keeper: keeper.map_err(no_thread)?,
            scout,
        })
    }

    /// # Errors
    /// [`Error::Config`]: there is none to replay with.
    pub fn replay(mut simulators: Vec<Simulator>) -> Result<Self, Error> {
        let simulator = simulators.pop();
        let simulator = simulator.ok_or_else(|| Error::Config("no simulator".into()))?;
        Ok(Self::Replay(Box::new(simulator)))
    }

    /// A new canonical head: the state is to follow.
    pub fn head(&self, number: u64, hash: B256) {
        if let Self::Live { keeper, scout, .. } = self {
            keeper.head(number, hash);
            if let Some(scout) = scout {
                scout.head(hash);
            }
        }
    }

    /// Who looks for new contracts.
    pub fn scout(&self) -> Option<&Scout> {
        match self {
            Self::Live { scout, .. } => scout.as_ref(),
            Self::Replay(_) => None,
        }
    }

    /// What a recorded detonation showed; its proof is made again.
    ///
    /// # Errors
    /// It cannot be made again; the reason is for people.
    pub fn detonate_again(&mut self, record: &RecordedDetonation) -> Result<Detonation, String> {
        let proof = match self {
            Self::Replay(simulator) => early::prove_again(record, simulator)?,
            Self::Live { .. } => None,
        };
        Ok(Detonation {
            proof: proof.map(Box::new),
            ..record.detonation.clone()
        })
    }

    /// Never waits. Answers who will have no simulation: the suspect, or an older one that gives way to it.
    pub fn submit(&self, suspect: Suspect) -> Option<(Key, Failure)> {
        match self {
            Self::Live { pool, .. } => pool.offer(suspect),
            // Its result is in the recording.
            Self::Replay(_) => None,
        }
    }

    /// Does again what was recorded of a suspect: who it is, and its simulation, or why there was none or it cannot be done
    /// again.
    pub fn again(
        &mut self,
        record: &RecordedSimulation,
        awaited: Awaited,
    ) -> (Identity, Result<Simulation, Failure>) {
        let slot = awaited.slot;
        let refused =
            |failure: &Failure| matches!(failure.kind, FailureKind::Queue | FailureKind::Quota);
        // Who was refused was not looked at.
        let identity = match record.failure.as_ref().is_some_and(refused) {
            true => Identity::default(),
            false => {
                let proven = Identity::of(&slot.tx, slot.original.as_ref());
                // What is kept as signed bytes has the sender that was told.
                let signer = record.signer.or(proven.signer);
                Identity { signer, ..proven }
            }
        };
        let result = match identity.other_than(slot.tx.from) {
            Some(_) => Err(Failure::signed_by_another()),
            None => self.execute_again(record, awaited),
        };
        (identity, result)
    }

    fn execute_again(
        &mut self,
        record: &RecordedSimulation,
        awaited: Awaited,
    ) -> Result<Simulation, Failure> {
        if let Some(failure) = &record.failure {
            return Err(failure.clone());
        }
        let unreadable = |reason: &str| Failure::new(FailureKind::State, reason);
        let Some(executed) = &record.executed else {
            return Err(unreadable("an empty record"));
        };
        let Self::Replay(simulator) = self else {
            return Err(unreadable("recorded, and the sensor is live"));
        };
        let (tx, score) = (&awaited.slot.tx, awaited.score);
        simulator.taken = awaited.taken.to_vec();
        let mut done = execute(simulator, tx, score, &awaited.before, executed);
        if let (Ok(simulation), Some(why)) = (&mut done, &record.unasked) {
            simulation.response = Some(Response::Unasked(Unasked::new(why.clone())));
        }
        if let (Ok(simulation), true) = (&mut done, record.mined) {
            simulation.was_mined(tx.nonce);
        }
        done.map_err(|error| match error {
            Unfinished::State(error) => error.into(),
            Unfinished::Failed(failure) => failure,
        })
    }
}

/// One for each simulating thread, or for a replay; none where nothing is simulated.
///
/// # Errors
/// As [`Simulator::new`].
pub fn simulators(
    config: &SensorConfig,
    chain: &Arc<ChainSpec>,
    rules: &Arc<ArcSwap<RuleSet>>,
    scorer: Option<&Arc<CodeScorer>>,
) -> Result<Vec<Simulator>, Error> {
    let (Some(simulation), Some(_)) = (&config.simulation, &config.model) else {
        return Ok(Vec::new());
    };
    let threads = match (&config.source, simulation.threads) {
        (SourceConfig::Replay(_), _) => 1,
        // They wait for nodes at times, and one must not hold up the others.
        (SourceConfig::Live(_), 0) => available_parallelism().map_or(2, |n| n.get().max(2)),
        (SourceConfig::Live(_), threads) => threads,
    };
    (0..threads)
        .map(|_| {
            let mut simulator = simulator(config, simulation, chain, rules)?;
            simulator.looks = scorer.cloned();
            Ok(simulator)
        })
        .collect()
}

/// # Errors
/// As [`Simulator::new`].
pub fn simulator(
    config: &SensorConfig,
    simulation: &SimulationConfig,
    chain: &Arc<ChainSpec>,
    rules: &Arc<ArcSwap<RuleSet>>,
) -> Result<Simulator, Error> {
    Simulator::new(
        &config.contracts,
        simulation,
        chain.clone(),
        config.model.as_ref(),
        rules.clone(),
        config.detection.threshold,
    )
}

fn execute(
    simulator: &mut Simulator,
    tx: &PendingTransaction,
    score: f32,
    before: &[Earlier],
    executed: &Witness,
) -> Result<Simulation, Unfinished> {
    let environment = executed
        .environment()
        .map_err(|reason| Unfinished::Failed(Failure::new(FailureKind::State, reason)))?;
    let (state, deadline) = (executed.state(), Instant::now() + REPLAY);
    // The recording says which they were. Of several contents under one hash the credible ones count.
    let known = |hash| {
        let told = before.iter().filter(|earlier| earlier.tx.hash == hash);
        credible(told.cloned().collect()).into_iter().next()
    };
    let recorded = executed.before();
    let earlier = recorded.iter().map(|one| known(one.hash));
    let Some(earlier) = earlier.collect::<Option<Vec<_>>>() else {
        let said = "a transaction before it is not in the capture";
        return Err(Unfinished::Failed(Failure::new(
            FailureKind::NotReady,
            said,
        )));
    };
    let earlier = earlier.iter().zip(recorded).map(|(earlier, one)| Step {
        tx: &earlier.tx,
        extras: &one.extras,
    });
    let suspect = Step {
        tx,
        extras: executed.extras(),
    };
    let steps: Vec<_> = earlier.chain([suspect]).collect();
    simulator.simulate(&Local(&state), &environment, &steps, score, deadline)
}
