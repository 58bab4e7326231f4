//! A node's own EVM: for chains whose rules revm does not have, and to compare with.

use super::traced::of_trace;
use super::{Backend, Look};
use crate::config::Executor;
use crate::evidence::trace::{Frame, FrameLog, Trace};
use crate::node::{Asker, printable};
use crate::simulate::evm::diff::StateDiff;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::error::StateError;
use crate::simulate::evm::execute::{Execution, Exit, first_frame};
use crate::simulate::evm::question::{ask, at, call, overrides};
use crate::simulate::evm::told::{ToldDiff, read};
use crate::simulate::evm::tracer::{Bounds, Stop};
use crate::simulate::evm::views::NoViews;
use alloy_primitives::{Address, B256, Bytes, U64, U256, address};
use revm::context::TxEnv;
use serde::Deserialize;
use serde_json::{Value, json};

/// Ether's transfers are logs of this address where a node is asked to trace them.
const NATIVE: Address = address!("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");

/// Executes on a node, on the state of one block. Views have no answer.
pub struct Remote<'a> {
    pub asker: &'a Asker,
    /// One of the node's.
    pub method: Executor,
    pub block: B256,
}

impl Backend for Remote<'_> {
    fn execute(
        &self,
        environment: &Environment,
        transactions: &[TxEnv],
        endowed: &[Address],
        bounds: Bounds,
        look: Look,
    ) -> Result<(), StateError> {
        if transactions
            .iter()
            .any(|transaction| transaction.tx_type >= 3)
        {
            let said = "a node executes no blob or set-code transactions in calls";
            return Err(StateError::Node(said.into()));
        }
        if !endowed.is_empty() {
            return Err(StateError::Node("a node gives nobody ether".into()));
        }
        let executions = match (self.method, transactions) {
            (Executor::DebugTraceCall, [transaction]) => {
                vec![self.trace(environment, transaction, bounds)?]
            }
            (Executor::DebugTraceCall, _) => {
                let said = "debug_traceCall executes one transaction at a time";
                return Err(StateError::Node(said.into()));
            }
            (Executor::EthSimulateV1 | Executor::Revm, _) => {
                self.simulate(environment, transactions, bounds)?
            }
        };
        for mut execution in executions {
            if execution.trace.frames.len() > bounds.frames {
                execution.exit = Exit::Stopped(Stop::Frames);
            }
            look(execution, &NoViews);
        }
        Ok(())
    }

    fn varies(&self) -> bool {
        true
    }
}

impl Remote<'_> {
    fn trace(
        &self,
        environment: &Environment,
        transaction: &TxEnv,
        bounds: Bounds,
    ) -> Result<Execution, StateError> {
        let overrides = overrides(environment);
        let params = |tracer: Value| {
            let mut options = tracer;
            options["blockOverrides"] = overrides.clone();
            format!("[{},{},{options}]", call(transaction), at(&self.block))
        };
        let tree = json!({"tracer": "callTracer", "tracerConfig": {"withLog": true}});
        let diff = json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}});
        let questions = vec![
            ("debug_traceCall", params(tree)),
            ("debug_traceCall", params(diff)),
        ];
        let answers = ask(self.asker, questions, bounds.deadline)?;
        let text = std::str::from_utf8(&answers[0]).unwrap_or_default();
        let trace = Trace::from_json(text);
        let trace = trace.map_err(|error| StateError::Node(format!("debug_traceCall: {error}")))?;
        let told: ToldDiff = read(&answers[1]).map_err(StateError::Node)?;
        Ok(of_trace(trace, StateDiff::of_told(told)))
    }

    fn simulate(
        &self,
        environment: &Environment,
        transactions: &[TxEnv],
        bounds: Bounds,
    ) -> Result<Vec<Execution>, StateError> {
        let calls: Vec<_> = transactions.iter().map(call).collect();
        let payload = json!({
            "blockStateCalls": [{"blockOverrides": simulated_overrides(environment), "calls": calls}],
            "traceTransfers": true, "validation": false,
        });
        let params = format!("[{payload},{}]", at(&self.block));
        let questions = vec![("eth_simulateV1", params)];
        let answers = ask(self.asker, questions, bounds.deadline)?;
        let blocks: Vec<SimulatedBlock> = read(&answers[0]).map_err(StateError::Node)?;
        let calls = blocks.into_iter().flat_map(|block| block.calls);
        let calls: Vec<_> = calls.collect();
        if calls.len() != transactions.len() {
            let said = "eth_simulateV1: not as many results as transactions";
            return Err(StateError::Node(said.into()));
        }
        let both = transactions.iter().zip(calls);
        Ok(both
            .map(|(transaction, call)| simulated(transaction, call))
            .collect())
    }
}

/// Of `eth_simulateV1`, which wants the block's number and time to be later than the state's.
fn simulated_overrides(environment: &Environment) -> Value {
    let mut overrides = overrides(environment);
    // Calls without a price pay none.
    overrides["baseFeePerGas"] = "0x0".into();
    overrides
}

#[derive(Deserialize)]
struct SimulatedBlock {
    calls: Vec<SimulatedCall>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SimulatedCall {
    return_data: Bytes,
    #[serde(default)]
    logs: Vec<SimulatedLog>,
    gas_used: U64,
    status: U64,
    error: Option<SimulatedError>,
}

#[derive(Deserialize)]
struct SimulatedError {
    message: String,
}

#[derive(Deserialize)]
struct SimulatedLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// A node may add what the contract said, which anybody may have written.
fn told(error: &str) -> String {
    const LENGTH: usize = 100;
    match error.starts_with("execution reverted") {
        true => "execution reverted".into(),
        false => printable(error, LENGTH),
    }
}

/// Its logs in the transaction's own frame, and a frame for each of ether's transfers but its own.
fn simulated(transaction: &TxEnv, call: SimulatedCall) -> Execution {
    let failed = call.status.is_zero();
    let error = call.error.map(|error| error.message);
    let mut root = Frame {
        gas_used: call.gas_used.to(),
        output: call.return_data,
        error: failed.then(|| error.map_or("execution reverted".into(), |said| told(&said).into())),
        ..first_frame(transaction)
    };
    let mut frames = Vec::new();
    let mut own = !transaction.value.is_zero();
    for (index, log) in (0..).zip(call.logs) {
        let transfer = match (log.address, log.topics.as_slice()) {
            (NATIVE, [_, from, to]) if log.data.len() == 32 => Some((*from, *to)),
            _ => None,
        };
        match transfer {
            // The transaction's own value is in its frame.
            Some(_) if std::mem::take(&mut own) => {}
            Some((from, to)) => frames.push(Frame {
                depth: 1,
                from: Address::from_word(from),
                to: Some(Address::from_word(to)),
                value: Some(U256::from_be_slice(&log.data)),
                ..Frame::default()
            }),
            None => root.logs.push(FrameLog {
                address: log.address,
                topics: log.topics,
                data: log.data,
                position: frames.len() as u32,
                index,
            }),
        }
    }
    frames.insert(0, root);
    Execution {
        has_calls: false,
        ..of_trace(Trace { frames }, StateDiff::default())
    }
}
