//! From a suspect and a state to the evidence: execute, look at what happened, vary, judge.

use super::evasion::variations;
use super::execute::{Checks, Environment, Execution, Outcome, Sandbox};
use super::flows::{Transfer, net};
use super::invariants::{Protected, SandboxViews, Subject, Views, Violation, check_all, judge};
use super::recorder::{Bounds, Stop};
use super::simulation::{Flow, Loss, Simulation, Variation};
use super::state::StateError;
use super::suspect::{Failure, FailureKind};
use super::transaction::{Extras, from_pending};
use crate::config::{MonitoredContract, SimulationConfig};
use crate::error::Result;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, I256};
use revm::DatabaseRef;
use revm::context::TxEnv;
use std::borrow::Cow;
use std::time::Instant;

/// Flows that are told of.
const FLOWS: usize = 24;
const CREATED: usize = 16;
/// Views that the invariants of one execution may ask.
const VIEWS: u32 = 256;

/// Why there is no simulation.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A part of the state is missing: it may be there on another attempt.
    State(StateError),
    Failed(Failure),
}

/// Judges suspects, one at a time.
pub struct Simulator {
    contracts: Vec<Protected>,
    /// Their addresses.
    monitored: Vec<Address>,
    limits: SimulationConfig,
}

/// One execution and what it amounts to.
struct Run {
    execution: Execution,
    transfers: Vec<Transfer>,
    violations: Vec<Violation>,
    harm: f32,
    probability: Option<f32>,
}

impl Simulator {
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config), [`Error::Abi`](crate::error::Error::Abi): what a contract's entry says is not so.
    pub fn new(contracts: &[MonitoredContract], limits: &SimulationConfig) -> Result<Self> {
        let monitored = contracts.iter().map(|contract| contract.address).collect();
        let contracts: Result<Vec<_>> = contracts.iter().map(Protected::new).collect();
        Ok(Self {
            contracts: contracts?,
            monitored,
            limits: limits.clone(),
        })
    }

    /// # Errors
    /// [`Unfinished`]: it did not come to an end; no verdict may be drawn from that.
    pub fn simulate<S: DatabaseRef<Error = StateError>>(
        &mut self,
        state: &S,
        environment: &Environment,
        tx: &PendingTransaction,
        extras: &Extras,
        deadline: Instant,
    ) -> std::result::Result<Simulation, Unfinished> {
        let mut transaction = from_pending(tx, extras.clone());
        // Beyond the budget it ends as if its gas did, and is told apart below.
        transaction.gas_limit = transaction.gas_limit.min(self.limits.gas);
        let run = self.run(state, environment, transaction.clone(), deadline)?;
        let cut_short = tx.gas > self.limits.gas;
        if cut_short && matches!(run.execution.outcome, Outcome::Halted(_)) {
            let reason = format!("uses more than {} gas", self.limits.gas);
            return Err(Unfinished::Failed(Failure::new(
                FailureKind::Budget,
                reason,
            )));
        }
        let mut simulation = self.evidence(environment, tx.from, &run);
        if self.limits.vary {
            for (of, varied) in variations(environment, run.execution.surroundings) {
                let other = self.run(state, &varied, transaction.clone(), deadline)?;
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
        Ok(simulation)
    }

    fn run<S: DatabaseRef<Error = StateError>>(
        &mut self,
        state: &S,
        environment: &Environment,
        transaction: TxEnv,
        deadline: Instant,
    ) -> std::result::Result<Run, Unfinished> {
        let bounds = Bounds {
            deadline,
            frames: self.limits.frames,
            bytes: self.limits.bytes,
            accesses: self.limits.accesses,
        };
        let sender = transaction.caller;
        let mut sandbox = Sandbox::new(state, environment);
        let execution = sandbox.execute(transaction, Checks::Pending, bounds);
        match &execution.outcome {
            Outcome::NoState(error) => return Err(Unfinished::State(error.clone())),
            Outcome::Stopped(Stop::Deadline) => {
                let reason = "not executed within its deadline";
                return Err(Unfinished::Failed(Failure::new(
                    FailureKind::Deadline,
                    reason,
                )));
            }
            Outcome::Stopped(Stop::Frames) => {
                let reason = format!("makes more than {} calls", self.limits.frames);
                return Err(Unfinished::Failed(Failure::new(
                    FailureKind::Budget,
                    reason,
                )));
            }
            _ => {}
        }
        let transfers = execution.trace.transfers();
        let before = Sandbox::new(state, environment);
        let views = SandboxViews::new(&before, &sandbox, bounds, VIEWS);
        let violations = self.violations(&execution, &transfers, sender, &views);
        Ok(Run {
            transfers,
            harm: judge(&violations).probability,
            violations,
            probability: None,
            execution,
        })
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
            check_all(&subject, &[])
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
