//! A sequence of transactions, calls and views on a live node's state, each on what the former left: a drill that sends
//! nothing.

use super::input::Input;
use super::inspect::{PATIENCE, Report, report, simulator};
use super::nodes::{Nodes, failed, node_error};
use crate::chain::ChainSpec;
use crate::config::{Pause, SensorConfig};
use crate::error::{Error, Result};
use crate::event::json::write;
use crate::evidence::Simulation;
use crate::pipeline::judge::Stages;
use crate::simulate::evm::backend::Local;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::execute::{Checks, Exit, Sandbox};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::transaction::{from_pause, from_pending};
use crate::simulate::judge::simulator::{self, Simulator};
use crate::simulate::state::Snapshot;
use crate::tx::{Extras, PendingTransaction};
use alloy_primitives::{Address, Bytes, U256, hex};
use revm::primitives::hardfork::SpecId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Instant;

/// Steps of one rehearsal.
const MOST: usize = 64;

/// What is to be done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    steps: Vec<Told>,
    /// By whose rules; the next block's unless it is said.
    #[serde(default)]
    rules: Rules,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rules {
    #[default]
    Next,
    Amsterdam,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// A hash, signed bytes in hex, or an object as `eth_getTransactionByHash` answers it, in text or as it is.
    Tx(Value),
    /// As a transaction of somebody who can pay for it.
    Call(Call),
    View(View),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    from: Address,
    to: Address,
    input: Bytes,
    #[serde(default)]
    value: U256,
    /// The most that a transaction may have, unless it is given.
    gas: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct View {
    to: Address,
    input: Bytes,
}

impl Script {
    /// Of JSON: `{"steps": […], "rules": "amsterdam"}`, or the steps alone.
    ///
    /// # Errors
    /// [`Error::Config`]: it is none, or has too many steps.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: String| Error::Config(format!("steps: {why}"));
        let script = match text.trim_start().starts_with('[') {
            true => serde_json::from_str(text).map(|steps| Self {
                steps,
                rules: Rules::default(),
            }),
            false => serde_json::from_str(text),
        };
        let script: Self = script.map_err(|error| wrong(error.to_string()))?;
        match script.steps.len() {
            0 => Err(wrong("none".into())),
            1..=MOST => Ok(script),
            more => Err(wrong(format!("{more}, but {MOST} at the most"))),
        }
    }
}

/// A step that can be taken.
enum Step {
    Tx(Box<(PendingTransaction, Extras)>),
    Call(Pause),
    View(View),
}

#[derive(Serialize)]
struct Done {
    /// tx, call or view.
    kind: &'static str,
    outcome: String,
    succeeded: bool,
    /// As a receipt says, and before refunds; nothing of a view.
    gas_used: Option<u64>,
    gas_spent: Option<u64>,
    output: String,
    took_us: f64,
}

#[derive(Serialize)]
struct Rehearsed<'a> {
    /// The block that all happens in.
    block: u64,
    fork: &'static str,
    steps: Vec<Done>,
    /// Of the last transaction, after what comes before it, as of `inspect`.
    simulation: Option<Report<'a>>,
}

/// Executes the steps on the state of `block` (a number, "latest" or a hash); without one, on what was before the last
/// transaction where that is mined, else on the latest. The last transaction is judged, too. Answers JSON.
///
/// # Errors
/// [`Error::Config`] and its like as for a sensor; [`Error::Node`] where a node does not have what is needed.
pub fn rehearse(config: &SensorConfig, script: Script, block: Option<&str>) -> Result<Vec<u8>> {
    let limits = config.simulation.clone().unwrap_or_default();
    let chain = ChainSpec::load(config.chain_id, config.chain_spec.as_deref())?;
    let mut stages = Stages::load(config)?;
    let mut simulator = simulator(config, &stages, chain.clone())?;
    let deadline = Instant::now() + PATIENCE;
    let nodes = Nodes::connect(config, chain, deadline)?;
    let (mut steps, mut mined) = (Vec::new(), None);
    for told in script.steps {
        steps.push(match told {
            Told::Tx(told) => {
                let text = told
                    .as_str()
                    .map_or_else(|| told.to_string(), str::to_owned);
                let (tx, extras, at) = nodes.transaction(&Input::parse(&text)?)?;
                mined = at;
                Step::Tx(Box::new((tx, extras)))
            }
            Told::Call(call) => Step::Call(Pause {
                from: call.from,
                to: call.to,
                input: call.input,
                value: call.value,
                gas: call.gas,
                check: None,
            }),
            Told::View(view) => Step::View(view),
        });
    }
    let moment = nodes.moment(block, mined)?;
    let mut environment = moment.block.next.clone();
    if script.rules == Rules::Amsterdam {
        environment.fork = environment.fork.max(SpecId::AMSTERDAM);
    }
    let is_tx = |step: &Step| matches!(step, Step::Tx(_));
    let last = steps.iter().rposition(is_tx);
    let nobody = Box::default();
    let (tx, extras) = match last.and_then(|at| steps.get(at)) {
        Some(Step::Tx(last)) => &**last,
        _ => &*nobody,
    };
    // What it reads at once; the rest is asked for piece by piece.
    let (state, told) = nodes.state(&limits, tx, extras, &moment);
    let view = Snapshot::new(&state, &moment.block, Some((&nodes.asker, deadline)));
    let bounds = Bounds {
        deadline,
        frames: limits.frames,
        bytes: limits.bytes,
        accesses: limits.accesses,
    };
    let (mut sandbox, mut done, mut judged) = (Sandbox::new(&view, &environment), Vec::new(), None);
    for (at, step) in steps.iter().enumerate() {
        if Some(at) == last {
            let judge = judge(
                &mut simulator,
                &sandbox,
                &environment,
                (tx, extras),
                deadline,
            );
            judged = Some(judge?);
        }
        done.push(take(step, &mut sandbox, &environment, bounds)?);
    }
    if judged.is_some() {
        nodes.code(tx, &moment, &mut stages);
    }
    let without_earlier = moment.mined && !told;
    let simulation = judged
        .as_ref()
        .map(|judged| report(config, &mut stages, tx.clone(), judged, without_earlier));
    Ok(write(&Rehearsed {
        block: environment.block.number.saturating_to(),
        fork: environment.fork.into(),
        steps: done,
        simulation,
    }))
}

/// The transaction on what the steps before it left.
fn judge(
    simulator: &mut Simulator,
    sandbox: &Sandbox<Snapshot>,
    environment: &Environment,
    (tx, extras): (&PendingTransaction, &Extras),
    deadline: Instant,
) -> Result<Simulation> {
    let step = simulator::Step { tx, extras };
    let state = sandbox.state();
    let done = simulator.simulate(&Local(state), environment, &[step], 0.0, deadline);
    done.map_err(|unfinished| failed("simulation", unfinished))
}

fn take(
    step: &Step,
    sandbox: &mut Sandbox<Snapshot>,
    environment: &Environment,
    bounds: Bounds,
) -> Result<Done> {
    let begun = Instant::now();
    let (kind, transaction) = match step {
        Step::View(view) => {
            let answer = sandbox.view(view.to, view.input.clone(), bounds);
            let took = begun.elapsed();
            let (exit, output) = match answer {
                Ok(output) => (Exit::Succeeded, output),
                Err(exit) => (exit, Bytes::new()),
            };
            return told("view", &exit, None, &output, took);
        }
        Step::Tx(tx) => ("tx", from_pending(&tx.0, tx.1.clone())),
        Step::Call(call) => {
            let transaction = from_pause(call, environment);
            let gas = U256::from(transaction.gas_limit) * U256::from(transaction.gas_price);
            sandbox
                .endow(call.from, gas.saturating_add(call.value))
                .map_err(|error| node_error("state", error.to_string()))?;
            ("call", transaction)
        }
    };
    let execution = sandbox.execute(transaction, Checks::Pending, bounds);
    let gas = Some((execution.gas_used, execution.gas_spent));
    told(
        kind,
        &execution.exit,
        gas,
        &execution.output,
        begun.elapsed(),
    )
}

fn told(
    kind: &'static str,
    exit: &Exit,
    gas: Option<(u64, u64)>,
    output: &Bytes,
    took: std::time::Duration,
) -> Result<Done> {
    if let Exit::NoState(error) = exit {
        return Err(node_error("state", error.to_string()));
    }
    Ok(Done {
        kind,
        outcome: exit.to_string(),
        succeeded: *exit == Exit::Succeeded,
        gas_used: gas.map(|(used, _)| used),
        gas_spent: gas.map(|(_, spent)| spent),
        output: hex::encode_prefixed(output),
        took_us: took.as_nanos() as f64 / 1000.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_alone_or_with_the_rules() {
        let steps = r#"[{"tx": "0xab"}, {"view": {"to": "0x5fbdb2315678afecb367f032d93f642f64180aa3", "input": "0x5c975abb"}}]"#;
        assert_eq!(Script::parse(steps).unwrap().rules, Rules::Next);
        let script = format!(r#"{{"steps": {steps}, "rules": "amsterdam"}}"#);
        let script = Script::parse(&script).unwrap();
        assert_eq!((script.steps.len(), script.rules), (2, Rules::Amsterdam));
    }

    #[test]
    fn what_is_no_script_is_refused() {
        let call = r#"[{"call": {"from": "0x5fbdb2315678afecb367f032d93f642f64180aa3"}}]"#;
        let many = format!("[{}]", vec![r#"{"tx": "0x"}"#; MOST + 1].join(","));
        for (text, said) in [
            ("[]", "none"),
            ("{}", "steps"),
            ("[1]", "steps"),
            (call, "missing field `to`"),
            (r#"{"steps": [{"tx": "0x"}], "rules": "bronze"}"#, "bronze"),
            (&many, "65, but 64"),
        ] {
            let error = Script::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
