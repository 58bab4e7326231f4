//! One transaction for a person: what it would do, call by call, and what is to be thought of it (`mempool-ids simulate`).

pub use super::input::Input;

use super::nodes::{Nodes, failed};
use crate::chain::ChainSpec;
use crate::config::{Executor, SensorConfig};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::event::json::simulation::Done;
use crate::event::json::{Response, Victim, decimal, write};
use crate::evidence::trace::{Frame, Trace};
use crate::evidence::{Grade, Simulation, ThreatLevel};
use crate::pipeline::judge::Stages;
use crate::pipeline::slot::Slot;
use crate::simulate::evm::backend::Traced;
use crate::simulate::evm::environment::Environment;
use crate::simulate::judge::simulator::{Simulator, Step};
use crate::tx::{Extras, PendingTransaction};
use alloy_primitives::hex;
use arc_swap::ArcSwap;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A person waits longer than a block does.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The transaction, its simulation, its calls with what they mean, and the verdict, as JSON. `without_earlier`: it was mined,
/// and no node tells what its block's earlier transactions left; it is executed on what was there before the block.
///
/// `block`: a number, "latest" or a hash: the state that it is executed on. Without one: of a mined transaction what was
/// before it, else the latest.
///
/// # Errors
/// [`Error::Config`] and its like as for a sensor; [`Error::Node`] where a node does not have what is needed.
pub fn inspect(config: &SensorConfig, input: &Input, block: Option<&str>) -> Result<Vec<u8>> {
    let limits = config.simulation.clone().unwrap_or_default();
    let chain = ChainSpec::load(config.chain_id, config.chain_spec.as_deref())?;
    let mut stages = Stages::load(config)?;
    let mut simulator = simulator(config, &stages, chain.clone())?;
    let deadline = Instant::now() + PATIENCE;
    let (tx, simulation, without_earlier) = match input {
        Input::Trace(text) => {
            let trace = Trace::from_json(text).map_err(|error| Error::Config(error.to_string()))?;
            let tx = of_trace(&trace);
            let (environment, extras) = (Environment::unknown(config.chain_id), Extras::default());
            let step = Step {
                tx: &tx,
                extras: &extras,
            };
            let done = simulator.simulate(&Traced(trace), &environment, &[step], 0.0, deadline);
            let done = done.map_err(|unfinished| failed("recorded trace", unfinished))?;
            (tx, done, false)
        }
        _ => {
            let nodes = Nodes::connect(config, chain, deadline)?;
            let (tx, extras, mined) = nodes.transaction(input)?;
            let moment = nodes.moment(block, mined)?;
            nodes.code(&tx, &moment, &mut stages);
            let (state, told) = nodes.state(&limits, &tx, &extras, &moment);
            // A node executes on the state before the block.
            let told = told && limits.backend == Executor::Revm;
            let done = nodes.simulate(&mut simulator, &limits, &tx, &extras, &moment, &state)?;
            (tx, done, moment.mined && !told)
        }
    };
    let report = report(config, &mut stages, tx, &simulation, without_earlier);
    Ok(write(&report))
}

/// One that keeps all calls.
pub(super) fn simulator(
    config: &SensorConfig,
    stages: &Stages,
    chain: Arc<ChainSpec>,
) -> Result<Simulator> {
    let rules = Arc::new(ArcSwap::new(stages.matcher.rules().clone()));
    let mut simulator = Simulator::new(
        &config.contracts,
        &config.simulation.clone().unwrap_or_default(),
        chain,
        config.model.as_ref(),
        rules,
        config.detection.threshold,
    )?;
    simulator.keeps = true;
    Ok(simulator)
}

/// What is said of one transaction.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    calls: Vec<Value>,
    grade: Grade,
    names: Value,
    response: Response<'a>,
    simulation: Done<'a>,
    stage_one: Value,
    tx: Value,
    verdict: Value,
    victims: Vec<Victim<'a>>,
    without_earlier: bool,
}

/// Its root frame as a transaction.
fn of_trace(trace: &Trace) -> PendingTransaction {
    let root = trace.root().cloned().unwrap_or_default();
    PendingTransaction {
        from: root.from,
        to: (!root.kind.creates()).then_some(root.to).flatten(),
        value: root.value.unwrap_or_default(),
        gas: root.gas,
        input: root.input.to_vec(),
        ..PendingTransaction::default()
    }
}

pub(super) fn report<'a>(
    config: &SensorConfig,
    stages: &mut Stages,
    tx: PendingTransaction,
    done: &'a Simulation,
    without_earlier: bool,
) -> Report<'a> {
    let mut slot = Slot {
        tx,
        ..Slot::default()
    };
    stages.examine(&mut slot);
    let mut probabilities = Vec::new();
    let slots = [slot];
    // Without an answer the simulation stands alone.
    stages.classify(&slots, &mut probabilities).ok();
    let [slot] = slots;
    let probability = probabilities.first().copied().unwrap_or(0.0);
    let stage_one = probability.max(slot.signature_score);
    let verdict = done.verdict(stage_one);
    let frames = done.trace.iter().flat_map(|trace| &trace.frames);
    let calls: Vec<_> = frames.map(|frame| call(stages.decoder(), frame)).collect();
    let monitored = config.contracts.iter();
    let names = monitored.map(|c| (format!("{:#x}", c.address), Value::from(c.name.clone())));
    Report {
        calls,
        grade: done.grade(),
        names: Value::Object(names.collect()),
        response: Response::of(config.mode, done.response.as_ref()),
        simulation: Done::of(done),
        stage_one: json!({"probability": decimal(probability), "signature_score": decimal(slot.signature_score)}),
        tx: json!({
            "hash": slot.tx.hash, "from": format!("{:#x}", slot.tx.from),
            "to": slot.tx.to.map(|to| format!("{to:#x}")), "value": slot.tx.value.to_string(), "gas": slot.tx.gas,
        }),
        verdict: json!({"probability": decimal(verdict), "threat_level": ThreatLevel::of(verdict)}),
        victims: done.victims.iter().map(Victim::of).collect(),
        without_earlier,
    }
}

/// A call with its function's name and arguments, where its selector is known.
pub(super) fn call(decoder: &Decoder, frame: &Frame) -> Value {
    let named = PendingTransaction {
        from: frame.from,
        to: frame.to.filter(|_| !frame.kind.creates()),
        input: frame.input.to_vec(),
        ..PendingTransaction::default()
    };
    let description = decoder.describe(&named);
    let arguments = description.arguments.iter();
    let arguments =
        arguments.map(|(name, kind, value)| json!({"name": name, "type": kind, "value": value}));
    json!({
        "depth": frame.depth, "type": frame.kind.name(), "from": format!("{:#x}", frame.from),
        "to": frame.to.map(|to| format!("{to:#x}")), "value": frame.value.map(|value| value.to_string()),
        "gas_used": frame.gas_used, "selector": named.selector().map(hex::encode_prefixed),
        "function": description.function, "arguments": arguments.collect::<Vec<_>>(),
        "error": frame.error, "logs": frame.logs.len(),
    })
}
