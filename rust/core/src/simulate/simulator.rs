//! From a suspect and a state to the evidence: execute, look at what happened, vary, judge.

use super::backend::Backend;
use super::evasion::variations;
use super::execute::{Environment, Execution, Outcome};
use super::features::{TraceFeatures, extract};
use super::flows::{Transfer, net};
use super::invariants::{Protected, Subject, Views, Violation, check_all, judge};
use super::model::TraceModel;
use super::recorder::{Bounds, Stop};
use super::simulation::{Flow, Loss, Simulation, Variation};
use super::state::StateError;
use super::suspect::{Failure, FailureKind};
use super::transaction::{Extras, from_pending};
use crate::config::{ModelConfig, MonitoredContract, SimulationConfig};
use crate::error::Result;
use crate::signatures::RuleSet;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, I256};
use arc_swap::ArcSwap;
use revm::context::TxEnv;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

/// Flows that are told of.
const FLOWS: usize = 24;
const CREATED: usize = 16;
/// What made the model think so is told from this probability on: it costs a run for each feature.
const EXPLAINED: f32 = 0.3;
const FACTORS: usize = 10;

/// Why there is no simulation.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A part of the state is missing: it may be there on another attempt.
    State(StateError),
    Failed(Failure),
}

/// One transaction of a sequence.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    pub tx: &'a PendingTransaction,
    pub extras: &'a Extras,
}

/// Judges suspects, one at a time.
pub struct Simulator {
    contracts: Vec<Protected>,
    /// Their addresses.
    monitored: Vec<Address>,
    /// Of these the invariants that users write; replaced on reload.
    rules: Arc<ArcSwap<RuleSet>>,
    /// Absent where the model's folder has none: then invariants alone judge.
    model: Option<TraceModel>,
    limits: SimulationConfig,
    /// Whether simulations come with their whole execution.
    pub keeps: bool,
}

/// One execution and what it amounts to.
struct Run {
    sender: Address,
    execution: Execution,
    transfers: Vec<Transfer>,
    violations: Vec<Violation>,
    features: Option<TraceFeatures>,
    harm: f32,
    probability: Option<f32>,
}

impl Simulator {
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config), [`Error::Abi`](crate::error::Error::Abi): what a contract's entry
    /// says is not so. [`Error::Model`](crate::error::Error::Model): the model cannot be used.
    pub fn new(
        contracts: &[MonitoredContract],
        limits: &SimulationConfig,
        model: Option<&ModelConfig>,
        rules: Arc<ArcSwap<RuleSet>>,
    ) -> Result<Self> {
        let model = model.map(TraceModel::load_if_there).transpose()?;
        let monitored = contracts.iter().map(|contract| contract.address).collect();
        let contracts: Result<Vec<_>> = contracts.iter().map(Protected::new).collect();
        Ok(Self {
            contracts: contracts?,
            monitored,
            rules,
            model: model.flatten(),
            limits: limits.clone(),
            keeps: false,
        })
    }

    /// Executes transactions, each on what the former left, and judges the last: a suspect alone, or after what would be
    /// sent before it.
    ///
    /// # Errors
    /// [`Unfinished`]: it did not come to an end; no verdict may be drawn from that.
    pub fn simulate(
        &mut self,
        backend: &dyn Backend,
        environment: &Environment,
        sequence: &[Step],
        deadline: Instant,
    ) -> std::result::Result<Simulation, Unfinished> {
        let bounds = Bounds {
            deadline,
            frames: self.limits.frames,
            bytes: self.limits.bytes,
            accesses: self.limits.accesses,
        };
        let transactions: Vec<_> = sequence.iter().map(|step| self.transaction(step)).collect();
        let (run, before) = self.run(backend, environment, &transactions, bounds)?;
        if let Some(suspect) = sequence.last()
            && suspect.tx.gas > self.limits.gas
            && matches!(run.execution.outcome, Outcome::Halted(_))
        {
            let reason = format!("uses more than {} gas", self.limits.gas);
            return Err(Unfinished::Failed(Failure::new(
                FailureKind::Budget,
                reason,
            )));
        }
        let mut simulation = self.evidence(environment, run.sender, &run);
        simulation.before = before;
        if let (Some(model), Some(features)) = (&mut self.model, &run.features)
            && run.probability.is_some_and(|p| p >= EXPLAINED)
        {
            simulation.factors = model.explain(features).unwrap_or_default();
            simulation.factors.truncate(FACTORS);
        }
        if self.limits.vary && backend.varies() {
            for (of, varied) in variations(environment, run.execution.surroundings) {
                let (other, _) = self.run(backend, &varied, &transactions, bounds)?;
                let more = |other: Option<f32>, likely: Option<f32>| {
                    other.unwrap_or(0.0) > likely.unwrap_or(0.0)
                };
                if other.harm > run.harm || more(other.probability, run.probability) {
                    simulation.variations.push(Variation {
                        of,
                        harm: other.harm,
                        probability: other.probability,
                    });
                }
            }
        }
        simulation.execution = self.keeps.then(|| Arc::new(run.execution));
        Ok(simulation)
    }

    fn transaction(&self, step: &Step) -> TxEnv {
        let mut transaction = from_pending(step.tx, step.extras.clone());
        // Beyond the budget it ends as if its gas did, and is told apart afterwards.
        transaction.gas_limit = transaction.gas_limit.min(self.limits.gas);
        transaction
    }

    /// The last transaction's run, and how those before it ended.
    fn run(
        &mut self,
        backend: &dyn Backend,
        environment: &Environment,
        transactions: &[TxEnv],
        bounds: Bounds,
    ) -> std::result::Result<(Run, Vec<Cow<'static, str>>), Unfinished> {
        let (mut ended, mut last) = (Vec::new(), None);
        let mut left = transactions.iter();
        let mut look = |execution: Execution, views: &dyn Views| {
            let Some(transaction) = left.next() else {
                return;
            };
            match left.len() {
                0 => last = Some(self.judge(transaction.caller, execution, views)),
                _ => ended.push(outcome(&execution)),
            }
        };
        backend
            .execute(environment, transactions, bounds, &mut look)
            .map_err(Unfinished::State)?;
        let Some(run) = last else {
            let failure = Failure::new(FailureKind::NotReady, "there is nothing to execute");
            return Err(Unfinished::Failed(failure));
        };
        match run.execution.outcome {
            Outcome::Stopped(Stop::Deadline) => {
                let reason = "not executed within its deadline";
                Err(Unfinished::Failed(Failure::new(
                    FailureKind::Deadline,
                    reason,
                )))
            }
            Outcome::Stopped(Stop::Frames) => {
                let reason = format!("makes more than {} calls", self.limits.frames);
                Err(Unfinished::Failed(Failure::new(
                    FailureKind::Budget,
                    reason,
                )))
            }
            _ => Ok((run, ended)),
        }
    }

    fn judge(&mut self, sender: Address, execution: Execution, views: &dyn Views) -> Run {
        let transfers = execution.trace.movements();
        let violations = self.violations(&execution, &transfers, sender, views);
        let succeeded = execution.outcome == Outcome::Succeeded;
        let features = succeeded.then(|| extract(&execution.trace));
        let model = self.model.as_mut().zip(features.as_ref());
        // Without an answer the invariants judge alone.
        let probability = model.and_then(|(model, features)| model.predict(features).ok());
        Run {
            features,
            sender,
            transfers,
            harm: judge(&violations).probability,
            violations,
            probability,
            execution,
        }
    }

    /// Of every monitored contract that the execution had to do with.
    fn violations(
        &self,
        execution: &Execution,
        transfers: &[Transfer],
        sender: Address,
        views: &dyn Views,
    ) -> Vec<Violation> {
        let stands = execution.trace.stands();
        let written = self.rules.load().invariants();
        let moved = |address: &Address| {
            let mut ends = transfers.iter().flat_map(|moved| [moved.from, moved.to]);
            ends.any(|end| end == *address)
        };
        let concerned = |contract: &&Protected| {
            let address = &contract.address;
            execution.diff.0.contains_key(address) || moved(address)
        };
        let contracts = self.contracts.iter().filter(concerned);
        let violations = contracts.flat_map(|contract| {
            let subject = Subject {
                execution,
                transfers,
                stands: &stands,
                sender,
                contract,
                monitored: &self.monitored,
                views,
            };
            check_all(&subject, &written)
        });
        violations.collect()
    }

    fn evidence(&self, environment: &Environment, sender: Address, run: &Run) -> Simulation {
        let Run {
            execution,
            transfers,
            ..
        } = run;
        let frames = &execution.trace.frames;
        let called = |address: &Address| frames.iter().any(|frame| frame.to == Some(*address));
        let touched = self.contracts.iter();
        let touched = touched.filter(|contract| called(&contract.address));
        let stands = execution.trace.stands();
        let created = frames.iter().zip(stands);
        let created = created.filter(|(frame, stands)| *stands && frame.kind.creates());
        Simulation {
            block: environment.block.number.saturating_to(),
            outcome: outcome(execution),
            succeeded: execution.outcome == Outcome::Succeeded,
            gas_used: execution.gas_used,
            frames: frames.len(),
            depth: frames.iter().map(|frame| frame.depth).max().unwrap_or(0),
            touched: touched.map(|contract| contract.name.clone()).collect(),
            created: created
                .filter_map(|(frame, _)| frame.to)
                .take(CREATED)
                .collect(),
            flows: self.flows(sender, transfers),
            coinbase_payment: execution.coinbase_payment,
            losses: losses(&run.violations),
            violations: run.violations.clone(),
            harm: run.harm,
            probability: run.probability,
            watched: execution.watched,
            cut: execution.cut,
            ..Simulation::default()
        }
    }

    /// Monitored contracts first, then the sender, then by address.
    fn flows(&self, sender: Address, transfers: &[Transfer]) -> Vec<Flow> {
        let flows = net(transfers).into_iter().flat_map(|(account, assets)| {
            let flow = move |(asset, amount): (_, I256)| Flow {
                account,
                asset,
                amount,
            };
            assets.into_iter().map(flow)
        });
        let mut flows: Vec<_> = flows.collect();
        flows.sort_by_key(|flow| {
            let monitored = self.monitored.contains(&flow.account);
            (!monitored, flow.account != sender)
        });
        flows.truncate(FLOWS);
        flows
    }
}

/// Each contract's losses once, however many invariants they break.
fn losses(violations: &[Violation]) -> Vec<Loss> {
    let mut losses: Vec<Loss> = Vec::new();
    for violation in violations {
        for (asset, amount) in &violation.losses {
            let same = |loss: &Loss| loss.contract == violation.contract && loss.asset == *asset;
            if !losses.iter().any(same) {
                losses.push(Loss {
                    contract: violation.contract.clone(),
                    asset: *asset,
                    amount: *amount,
                });
            }
        }
    }
    losses
}

fn outcome(execution: &Execution) -> Cow<'static, str> {
    match &execution.outcome {
        Outcome::Succeeded => "succeeded".into(),
        Outcome::Reverted => "reverted".into(),
        Outcome::Halted(reason) => format!("halted: {reason}").into(),
        Outcome::Invalid(reason) => format!("invalid: {reason}").into(),
        Outcome::Stopped(_) | Outcome::NoState(_) => "unfinished".into(),
    }
}
