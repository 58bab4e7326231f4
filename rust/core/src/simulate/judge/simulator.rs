//! From a suspect and a state to the evidence: execute, look at what happened, vary, judge.

mod accesses;
mod asking;
mod leads;
#[cfg(test)]
mod tests;

use super::behaviour::{TraceFeatures, extract};
use super::copy::Read;
use super::invariants::{Effects, Found, MAX_EXPLANATION, Protected, check_all, judge};
use super::model::TraceModel;
use super::variations::variations;
use crate::chain::ChainSpec;
use crate::chain::forks::is_precompile;
use crate::classify::CodeScorer;
use crate::config::{ModelConfig, MonitoredContract, SimulationConfig};
use crate::error::Result;
use crate::evidence::trace::CallKind;
use crate::evidence::transfers::{Asset, Transfer, net};
use crate::evidence::{
    Failure, FailureKind, Flow, Loss, Sighting, Simulation, Taken, Unaccounted, Variation, Victim,
    Violation, victims,
};
use crate::signatures::RuleSet;
use crate::simulate::creations::{Origin, in_execution};
use crate::simulate::evm::StateError;
use crate::simulate::evm::backend::Backend;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::execute::{Execution, Exit};
use crate::simulate::evm::tracer::{Bounds, Stop};
use crate::simulate::evm::transaction::from_pending;
use crate::simulate::evm::views::Views;
use crate::tx::{Extras, PendingTransaction};
use alloy_primitives::{Address, B256, I256};
use arc_swap::ArcSwap;
use asking::Scene;
use revm::context::TxEnv;
use revm::state::AccountInfo;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Flows that are told of.
const FLOWS: usize = 24;
const CREATED: usize = 16;
/// What made the model think so is told from this probability on: it costs a run for each feature.
const EXPLAINED: f32 = 0.3;
const FACTORS: usize = 10;
/// Of one transaction of others that is executed before a suspect: a few of them must not use up its time. Those that
/// have more share the whole budget in a second try: a thief's preparation may burn gas, or ask for it, on purpose.
const OTHERS_GAS: u64 = 5_000_000;

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

/// Until when a suspect has its verdict, and until when the question whether a pause would help has its answer.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    pub verdict: Instant,
    pub answer: Instant,
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
    chain: Arc<ChainSpec>,
    /// A verdict that reaches it is an alert.
    threshold: f32,
    /// What other transactions than the next suspect take, pending or in the last blocks.
    pub taken: Vec<Taken>,
    /// Whether simulations come with all their calls.
    pub keeps: bool,
    /// What is judged is what somebody could do, and nobody does: nothing is pending that it could wait for, and no limit on
    /// what leaves is reached.
    pub supposes: bool,
    /// What tells of the code that they create; nothing where nobody looks for new contracts.
    pub looks: Option<Arc<CodeScorer>>,
}

/// One execution and what it amounts to.
struct Run {
    sender: Address,
    execution: Execution,
    transfers: Vec<Transfer>,
    /// [`Trace::stands`](crate::evidence::trace::Trace::stands).
    stands: Vec<bool>,
    violations: Vec<Violation>,
    unaccounted: Vec<Unaccounted>,
    features: Option<TraceFeatures>,
    /// A view had no answer because all together took too much.
    exhausted: bool,
    harm: f32,
    probability: Option<f32>,
    /// What the sequence read, where a copy of it may be of interest.
    read: Read,
}

impl Run {
    /// Whether it breaks an invariant severely.
    fn is_severe(&self) -> bool {
        self.violations.iter().any(|violation| violation.severe)
    }
}

impl Simulator {
    /// # Errors
    /// [`Error::Config`](crate::error::Error::Config), [`Error::Abi`](crate::error::Error::Abi): what a contract's entry
    /// says is not so. [`Error::Model`](crate::error::Error::Model): the model cannot be used.
    pub fn new(
        contracts: &[MonitoredContract],
        limits: &SimulationConfig,
        chain: Arc<ChainSpec>,
        model: Option<&ModelConfig>,
        rules: Arc<ArcSwap<RuleSet>>,
        threshold: f32,
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
            chain,
            threshold,
            taken: Vec::new(),
            keeps: false,
            supposes: false,
            looks: None,
        })
    }

    /// Addresses of the monitored contracts.
    pub fn monitored(&self) -> &[Address] {
        &self.monitored
    }

    /// Of one by its name.
    pub fn address_of(&self, contract: &str) -> Option<Address> {
        let mut contracts = self.contracts.iter();
        let named = contracts.find(|one| *one.name == *contract)?;
        Some(named.address)
    }

    /// Tokens that they are watched for by their configuration.
    pub fn tokens(&self) -> Vec<Address> {
        let assets = self.contracts.iter().flat_map(|contract| &contract.assets);
        let tokens = assets.filter_map(|asset| match asset {
            Asset::Native => None,
            Asset::Token(token) | Asset::Unique(token, _) => Some(*token),
        });
        tokens.collect()
    }

    /// Whether what it breaks is an alarm, without any other sign.
    pub fn alarms(&self, simulation: &Simulation) -> bool {
        simulation.harm >= self.threshold
    }

    pub fn monitors(&self, address: &Address) -> bool {
        self.monitored.contains(address)
    }

    /// Executes transactions, each on what the former left, and judges the last: a suspect alone, or after what would be
    /// sent before it. `stage_one`: the first stage's score of it. The question whether a pause would help may take
    /// `deadline_ms` longer.
    ///
    /// # Errors
    /// [`Unfinished`]: it did not come to an end; no verdict may be drawn from that.
    pub fn simulate(
        &mut self,
        backend: &dyn Backend,
        environment: &Environment,
        sequence: &[Step],
        stage_one: f32,
        deadline: Instant,
    ) -> std::result::Result<Simulation, Unfinished> {
        let deadlines = Deadlines {
            verdict: deadline,
            answer: deadline + Duration::from_millis(self.limits.deadline_ms),
        };
        self.simulate_until(backend, environment, sequence, stage_one, deadlines)
    }

    /// As [`simulate`](Self::simulate).
    ///
    /// # Errors
    /// [`Unfinished`]: as there.
    pub fn simulate_until(
        &mut self,
        backend: &dyn Backend,
        environment: &Environment,
        sequence: &[Step],
        stage_one: f32,
        deadlines: Deadlines,
    ) -> std::result::Result<Simulation, Unfinished> {
        let until = |deadline| Bounds {
            deadline,
            frames: self.limits.frames,
            bytes: self.limits.bytes,
            accesses: self.limits.accesses,
        };
        let (bounds, answered) = (until(deadlines.verdict), until(deadlines.answer));
        let mut transactions = self.transactions(sequence);
        let (mut run, mut before) = self.run(backend, environment, &transactions, bounds)?;
        let lowered = |(step, transaction): &(&Step, &TxEnv)| {
            transaction.gas_limit < step.tx.gas.min(self.limits.gas)
        };
        let steps = sequence.iter().zip(&transactions).enumerate();
        let short = steps.filter(|(_, both)| lowered(both));
        let short: Vec<usize> = short.map(|(index, _)| index).collect();
        if !run.is_severe() && !short.is_empty() {
            let most = self.limits.gas / short.len() as u64;
            let mut more = transactions.clone();
            for index in short {
                let limit = &mut more[index].gas_limit;
                *limit = sequence[index].tx.gas.min(most).max(*limit);
            }
            let left = bounds.deadline.saturating_duration_since(Instant::now());
            // What it takes is no reason to lose what is known.
            let bounds = Bounds {
                deadline: Instant::now() + left / 2,
                ..bounds
            };
            match self.run(backend, environment, &more, bounds) {
                Ok(again) => ((run, before), transactions) = (again, more),
                Err(Unfinished::State(error @ StateError::Unknown)) => {
                    return Err(Unfinished::State(error));
                }
                Err(_) => {}
            }
        }
        if let Some(suspect) = sequence.last()
            && suspect.tx.gas > self.limits.gas
            && matches!(run.execution.exit, Exit::Halted(_))
        {
            let reason = format!("uses more than {} gas", self.limits.gas);
            return Err(Unfinished::Failed(Failure::new(
                FailureKind::Budget,
                reason,
            )));
        }
        let severe = run.is_severe();
        let steps = sequence.iter().zip(&transactions);
        let outbids = severe && self.outbids(backend, environment, steps, bounds)?;
        // Nobody has sent those before it where it is only supposed.
        let others = match self.supposes {
            true => Vec::new(),
            false => others(sequence),
        };
        let before_hashes = match others.is_empty() {
            true => Vec::new(),
            false => before_of(sequence).map(|step| step.tx.hash).collect(),
        };
        say_after(&mut run.violations, &others);
        let mut simulation = self.evidence(environment, run.sender, &run);
        simulation.before = before;
        self.look(sequence, &run.execution, &mut simulation);
        simulation.before_hashes = before_hashes;
        simulation.complete = sequence
            .last()
            .is_some_and(|suspect| self.complete(suspect.tx, &run.execution));
        simulation.exhausted = run.exhausted;
        simulation.outbids = outbids;
        if let (Some(model), Some(features)) = (&mut self.model, &run.features)
            && run.probability.is_some_and(|p| p >= EXPLAINED)
        {
            simulation.factors = model.explain(features).unwrap_or_default();
            simulation.factors.truncate(FACTORS);
        }
        let likely = (environment, &run);
        let scene = Scene {
            backend,
            sequence,
            transactions: &transactions,
            bounds: answered,
            likely,
            harmful: likely,
        };
        // At once: what burns time in other surroundings must not take that of the answer.
        if !run.violations.is_empty() {
            simulation.victims = self.victims(&run);
            simulation.response = self.respond(&scene, &simulation, stage_one);
        }
        let mut hidden: Option<(Environment, Run)> = None;
        if self.limits.vary && backend.varies() {
            for (of, varied) in variations(environment, &self.chain, run.execution.surroundings) {
                let (other, _) = match self.run(backend, &varied, &transactions, bounds) {
                    Ok(other) => other,
                    // Nor must what they read there: severe harm is known already.
                    Err(Unfinished::State(error @ (StateError::Unknown | StateError::Moved)))
                        if !severe =>
                    {
                        return Err(Unfinished::State(error));
                    }
                    // What is known of the likely ones is not thrown away.
                    Err(_) => {
                        simulation.variations.push(Variation {
                            of,
                            harm: run.harm,
                            probability: run.probability,
                            finished: false,
                        });
                        continue;
                    }
                };
                let more = |other: Option<f32>, likely: Option<f32>| {
                    other.unwrap_or(0.0) > likely.unwrap_or(0.0)
                };
                if other.harm > run.harm || more(other.probability, run.probability) {
                    simulation.variations.push(Variation {
                        of,
                        harm: other.harm,
                        probability: other.probability,
                        finished: true,
                    });
                }
                let most = hidden.as_ref().map_or(0.0, |(_, hidden)| hidden.harm);
                if run.violations.is_empty() && other.harm > most {
                    hidden = Some((varied, other));
                }
            }
        }
        if let Some((environment, run)) = &hidden {
            simulation.victims = self.victims(run);
            let harmful = (environment, run);
            let scene = Scene { harmful, ..scene };
            simulation.response = self.respond(&scene, &simulation, stage_one);
        } else if simulation.response.is_none() {
            simulation.response = self.respond(&scene, &simulation, stage_one);
        }
        simulation.trace = self.keeps.then(|| Arc::new(run.execution.trace));
        Ok(simulation)
    }

    /// What the last transaction creates, and how much that looks like an attacker's.
    fn look(&mut self, sequence: &[Step], execution: &Execution, simulation: &mut Simulation) {
        let (Some(scorer), Some(suspect)) = (&self.looks, sequence.last()) else {
            return;
        };
        let origin = Origin {
            deployer: suspect.tx.from,
            tx: suspect.tx.hash,
            to: suspect.tx.to,
            nonce: suspect.tx.nonce,
            value: suspect.tx.value,
            seen: Sighting::Simulated,
        };
        let mut deployments = in_execution(execution, &origin).deployments;
        deployments.truncate(CREATED);
        // Whoever looks for new contracts is told of these, too, and counts those that cannot be scored.
        let scores = deployments.iter().filter_map(|one| scorer.score(one).ok()?);
        let scores = scores.map(|score| score.score);
        simulation.code_score = scores.reduce(f32::max);
        simulation.deployments = deployments;
    }

    /// Whether severe harm hangs on what others send before the suspect and pay less for their place than it does: builders
    /// order by that. Who pays less and has no part in it, a thief's own noise, say, takes nothing from the proof.
    fn outbids<'s>(
        &mut self,
        backend: &dyn Backend,
        environment: &Environment,
        steps: impl DoubleEndedIterator<Item = (&'s Step<'s>, &'s TxEnv)> + Clone,
        bounds: Bounds,
    ) -> std::result::Result<bool, Unfinished> {
        let Some((suspect, _)) = steps.clone().next_back() else {
            return Ok(false);
        };
        let tip = |step: &Step| step.tx.effective_tip(environment.block.basefee.into());
        let stays = |step: &Step| step.tx.from == suspect.tx.from || tip(step) >= tip(suspect);
        let kept = steps.clone().filter(|(step, _)| stays(step));
        let kept: Vec<TxEnv> = kept.map(|(_, transaction)| transaction.clone()).collect();
        if kept.len() == steps.count() {
            return Ok(false);
        }
        match self.run(backend, environment, &kept, bounds) {
            Ok((run, _)) => Ok(!run.is_severe() || !self.complete(suspect.tx, &run.execution)),
            // That is asked for, and it is looked at once more.
            Err(Unfinished::State(error @ StateError::Unknown)) => Err(Unfinished::State(error)),
            // What is known is not thrown away.
            Err(_) => Ok(true),
        }
    }

    /// See [`Simulation::complete`].
    fn complete(&self, tx: &PendingTransaction, execution: &Execution) -> bool {
        let before = |address: &Address| execution.diff.0.get(address)?.before.as_ref();
        let its_turn = before(&tx.from).map_or(0, |sender| sender.nonce) == tx.nonce;
        let nothing_there = |to: &Address| {
            let codeless = |info: &AccountInfo| info.is_empty_code_hash();
            let account = execution.diff.0.get(to);
            let created =
                account.is_some_and(|account| account.after.as_ref().is_some_and(|a| !codeless(a)));
            !created && before(to).is_none_or(codeless) && !is_precompile(to)
        };
        let frames = execution.trace.frames.iter();
        let mut called = frames.filter(|frame| !frame.kind.creates() && frame.input.len() >= 4);
        let into_nothing = called.any(|frame| frame.to.as_ref().is_some_and(nothing_there));
        let waits = into_nothing && !self.supposes;
        its_turn && !execution.early && !waits && tx.gas <= self.limits.gas
    }

    /// Beyond the budget a transaction ends as if its gas did, and is told apart afterwards.
    fn transactions(&self, sequence: &[Step]) -> Vec<TxEnv> {
        let sender = sequence.last().map(|suspect| suspect.tx.from);
        let transaction = |step: &Step| {
            let mut transaction = from_pending(step.tx, step.extras.clone());
            let calls_for_another = Some(step.tx.from) != sender && step.tx.to.is_some();
            let most = match calls_for_another {
                true => OTHERS_GAS.min(self.limits.gas),
                false => self.limits.gas,
            };
            transaction.gas_limit = transaction.gas_limit.min(most);
            transaction
        };
        sequence.iter().map(transaction).collect()
    }

    /// The last transaction's run, and how those before it ended.
    fn run(
        &mut self,
        backend: &dyn Backend,
        environment: &Environment,
        transactions: &[TxEnv],
        bounds: Bounds,
    ) -> std::result::Result<(Run, Vec<Cow<'static, str>>), Unfinished> {
        let (mut ended, mut last, mut early) = (Vec::new(), None, false);
        let (asks, mut read) = (
            self.contracts.iter().any(|one| one.pause.is_some()),
            Read::default(),
        );
        let mut left = transactions.iter();
        let mut look = |execution: Execution, views: &dyn Views| {
            let Some(transaction) = left.next() else {
                return;
            };
            early |= execution.early;
            if asks {
                read.add(&execution.diff);
            }
            match left.len() {
                0 => last = Some(self.judge(transaction.caller, execution, views, bounds.deadline)),
                _ => ended.push(outcome(&execution)),
            }
        };
        backend
            .execute(environment, transactions, &[], bounds, &mut look)
            .map_err(Unfinished::State)?;
        let Some(mut run) = last else {
            let failure = Failure::new(FailureKind::NotReady, "there is nothing to execute");
            return Err(Unfinished::Failed(failure));
        };
        // What one of them waits for, all after it do.
        (run.execution.early, run.read) = (early, read);
        match run.execution.exit {
            Exit::Stopped(stop) => {
                let (kind, reason) = match stop {
                    Stop::Deadline => (
                        FailureKind::Deadline,
                        "not executed and judged within its deadline".to_owned(),
                    ),
                    Stop::Frames => (
                        FailureKind::Budget,
                        format!("makes more than {} calls", self.limits.frames),
                    ),
                };
                let mut failure = Failure::new(kind, reason);
                failure.touched = self.touched(&run.execution).next().is_some();
                Err(Unfinished::Failed(failure))
            }
            _ => Ok((run, ended)),
        }
    }

    fn judge(
        &mut self,
        sender: Address,
        mut execution: Execution,
        views: &dyn Views,
        deadline: Instant,
    ) -> Run {
        let transfers = execution.trace.movements();
        let stands = execution.trace.stands();
        let found = self.check(&execution, &transfers, &stands, sender, views, deadline);
        // Judged by some of the contracts alone it would look more harmless than it is.
        let Found {
            violations,
            unaccounted,
        } = found.unwrap_or_else(|| {
            execution.exit = Exit::Stopped(Stop::Deadline);
            Found::default()
        });
        let succeeded = execution.exit == Exit::Succeeded;
        let features = succeeded.then(|| extract(&execution.trace));
        let model = self.model.as_mut().zip(features.as_ref());
        // Without its calls it looks like nothing.
        let model = model.filter(|_| execution.has_calls);
        // Without an answer the invariants judge alone.
        let probability = model.and_then(|(model, features)| model.predict(features).ok());
        Run {
            features,
            sender,
            transfers,
            stands,
            exhausted: views.exhausted(),
            harm: judge(&violations).probability,
            violations,
            unaccounted,
            probability,
            execution,
            read: Read::default(),
        }
    }

    /// Checks every monitored contract that the execution had to do with; nothing where the deadline does not allow for all.
    #[allow(clippy::too_many_arguments)] // What the effects are of, and until when.
    fn check(
        &self,
        execution: &Execution,
        transfers: &[Transfer],
        stands: &[bool],
        sender: Address,
        views: &dyn Views,
        deadline: Instant,
    ) -> Option<Found> {
        let written = self.rules.load().invariants();
        let moved = |address: &Address| {
            let mut ends = transfers.iter().flat_map(|moved| [moved.from, moved.to]);
            ends.any(|end| end == *address)
        };
        let concerned = |contract: &&Protected| {
            let address = &contract.address;
            execution.diff.0.contains_key(address) || moved(address)
        };
        // What is severe is not made harmless by what is not known.
        let is_severe = |found: &Found| found.violations.iter().any(|broken| broken.severe);
        let mut all = Found::default();
        for contract in self.contracts.iter().filter(concerned) {
            if Instant::now() >= deadline && !is_severe(&all) {
                return None;
            }
            let effects = Effects {
                execution,
                transfers,
                stands,
                sender,
                contract,
                native: &self.chain.native,
                monitored: &self.monitored,
                views,
                taken: &self.taken,
                supposed: self.supposes,
            };
            let found = check_all(&effects, &written);
            all.violations.extend(found.violations);
            all.unaccounted.extend(found.unaccounted);
        }
        // Out of time, views have no answers.
        (Instant::now() < deadline || is_severe(&all)).then_some(all)
    }

    fn evidence(&self, environment: &Environment, sender: Address, run: &Run) -> Simulation {
        let Run {
            execution,
            transfers,
            stands,
            ..
        } = run;
        let frames = &execution.trace.frames;
        let touched = self.touched(execution);
        let created = frames.iter().zip(stands);
        let created = created.filter(|(frame, stands)| **stands && frame.kind.creates());
        Simulation {
            block: environment.block.number.saturating_to(),
            outcome: outcome(execution),
            succeeded: execution.exit == Exit::Succeeded,
            gas_used: execution.gas_used,
            frames: frames.len(),
            depth: frames.iter().map(|frame| frame.depth).max().unwrap_or(0),
            touched: touched.map(|contract| contract.name.clone()).collect(),
            acted: self.acted(execution, stands),
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
            unaccounted: run.unaccounted.clone(),
            leads: leads::of(execution, &self.monitored),
            accesses: accesses::of(execution, &self.monitored),
            ..Simulation::default()
        }
    }

    fn victims(&self, run: &Run) -> Vec<Victim> {
        victims(&run.violations, &run.transfers, &self.monitored)
    }

    /// The monitored contracts that it called.
    fn touched<'a>(&'a self, execution: &'a Execution) -> impl Iterator<Item = &'a Protected> {
        let frames = &execution.trace.frames;
        let called = |address| frames.iter().any(|frame| frame.to == Some(address));
        let contracts = self.contracts.iter();
        contracts.filter(move |contract| called(contract.address))
    }

    /// Whether it called one in a way that stands and can change something.
    fn acted(&self, execution: &Execution, stands: &[bool]) -> bool {
        let frames = execution.trace.frames.iter();
        let mut standing = frames.zip(stands);
        standing.any(|(frame, stands)| {
            let monitored = frame.to.is_some_and(|to| self.monitored.contains(&to));
            monitored && *stands && frame.kind == CallKind::Call && !frame.input.is_empty()
        })
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

/// What is executed before the suspect.
fn before_of<'a>(sequence: &'a [Step]) -> impl Iterator<Item = &'a Step<'a>> {
    sequence.iter().take(sequence.len().saturating_sub(1))
}

/// What others send before the suspect, by hash.
fn others(sequence: &[Step]) -> Vec<B256> {
    let sender = sequence.last().map(|suspect| suspect.tx.from);
    let others = before_of(sequence).filter(|step| Some(step.tx.from) != sender);
    others.map(|step| step.tx.hash).collect()
}

/// Has each violation say what it may hang on: who reads of it looks there, too.
fn say_after(violations: &mut [Violation], others: &[B256]) {
    let [first, more @ ..] = others else { return };
    let more = match more.len() {
        0 => String::new(),
        count => format!(" and {count} more of others"),
    };
    let said = format!("; after {first}{more}");
    for violation in violations {
        let room = MAX_EXPLANATION.saturating_sub(said.len());
        let mut text: String = violation.explanation.chars().take(room).collect();
        text.push_str(&said);
        violation.explanation = text;
    }
}

fn outcome(execution: &Execution) -> Cow<'static, str> {
    execution.exit.to_string().into()
}
