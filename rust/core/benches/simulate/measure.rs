//! Every whole block, transaction by transaction.

use crate::figures::histogram;
use crate::machine::{Ticks, keccak_mb_per_second};
use crate::mainnet::{RecordedBlock, apply, blocks, bounds};
use hdrhistogram::Histogram;
use mempool_ids_core::evidence::transfers::net;
use mempool_ids_core::simulate::evm::StateError;
use mempool_ids_core::simulate::evm::diff::StateDiff;
use mempool_ids_core::simulate::evm::environment::Environment;
use mempool_ids_core::simulate::evm::execute::{Checks, Execution, Exit, Sandbox};
use mempool_ids_core::simulate::evm::tracer::Tracer;
use mempool_ids_core::simulate::state::RecordedState;
use revm::context::{CfgEnv, TxEnv};
use revm::database::CacheDB;
use revm::{Context, ExecuteEvm, InspectEvm, MainBuilder, MainContext};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Gas of a transaction that only pays.
const PAYMENT: u64 = 21_000;

/// What each transaction of a block changed and used, found once. `None` where the record of the block is not whole.
struct Known {
    block: RecordedBlock,
    diffs: Vec<StateDiff>,
    gas_used: Vec<u64>,
}

impl Known {
    fn find(block: RecordedBlock) -> Option<Self> {
        let (mut diffs, mut gas_used) = (Vec::new(), Vec::new());
        let mut sandbox = Sandbox::new(&block.state, &block.environment);
        for (hash, _, transaction) in &block.transactions {
            let done = sandbox.execute(transaction.clone(), Checks::Consensus, bounds());
            match done.exit {
                Exit::NoState(StateError::NoCode(_) | StateError::NoBlockHash(_)) => {
                    return None;
                }
                Exit::Succeeded | Exit::Reverted | Exit::Halted(_) => {}
                exit => panic!("{hash}: {exit:?}"),
            }
            assert!(!done.cut, "{hash}: cut");
            diffs.push(done.diff);
            gas_used.push(done.gas_used);
        }
        let recorded = block.header.gas_used.u64();
        assert_eq!(gas_used.iter().sum::<u64>(), recorded, "as recorded");
        Some(Self {
            block,
            diffs,
            gas_used,
        })
    }

    /// Hands each transaction with the state before it to `each`, with the gas that it used.
    fn run(&self, mut each: impl FnMut(&RecordedState, &Environment, TxEnv, u64)) {
        let mut state = self.block.state.clone();
        let used = self.diffs.iter().zip(&self.gas_used);
        for ((_, _, transaction), (diff, gas_used)) in self.block.transactions.iter().zip(used) {
            each(
                &state,
                &self.block.environment,
                transaction.clone(),
                *gas_used,
            );
            apply(&mut state, diff);
        }
    }
}

fn rules(environment: &Environment) -> CfgEnv {
    let mut rules = CfgEnv::new_with_spec(environment.fork).with_chain_id(environment.chain_id);
    rules.blob_base_fee_update_fraction = environment.blob_base_fee_update_fraction;
    rules
}

/// revm alone: no inspector, no diff.
fn plain(state: &RecordedState, environment: &Environment, transaction: TxEnv) -> u64 {
    let mut evm = Context::mainnet()
        .with_db(CacheDB::new(state))
        .with_cfg(rules(environment))
        .with_block(environment.block.clone())
        .build_mainnet();
    let done = evm.transact(transaction).expect("executes");
    done.result.tx_gas_used()
}

/// revm with the recorder, without the diff.
fn recorded(state: &RecordedState, environment: &Environment, transaction: TxEnv) -> u64 {
    let mut evm = Context::mainnet()
        .with_db(CacheDB::new(state))
        .with_cfg(rules(environment))
        .with_block(environment.block.clone())
        .build_mainnet_with_inspector(Tracer::new(bounds()));
    let done = evm.inspect_tx(transaction).expect("executes");
    black_box(evm.into_inspector().finish());
    done.result.tx_gas_used()
}

/// All that is done for a suspect, but for the judging.
pub fn whole(state: &RecordedState, environment: &Environment, transaction: TxEnv) -> Execution {
    let mut sandbox = Sandbox::new(state, environment);
    let execution = sandbox.execute(transaction, Checks::Pending, bounds());
    black_box(net(&execution.trace.transfers()));
    execution
}

/// Nanoseconds of every transaction, and of those that run code.
struct Times {
    all: Histogram<u64>,
    with_code: Histogram<u64>,
    slowest: (u64, u64),
}

impl Times {
    fn new() -> Self {
        Self {
            all: histogram(),
            with_code: histogram(),
            slowest: (0, 0),
        }
    }

    fn record(&mut self, taken: Duration, gas_used: u64) {
        let nanoseconds = taken.as_nanos() as u64;
        self.all.saturating_record(nanoseconds);
        if gas_used > PAYMENT {
            self.with_code.saturating_record(nanoseconds);
        }
        self.slowest = self.slowest.max((nanoseconds, gas_used));
    }

    fn json(&self) -> Value {
        json!({"all": figures(&self.all), "with_code": figures(&self.with_code), "slowest_gas": self.slowest.1})
    }
}

/// Microseconds.
fn figures(histogram: &Histogram<u64>) -> Value {
    let at = |q: f64| histogram.value_at_quantile(q) as f64 / 1000.0;
    json!({
        "count": histogram.len(),
        "mean": histogram.mean() / 1000.0,
        "p50": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "p99.9": at(0.999),
        "max": histogram.max() as f64 / 1000.0,
    })
}

/// Figures of one core over all whole blocks, in rounds.
pub fn measure(quick: bool) -> Value {
    let blocks = blocks();
    let recorded_blocks = blocks.len();
    let known: Vec<Known> = blocks.into_iter().filter_map(Known::find).collect();
    if known.is_empty() {
        return Value::Null;
    }
    let [mut alone, mut recorder, mut execute, mut flows, mut total] =
        std::array::from_fn(|_| Times::new());
    let before = Ticks::now();
    let keccak = keccak_mb_per_second();
    let rounds = if quick { 1 } else { 5 };
    for _ in 0..rounds {
        for block in &known {
            block.run(|state, environment, transaction, gas_used| {
                let start = Instant::now();
                let gas = plain(state, environment, transaction);
                alone.record(start.elapsed(), gas_used);
                assert_eq!(gas, gas_used);
            });
            block.run(|state, environment, transaction, gas_used| {
                let start = Instant::now();
                let gas = recorded(state, environment, transaction);
                recorder.record(start.elapsed(), gas_used);
                assert_eq!(gas, gas_used);
            });
            block.run(|state, environment, transaction, gas_used| {
                let start = Instant::now();
                let mut sandbox = Sandbox::new(state, environment);
                let done = sandbox.execute(transaction, Checks::Consensus, bounds());
                let executed = start.elapsed();
                black_box(net(&done.trace.transfers()));
                let taken = start.elapsed();
                execute.record(executed, gas_used);
                flows.record(taken - executed, gas_used);
                total.record(taken, gas_used);
                assert_eq!(done.gas_used, gas_used);
            });
        }
    }
    let gas: u64 = known.iter().flat_map(|block| &block.gas_used).sum();
    let transactions: usize = known.iter().map(|block| block.gas_used.len()).sum();
    let mean = total.all.mean();
    json!({
        "rounds": rounds,
        "blocks": known.len(),
        "blocks_recorded": recorded_blocks,
        "transactions": transactions,
        "gas": gas,
        "tx_per_second": 1e9 / mean,
        "megagas_per_second": gas as f64 / transactions as f64 / mean * 1e3,
        "stolen_percent": Ticks::stolen_since(before),
        "keccak_mb_per_second": keccak,
        "us": {
            "revm_alone": alone.json(),
            "revm_with_recorder": recorder.json(),
            "execute_with_diff": execute.json(),
            "flows": flows.json(),
            "total": total.json(),
        },
    })
}
