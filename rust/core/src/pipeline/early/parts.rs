//! What the search for new contracts is made of: loaded before anything runs, then started.

use super::named::Named;
use super::{Detonator, Known, Scout, Search};
use crate::classify::CodeScorer;
use crate::config::{EarlyConfig, SensorConfig, SimulationConfig};
use crate::detonate::{Creation, Sequence};
use crate::error::Result;
use crate::evidence::{Proof, RecordedDetonation};
use crate::inbox::queue::ItemSender;
use crate::node::Asker;
use crate::pipeline::contact::Contacts;
use crate::simulate::judge::simulator::{Simulator, Unfinished};
use crate::simulate::state::head::HeadState;
use crate::stats::Stats;
use crate::survey::Surveyor;
use crossbeam_channel::Sender;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A replay has no hurry.
const REPLAY: Duration = Duration::from_secs(60);

/// What is loaded; a bad file fails here and not in the run.
pub struct Parts {
    config: EarlyConfig,
    scorer: Option<Arc<CodeScorer>>,
    known: Known,
    contacts: Contacts,
    /// Absent where nothing is called.
    simulator: Option<Simulator>,
}

/// What the threads share with the simulations.
#[derive(Clone)]
pub struct Shared {
    pub state: Arc<HeadState>,
    pub asker: Asker,
    pub items: ItemSender,
    pub stats: Arc<Stats>,
    /// Whether what was read is handed over too.
    pub records: bool,
}

/// Nothing where nobody looks for new contracts, or nothing is simulated. `simulator`: makes one, where something is called.
///
/// # Errors
/// As [`Sensor::new`](crate::pipeline::Sensor::new).
pub fn parts(
    config: &SensorConfig,
    simulator: impl FnOnce(&SimulationConfig) -> Result<Simulator>,
) -> Result<Option<Parts>> {
    let (Some(early), Some(simulation), Some(model)) =
        (&config.early, &config.simulation, &config.model)
    else {
        return Ok(None);
    };
    // Without the models it is by what they do, and whose they are, that contracts are judged.
    let scorer = CodeScorer::load_if_there(model, early, config.chain_id)?;
    // Without a contract that could be harmed there is nothing to see.
    let calls = early.detonation.is_some() && !config.contracts.is_empty();
    let simulator = calls.then(|| simulator(simulation));
    Ok(Some(Parts {
        scorer: scorer.map(Arc::new),
        known: Known::new(early)?,
        contacts: Contacts::new(&config.contracts)?,
        simulator: simulator.transpose()?,
        config: early.clone(),
    }))
}

impl Parts {
    /// For whoever else scores codes: simulations, and a replay, which is told of all else.
    pub fn scorer(&self) -> Option<&Arc<CodeScorer>> {
        self.scorer.as_ref()
    }

    /// With whom to tell of each state.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(self, shared: Shared) -> std::io::Result<(Scout, Option<Sender<()>>)> {
        let detonation = self.config.detonation.as_ref().zip(self.simulator);
        let started = detonation
            .map(|(config, simulator)| Detonator::start(config, simulator, shared.clone()));
        let (detonator, states) = started.transpose()?.unzip();
        let wrapped = self.known.wrapped();
        let scout = Scout::start(Search {
            surveyor: Surveyor::new(shared.asker.clone(), wrapped),
            known: self.known,
            scorer: self.scorer,
            contacts: self.contacts,
            detonator,
            met: Search::met(),
            named: Named::default(),
            lately: VecDeque::new(),
            scores_fail: false,
            shared,
        });
        Ok((scout?, states))
    }
}

/// The proof of a recorded detonation, made again; nothing where there was none.
///
/// # Errors
/// It cannot be made again; the reason is for people.
pub fn prove_again(
    record: &RecordedDetonation,
    simulator: &mut Simulator,
) -> std::result::Result<Option<Proof>, String> {
    let Some(witness) = &record.executed else {
        return Ok(None);
    };
    if record.calls.is_empty() {
        return Err("a proof without calls".into());
    }
    let creation = record.creation.as_ref().map(|tx| Creation {
        tx: Arc::new(tx.clone()),
        extras: witness
            .before()
            .first()
            .map(|before| before.extras.clone())
            .unwrap_or_default(),
        fails: false,
    });
    let sequence = Sequence {
        creation: creation.as_ref(),
        calls: &record.calls,
    };
    match sequence.again(witness, simulator, Instant::now() + REPLAY) {
        Ok(simulation) => Ok(Some(Proof {
            calls: record.calls.clone(),
            simulation,
        })),
        Err(Unfinished::State(error)) => Err(error.to_string()),
        Err(Unfinished::Failed(failure)) => Err(failure.reason),
    }
}
