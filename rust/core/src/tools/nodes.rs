//! What a person's question is answered with: nodes, one of their blocks, and the state there.

use super::input::Input;
use crate::chain::{ChainSpec, CodeAnswer};
use crate::config::{Executor, SensorConfig, SimulationConfig, SourceConfig};
use crate::error::{Error, Result};
use crate::evidence::Simulation;
use crate::inbox::queue::queue;
use crate::node::{Asker, RpcError};
use crate::pipeline::codes::Codes;
use crate::pipeline::judge::Stages;
use crate::simulate::evm::backend::{Backend, Local, Remote};
use crate::simulate::evm::environment::{Environment, Header};
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
use alloy_primitives::{Address, B256, Bytes};
use revm::DatabaseRef;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) fn failed(what: &str, unfinished: Unfinished) -> Error {
    let reason = match unfinished {
        Unfinished::State(error) => error.to_string(),
        Unfinished::Failed(failure) => failure.reason,
    };
    node_error(what, reason)
}

pub(super) fn node_error(what: &str, reason: String) -> Error {
    Error::Node {
        endpoint: what.to_owned(),
        reason,
        transient: false,
    }
}

/// When a transaction is executed: on the state of `block`, in `environment`.
pub(super) struct Moment {
    pub block: HeadBlock,
    /// The transaction is the block's own: a node can tell what was before it.
    pub mined: bool,
}

/// Where a transaction was mined.
pub(super) type Mined = Option<B256>;

pub(super) struct Nodes {
    pub asker: Asker,
    chain: Arc<ChainSpec>,
    pub deadline: Instant,
}

impl Nodes {
    pub fn connect(
        config: &SensorConfig,
        chain: Arc<ChainSpec>,
        deadline: Instant,
    ) -> Result<Self> {
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

    pub fn transaction(&self, input: &Input) -> Result<(PendingTransaction, Extras, Mined)> {
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

    pub fn header(&self, block: &str) -> Result<Header> {
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

    pub fn moment(&self, block: Option<&str>, mined: Mined) -> Result<Moment> {
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
    pub fn code(&self, tx: &PendingTransaction, moment: &Moment, stages: &mut Stages) {
        let Some(address) = tx.to else { return };
        let Ok(code) = self.code_of(&address, &at(&moment.block.hash)) else {
            return;
        };
        let answer = CodeAnswer {
            address,
            code,
            inside: Bytes::new(),
            created_at: None,
            dating: false,
        };
        let Stages {
            codes, contacts, ..
        } = stages;
        Codes::insert(codes, &answer, contacts, moment.block.number);
    }

    /// `at`: the JSON of a block parameter.
    pub fn code_of(&self, address: &Address, at: &str) -> Result<Bytes> {
        let method = "eth_getCode";
        let raw = self.ask(method, format!(r#"["{address}",{at}]"#))?;
        read(&raw).map_err(|reason| node_error(method, reason))
    }

    pub fn simulate(
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
        let done = simulator.simulate(
            backend,
            &environment,
            &[Step { tx, extras }],
            0.0,
            self.deadline,
        );
        done.map_err(|unfinished| failed("simulation", unfinished))
    }

    /// What it reads, and whether a node told it at once: of a mined one, as the block's transactions before it left it.
    pub fn state(
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
