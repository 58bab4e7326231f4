//! A contract that is there: its code, and what calling it on the state at the head would do (`mempool-ids score ADDRESS`).

use super::creation;
use super::inspect::{PATIENCE, call, simulator};
use super::nodes::{Moment, Nodes, node_error};
use crate::chain::ChainSpec;
use crate::config::{DetonationConfig, SensorConfig};
use crate::detonate::{Budget, Subject, detonate};
use crate::error::{Error, Result};
use crate::event::json::{Detonated, Text, Victim, write};
use crate::evidence::{Deployment, Grade, Sighting};
use crate::pipeline::judge::Stages;
use crate::simulate::creations::{Origin, stand_in};
use crate::simulate::evm::question::at;
use crate::simulate::judge::simulator::Simulator;
use crate::simulate::state::Snapshot;
use crate::simulate::state::head::{Changes, HeadState};
use crate::survey::resolve::resolve;
use alloy_primitives::{Address, B256, Bytes};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A person waits longer than a head does: processor time, and by the clock, where a node tells the state piece by piece.
const TIME: Duration = Duration::from_secs(5);
const JUDGING: Duration = Duration::from_secs(10);

/// Code as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningCode {
    pub code: Bytes,
    /// Whose it is, where that is another account's: of a clone or a delegation.
    pub implementation: Option<Address>,
}

/// Looks at contracts on the nodes of a configuration.
pub struct Deployed {
    config: SensorConfig,
    chain: Arc<ChainSpec>,
    nodes: Nodes,
    /// Loaded when something is called.
    judges: Option<(Stages, Simulator)>,
}

/// What is said of a contract that was called. Keys in alphabetical order.
#[derive(Serialize)]
struct Told<'a> {
    called_as: Text<Address>,
    /// Of the proof's last, as `simulate` tells them.
    calls: Vec<Value>,
    /// Where it was looked for and found.
    creation: Option<Creation>,
    /// Nothing where it is not known.
    deployer: Option<Text<Address>>,
    deployer_unknown: Option<String>,
    detonation: Detonated<'a>,
    grade: Option<Grade>,
    victims: Vec<Victim<'a>>,
}

#[derive(Serialize)]
struct Creation {
    block: Option<u64>,
    creator: Text<Address>,
    tx: Text<B256>,
}

/// As whom a contract is called first.
enum Deployer {
    Given(Address),
    Found(Box<Deployment>),
    /// Why.
    Unknown(String),
}

impl Deployed {
    /// # Errors
    /// [`Error::Config`]: there is no node to ask, or the configuration cannot be used.
    pub fn new(config: SensorConfig) -> Result<Self> {
        let chain = ChainSpec::load(config.chain_id, config.chain_spec.as_deref())?;
        let nodes = Nodes::connect(&config, chain.clone(), Instant::now() + PATIENCE)?;
        Ok(Self {
            config,
            chain,
            nodes,
            judges: None,
        })
    }

    /// What runs at the address, at the head; nothing where there is no code.
    ///
    /// # Errors
    /// [`Error::Node`]: no node tells.
    pub fn code(&mut self, address: Address) -> Result<Option<RunningCode>> {
        self.nodes.deadline = Instant::now() + PATIENCE;
        let moment = self.nodes.moment(None, None)?;
        let found = self.found(address, &moment)?;
        Ok(found.map(|found| match found.runs {
            Some(runs) => RunningCode {
                code: runs.code,
                implementation: Some(runs.address),
            },
            None => RunningCode {
                code: found.code,
                implementation: None,
            },
        }))
    }

    /// Calls the contract at the address on the state at the head, as the sensor calls new ones: first as its deployer, whom
    /// nodes tell of unless one is given. Answers JSON; nothing where there is no code.
    ///
    /// # Errors
    /// [`Error::Config`]: nothing is monitored, or as for a sensor. [`Error::Node`]: a node does not have what is needed.
    pub fn detonate(
        &mut self,
        address: Address,
        deployer: Option<Address>,
    ) -> Result<Option<Vec<u8>>> {
        if self.config.contracts.is_empty() {
            let said = "contracts is empty: which contracts could it harm? \
                        For example --set 'contracts=[{\"name\": \"Vault\", \"address\": \"0x…\"}]'";
            return Err(Error::Config(said.into()));
        }
        self.nodes.deadline = Instant::now() + PATIENCE;
        let moment = self.nodes.moment(None, None)?;
        let Some(found) = self.found(address, &moment)? else {
            return Ok(None);
        };
        let deployer = match deployer {
            Some(given) => Deployer::Given(given),
            None => match creation::find(&self.nodes, address, moment.block.number) {
                Ok(created) => Deployer::Found(Box::new(created)),
                Err(why) => Deployer::Unknown(why),
            },
        };
        self.call(deployer.deployment(found), &deployer, &moment)
            .map(Some)
    }

    fn call(
        &mut self,
        deployment: Deployment,
        deployer: &Deployer,
        moment: &Moment,
    ) -> Result<Vec<u8>> {
        let limits = self.config.simulation.clone().unwrap_or_default();
        let budget = self.budget();
        let called_as = Text(deployment.deployer);
        let (stages, simulator) = match &mut self.judges {
            Some(judges) => judges,
            empty => {
                let stages = Stages::load(&self.config)?;
                let simulator = simulator(&self.config, &stages, self.chain.clone())?;
                empty.insert((stages, simulator))
            }
        };
        let state = HeadState::new(limits.state);
        state.advance(moment.block.clone(), Changes::Unknown);
        let deadline = Instant::now() + budget.patience + budget.judging;
        let view = Snapshot::new(&state, &moment.block, Some((&self.nodes.asker, deadline)));
        let mut subject = Subject::new(Arc::new(deployment), None);
        subject.orphan = deployer.known().is_none();
        let done = detonate(&mut subject, &view, &moment.block.next, simulator, budget);
        let done = done.map_err(|error| node_error("state", error.to_string()))?;
        let proof = done.detonation.proof.as_deref();
        let simulation = proof.map(|proof| &proof.simulation);
        let trace = simulation.and_then(|done| done.trace.as_ref());
        let frames = trace.into_iter().flat_map(|trace| &trace.frames);
        let victims = simulation.into_iter().flat_map(|done| &done.victims);
        Ok(write(&Told {
            called_as,
            calls: frames.map(|frame| call(stages.decoder(), frame)).collect(),
            creation: deployer.creation(),
            deployer: deployer.known().map(Text),
            deployer_unknown: deployer.unknown(),
            detonation: Detonated::of(&done.detonation),
            grade: simulation.map(|done| done.grade()),
            victims: victims.map(Victim::of).collect(),
        }))
    }

    /// Of the configuration, with more time.
    fn budget(&self) -> Budget {
        let early = self.config.early.clone().unwrap_or_default();
        let told: DetonationConfig = early.detonation.unwrap_or_default();
        Budget {
            calls: told.calls,
            gas: told.gas,
            time: TIME.max(Duration::from_millis(told.contract_ms)),
            patience: PATIENCE,
            judging: JUDGING,
            ..Budget::default()
        }
    }

    /// The contract with what it runs, by nobody; nothing where there is no code.
    fn found(&self, address: Address, moment: &Moment) -> Result<Option<Deployment>> {
        let at = at(&moment.block.hash);
        let code = self.nodes.code_of(&address, &at)?;
        if code.is_empty() {
            return Ok(None);
        }
        let nobody = stand_in(&address);
        let seen = Sighting::Mined {
            block: moment.block.number,
            timestamp: moment.block.timestamp,
        };
        let origin = Origin::unknown(nobody, seen);
        let mut found = [Deployment {
            code,
            ..origin.deployment(address, nobody)
        }];
        let mut failed = None;
        resolve(&mut found, |accounts| {
            let code = |account: &Address| {
                let code = self.nodes.code_of(account, &at);
                code.map_err(|error| failed = Some(error)).ok()
            };
            accounts.iter().map(code).collect()
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(found.into_iter().next()),
        }
    }
}

impl Deployer {
    /// `found`, as this one's.
    fn deployment(&self, found: Deployment) -> Deployment {
        match self {
            Self::Given(deployer) => Deployment {
                deployer: *deployer,
                creator: *deployer,
                ..found
            },
            // What it runs today.
            Self::Found(created) => Deployment {
                code: found.code,
                runs: found.runs,
                ..Deployment::clone(created)
            },
            Self::Unknown(_) => found,
        }
    }

    fn known(&self) -> Option<Address> {
        match self {
            Self::Given(deployer) => Some(*deployer),
            Self::Found(created) => Some(created.deployer),
            Self::Unknown(_) => None,
        }
    }

    fn unknown(&self) -> Option<String> {
        match self {
            Self::Unknown(why) => Some(why.clone()),
            _ => None,
        }
    }

    fn creation(&self) -> Option<Creation> {
        let Self::Found(created) = self else {
            return None;
        };
        let block = match created.seen {
            Sighting::Mined { block, .. } => Some(block),
            Sighting::Pending | Sighting::Simulated | Sighting::Gone => None,
        };
        Some(Creation {
            block,
            creator: Text(created.creator),
            tx: Text(created.tx),
        })
    }
}
