//! One transaction for a person: what it would do, call by call, and what is to be thought of it (`mempool-ids simulate`).

use crate::chain::{ChainSpec, CodeAnswer};
use crate::config::{Executor, SensorConfig, SimulationConfig, SourceConfig};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::event::json::simulation::Done;
use crate::event::json::{decimal, write};
use crate::evidence::trace::{Frame, Trace};
use crate::evidence::{Simulation, ThreatLevel};
use crate::inbox::queue::queue;
use crate::node::{Asker, RpcError};
use crate::pipeline::codes::Codes;
use crate::pipeline::judge::Stages;
use crate::pipeline::slot::Slot;
use crate::simulate::evm::backend::{Backend, Local, Remote, Traced};
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::environment::Header;
use crate::simulate::evm::question::at;
use crate::simulate::evm::told::read;
use crate::simulate::evm::transaction::from_pending;
use crate::simulate::judge::simulator::{Simulator, Step, Unfinished};
use crate::simulate::state::head::{Changes, HeadBlock, HeadState};
use crate::simulate::state::{Snapshot, prefetch};
use crate::stats::Stats;
use crate::tx::{Extras, PendingTransaction};
use crate::wire::parse_object;
use crate::wire::signed::decode_raw;
use alloy_consensus::TxEnvelope;
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{B256, Bytes, hex};
use arc_swap::ArcSwap;
use revm::DatabaseRef;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A person waits longer than a block does.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A transaction that the nodes know.
    Hash(B256),
    /// Signed bytes (EIP-2718).
    Signed(Vec<u8>),
    /// A transaction object as `eth_getTransactionByHash` returns it.
    Object(Vec<u8>),
    /// A call tree as `callTracer` writes it.
    Trace(String),
}

impl Input {
    /// By its looks: 0x and 64 digits are a hash, more are signed bytes; JSON is a transaction or a call tree, alone or as
    /// the `result` of an answer.
    ///
    /// # Errors
    /// [`Error::Config`]: it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with('{') {
            let mut object = text;
            if let Some(result) = member(object, "result").filter(|raw| raw.starts_with('{')) {
                object = result;
            }
            // A transaction's type is a number.
            let kind = member(object, "type").unwrap_or_default();
            let is_frame = kind.starts_with('"') && !kind.starts_with("\"0x");
            return Ok(match is_frame {
                true => Self::Trace(object.to_owned()),
                false => Self::Object(object.as_bytes().to_vec()),
            });
        }
        let bytes = hex::decode(text).map_err(|_| {
            let said = "neither a transaction's hash, nor signed bytes in hex, nor JSON";
            Error::Config(said.into())
        })?;
        if let Ok(hash) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(Self::Hash(hash.into()));
        }
        decode_raw(&bytes, None, None, 0)
            .map_err(|error| Error::Config(format!("signed transaction: {error}")))?;
        Ok(Self::Signed(bytes))
    }
}

/// One member's raw text; a generic reader does not go as deep as a trace.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    match sonic_rs::get(object, &[name]).ok()?.as_raw_cow() {
        Cow::Borrowed(raw) => Some(raw),
        Cow::Owned(_) => None,
    }
}

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
    let rules = Arc::new(ArcSwap::new(stages.matcher.rules().clone()));
    let model = config.model.as_ref();
    let mut simulator = Simulator::new(&config.contracts, &limits, chain.clone(), model, rules)?;
    simulator.keeps = true;
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
            let done = simulator.simulate(&Traced(trace), &environment, &[step], deadline);
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
    let report = Report {
        without_earlier,
        ..report(config, &mut stages, tx, &simulation)
    };
    Ok(write(&report))
}

/// What is said of one transaction.
#[derive(Serialize)]
struct Report<'a> {
    calls: Vec<Value>,
    names: Value,
    simulation: Done<'a>,
    stage_one: Value,
    tx: Value,
    verdict: Value,
    without_earlier: bool,
}

fn failed(what: &str, unfinished: Unfinished) -> Error {
    let reason = match unfinished {
        Unfinished::State(error) => error.to_string(),
        Unfinished::Failed(failure) => failure.reason,
    };
    node_error(what, reason)
}

fn node_error(what: &str, reason: String) -> Error {
    Error::Node {
        endpoint: what.to_owned(),
        reason,
        transient: false,
    }
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

/// When a transaction is executed: on the state of `block`, in `environment`.
struct Moment {
    block: HeadBlock,
    /// The transaction is the block's own: a node can tell what was before it.
    mined: bool,
}

/// Where a transaction was mined.
type Mined = Option<B256>;

struct Nodes {
    asker: Asker,
    chain: Arc<ChainSpec>,
    deadline: Instant,
}

impl Nodes {
    fn connect(config: &SensorConfig, chain: Arc<ChainSpec>, deadline: Instant) -> Result<Self> {
        let SourceConfig::Live(live) = &config.source else {
            return Err(Error::Config("a replay has no nodes to ask".into()));
        };
        if live.rpc_urls.is_empty() && live.websocket_urls.is_empty() {
            let said = "chain.rpc_urls is empty: which node has the state? \
                        For example --set chain.rpc_urls=http://127.0.0.1:8545";
            return Err(Error::Config(said.into()));
        }
        let stats = Arc::new(Stats::default());
        // What goes wrong is told by the answers.
        let (items, _) = queue(&config.limits, stats.clone());
        let asker = Asker::start(live, config.chain_id, &config.limits, stats, items)?;
        Ok(Self {
            asker,
            chain,
            deadline,
        })
    }

    fn ask(&self, method: &'static str, params: String) -> Result<bytes::Bytes> {
        // A connection of its own may take a moment to be there.
        loop {
            let asked = vec![(method, params.clone())];
            let answer = self.asker.wait(asked, self.deadline).pop();
            match answer.unwrap_or(Err(RpcError::Unconnected)) {
                Ok(raw) => return Ok(raw),
                Err(RpcError::Unconnected) if Instant::now() < self.deadline => {}
                Err(error) => return Err(node_error(method, error.to_string())),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn transaction(&self, input: &Input) -> Result<(PendingTransaction, Extras, Mined)> {
        let unreadable = |what: &str, reason: String| Error::Config(format!("{what}: {reason}"));
        let object = match input {
            Input::Signed(bytes) => {
                let tx = decode_raw(bytes, None, None, 0)
                    .map_err(|error| unreadable("signed transaction", error.to_string()))?;
                let envelope = TxEnvelope::decode_2718_exact(bytes)
                    .map_err(|error| unreadable("signed transaction", error.to_string()))?;
                return Ok((tx, Extras::of_envelope(&envelope), None));
            }
            Input::Hash(hash) => self.ask("eth_getTransactionByHash", format!(r#"["{hash}"]"#))?,
            Input::Object(object) => object.clone().into(),
            Input::Trace(_) => bytes::Bytes::new(),
        };
        let tx = parse_object(&object, 0)
            .map_err(|error| unreadable("transaction", error.to_string()))?;
        let extras = Extras::of_object(&object).map_err(|why| unreadable("transaction", why))?;
        let value: Value = serde_json::from_slice(&object).unwrap_or_default();
        let mined = value["blockHash"]
            .as_str()
            .and_then(|hash| hash.parse().ok());
        Ok((tx, extras, mined))
    }

    fn header(&self, block: &str) -> Result<Header> {
        let (method, param) = match block.len() {
            66 => ("eth_getBlockByHash", block.to_owned()),
            _ => match block.parse::<u64>() {
                Ok(number) => ("eth_getBlockByNumber", format!("{number:#x}")),
                Err(_) => ("eth_getBlockByNumber", block.to_owned()),
            },
        };
        let quoted = Value::from(param);
        let raw = self.ask(method, format!("[{quoted},false]"))?;
        read(&raw).map_err(|reason| node_error(method, reason))
    }

    fn moment(&self, block: Option<&str>, mined: Mined) -> Result<Moment> {
        if let (None, Some(mined)) = (block, mined) {
            let own = self.header(&mined.to_string())?;
            let parent = self.header(&own.parent_hash.to_string())?;
            let block = head_block(&parent, own.own(&self.chain));
            return Ok(Moment { block, mined: true });
        }
        let header = self.header(block.unwrap_or("latest"))?;
        let block = head_block(&header, header.next(&self.chain, None));
        Ok(Moment {
            block,
            mined: false,
        })
    }

    /// The callee's code tells the first stage most.
    fn code(&self, tx: &PendingTransaction, moment: &Moment, stages: &mut Stages) {
        let Some(address) = tx.to else { return };
        let params = format!(r#"["{address}",{}]"#, at(&moment.block.hash));
        let Ok(raw) = self.ask("eth_getCode", params) else {
            return;
        };
        let answer = CodeAnswer {
            address,
            code: read::<Bytes>(&raw).unwrap_or_default(),
            created_at: None,
            dating: false,
        };
        let Stages {
            codes, contacts, ..
        } = stages;
        Codes::insert(codes, &answer, contacts, moment.block.number);
    }

    fn simulate(
        &self,
        simulator: &mut Simulator,
        limits: &SimulationConfig,
        tx: &PendingTransaction,
        extras: &Extras,
        moment: &Moment,
        state: &HeadState,
    ) -> Result<Simulation> {
        let (head, environment) = (moment.block.hash, moment.block.next.clone());
        let asks = Some((&self.asker, self.deadline));
        let view = Snapshot::new(state, &moment.block, asks);
        // Said now, where the node has no state of that block at all.
        view.basic_ref(tx.from)
            .map_err(|error| node_error("state", error.to_string()))?;
        let local = Local(&view);
        let remote = Remote {
            asker: &self.asker,
            method: limits.backend,
            block: head,
        };
        let backend: &dyn Backend = match limits.backend {
            Executor::Revm => &local,
            _ => &remote,
        };
        let done = simulator.simulate(backend, &environment, &[Step { tx, extras }], self.deadline);
        done.map_err(|unfinished| failed("simulation", unfinished))
    }

    /// What it reads, and whether a node told it at once: of a mined one, as the block's transactions before it left it.
    fn state(
        &self,
        limits: &SimulationConfig,
        tx: &PendingTransaction,
        extras: &Extras,
        moment: &Moment,
    ) -> (HeadState, bool) {
        let state = HeadState::new(limits.state);
        state.advance(moment.block.clone(), Changes::Unknown);
        let head = moment.block.hash;
        let (method, params) = match moment.mined {
            true => (
                "debug_traceTransaction",
                format!(r#"["{}",{{"tracer":"prestateTracer"}}]"#, tx.hash),
            ),
            false => {
                let transaction = from_pending(tx, extras.clone());
                let params = prefetch::params(&transaction, &head, &moment.block.next);
                (prefetch::METHOD, params)
            }
        };
        let answer = self.ask(method, params).ok();
        let accounts = answer.and_then(|raw| prefetch::accounts(&raw).ok());
        let told = accounts.is_some_and(|accounts| state.learn_all(&head, accounts).is_ok());
        // Otherwise it is asked for piece by piece.
        (state, told)
    }
}

fn head_block(state: &Header, next: Environment) -> HeadBlock {
    HeadBlock {
        number: state.number(),
        hash: state.hash,
        parent: state.parent_hash,
        timestamp: state.timestamp(),
        next,
    }
}

fn report<'a>(
    config: &SensorConfig,
    stages: &mut Stages,
    tx: PendingTransaction,
    done: &'a Simulation,
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
        names: Value::Object(names.collect()),
        simulation: Done::of(done),
        stage_one: json!({"probability": decimal(probability), "signature_score": decimal(slot.signature_score)}),
        tx: json!({
            "hash": slot.tx.hash, "from": format!("{:#x}", slot.tx.from),
            "to": slot.tx.to.map(|to| format!("{to:#x}")), "value": slot.tx.value.to_string(), "gas": slot.tx.gas,
        }),
        verdict: json!({"probability": decimal(verdict), "threat_level": ThreatLevel::of(verdict)}),
        without_earlier: false,
    }
}

/// A call with its function's name and arguments, where its selector is known.
fn call(decoder: &Decoder, frame: &Frame) -> Value {
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
