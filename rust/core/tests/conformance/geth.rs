//! geth's own tracer tests.

use super::call_tracer::to_json;
use super::recorded::{Number, archive, shared};
use super::{bounds, difference};
use alloy_consensus::{TxEnvelope, transaction::SignerRecoverable};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use mempool_ids_core::evidence::trace::Trace;
use mempool_ids_core::simulate::evm::environment::Environment;
use mempool_ids_core::simulate::evm::execute::{Checks, Execution, Sandbox};
use mempool_ids_core::simulate::evm::transaction::from_envelope;
use mempool_ids_core::simulate::state::RecordedState;
use revm::bytecode::Bytecode;
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub struct Fixture {
    genesis: Genesis,
    context: Context,
    input: Bytes,
    #[serde(rename = "tracerConfig", default)]
    pub config: Value,
    pub result: Value,
}

#[derive(Deserialize)]
struct Genesis {
    alloc: BTreeMap<Address, Account>,
    config: Value,
    #[serde(rename = "excessBlobGas", default)]
    excess_blob_gas: Option<Number>,
    #[serde(rename = "blobGasUsed", default)]
    blob_gas_used: Option<Number>,
    #[serde(rename = "mixHash", default)]
    mix_hash: B256,
}

#[derive(Deserialize)]
struct Account {
    balance: Number,
    #[serde(default)]
    nonce: Number,
    #[serde(default)]
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<B256, B256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    number: Number,
    difficulty: Number,
    timestamp: Number,
    gas_limit: Number,
    miner: Address,
    base_fee_per_gas: Option<Number>,
}

impl Fixture {
    pub fn state(&self) -> RecordedState {
        let mut state = RecordedState::default();
        for (address, account) in &self.genesis.alloc {
            let known = state.accounts.entry(*address).or_default();
            known.info.balance = account.balance.0;
            known.info.nonce = account.nonce.u64();
            known.info.code = None;
            if !account.code.is_empty() {
                let hash = keccak256(&account.code);
                let code = Bytecode::new_raw(account.code.clone());
                known.info.code_hash = hash;
                state.codes.insert(hash, code);
            }
            let storage = account.storage.iter();
            let storage = storage.map(|(slot, value)| ((*slot).into(), (*value).into()));
            known.storage = storage.collect();
        }
        state
    }

    /// The rules of the fixture's own chain at its block.
    fn fork(&self) -> SpecId {
        const BY_BLOCK: [(&str, SpecId); 10] = [
            ("homesteadBlock", SpecId::HOMESTEAD),
            ("eip150Block", SpecId::TANGERINE),
            ("eip158Block", SpecId::SPURIOUS_DRAGON),
            ("byzantiumBlock", SpecId::BYZANTIUM),
            // Two days apart on the test network that had it alone.
            ("constantinopleBlock", SpecId::PETERSBURG),
            ("petersburgBlock", SpecId::PETERSBURG),
            ("istanbulBlock", SpecId::ISTANBUL),
            ("berlinBlock", SpecId::BERLIN),
            ("londonBlock", SpecId::LONDON),
            ("mergeNetsplitBlock", SpecId::MERGE),
        ];
        const BY_TIME: [(&str, SpecId); 3] = [
            ("shanghaiTime", SpecId::SHANGHAI),
            ("cancunTime", SpecId::CANCUN),
            ("pragueTime", SpecId::PRAGUE),
        ];
        let config = self.genesis.config.as_object().expect("a configuration");
        // Names in any case, as Go reads them.
        let reached = |name: &str, at: u64| {
            let found = config
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            found
                .and_then(|(_, from)| from.as_u64())
                .is_some_and(|from| from <= at)
        };
        let (number, time) = (self.context.number.u64(), self.context.timestamp.u64());
        let mut fork = SpecId::FRONTIER;
        for (name, spec) in BY_BLOCK {
            if reached(name, number) {
                fork = spec;
            }
        }
        if fork >= SpecId::LONDON && self.context.difficulty.0.is_zero() {
            fork = SpecId::MERGE;
        }
        for (name, spec) in BY_TIME {
            if fork >= SpecId::MERGE && reached(name, time) {
                fork = spec;
            }
        }
        fork
    }

    fn environment(&self) -> Environment {
        let fork = self.fork();
        let context = &self.context;
        let mut block = BlockEnv {
            number: context.number.0,
            beneficiary: context.miner,
            timestamp: context.timestamp.0,
            gas_limit: context.gas_limit.u64(),
            basefee: context.base_fee_per_gas.map_or(0, Number::u64),
            difficulty: context.difficulty.0,
            prevrandao: Some(self.genesis.mix_hash),
            ..BlockEnv::default()
        };
        let schedule = &self.genesis.config["blobSchedule"];
        let schedule = &schedule[if fork >= SpecId::PRAGUE {
            "prague"
        } else {
            "cancun"
        }];
        let fraction = schedule["baseFeeUpdateFraction"]
            .as_u64()
            .unwrap_or(3_338_477);
        if let Some(excess) = self.genesis.excess_blob_gas {
            let target = schedule["target"].as_u64().unwrap_or(3) * (1 << 17);
            let used = self.genesis.blob_gas_used.unwrap_or_default().u64();
            let excess = (excess.u64() + used).saturating_sub(target);
            block.set_blob_excess_gas_and_price(excess, fraction);
        }
        Environment {
            chain_id: self.genesis.config["chainId"].as_u64().unwrap_or(1),
            fork,
            block,
            blob_base_fee_update_fraction: Some(fraction),
        }
    }

    pub fn transaction(&self) -> (TxEnvelope, Address) {
        let transaction = TxEnvelope::decode_2718(&mut self.input.as_ref()).unwrap();
        let sender = transaction.recover_signer().unwrap();
        (transaction, sender)
    }

    pub fn run(&self) -> Execution {
        let (transaction, sender) = self.transaction();
        let mut transaction = from_envelope(&transaction, sender);
        let environment = self.environment();
        // Signed for a chain before EIP-155 knew which.
        transaction.chain_id = transaction.chain_id.map(|_| environment.chain_id);
        let state = self.state();
        let mut sandbox = Sandbox::new(&state, &environment);
        sandbox.execute(transaction, Checks::Consensus, bounds())
    }
}

fn fixtures(folder: &str) -> Vec<(String, Fixture)> {
    let Some(path) = shared("geth-tracetest.tar.gz") else {
        return Vec::new();
    };
    let inside = format!("/{folder}/");
    let mut fixtures = Vec::new();
    for (name, text) in archive(&path, ".json") {
        if name.contains(&inside) {
            let fixture = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            fixtures.push((name, fixture));
        }
    }
    fixtures
}

/// Fixtures that are not compared, and why. Of the folders, `call_tracer_flat` and `erc7562_tracer` are left out: they are
/// other tools' forms (Parity's, and bundlers' checks of user operations).
const LEFT_OUT: [(&str, &str); 2] = [
    (
        "call_tracer_withLog/frontier_create_outofstorage.json",
        "before Homestead (2016) code that could not be paid for was dropped; geth shows it as output, revm does not",
    ),
    (
        "prestate_tracer/setcode_tx.json",
        "geth leaves out the account whose code a delegation runs, though it reads it",
    ),
];

/// Compares what `render` makes of each fixture of a folder and of its execution, ours and theirs, and says of each that
/// differs where it does so first.
pub fn compare(folder: &str, render: impl Fn(&Fixture, &Execution) -> (Value, Value)) {
    let mut differences = Vec::new();
    for (name, fixture) in fixtures(folder) {
        let left_out = |(left_out, _): &(&str, &str)| name.ends_with(left_out);
        if LEFT_OUT.iter().any(left_out) {
            continue;
        }
        let execution = fixture.run();
        let (ours, theirs) = render(&fixture, &execution);
        if let Some(difference) = difference("", &ours, &theirs) {
            differences.push(format!("{name}: {:?}: {difference}", execution.exit));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Compares call trees. `optional` keys may be missing in theirs.
fn compare_trees(folder: &str, optional: &[&str], normalize: impl Fn(&mut Value)) {
    compare(folder, |fixture, execution| {
        let logs = fixture.config["withLog"] == true;
        let mut trace = execution.trace.clone();
        if fixture.config["onlyTopCall"] == true {
            trace.frames.truncate(1);
        }
        let text = to_json(&trace, logs);
        let read_back = Trace::from_json(&text).unwrap();
        assert_eq!(to_json(&read_back, logs), text, "read back");
        let mut ours: Value = serde_json::from_str(&text).unwrap();
        let mut theirs = fixture.result.clone();
        lower_case(&mut theirs);
        normalize(&mut ours);
        normalize(&mut theirs);
        leave_out(&mut ours, &theirs, optional);
        (ours, theirs)
    });
}

fn each_frame(frame: &mut Value, change: &impl Fn(&mut Value)) {
    change(frame);
    if let Some(calls) = frame.get_mut("calls").and_then(Value::as_array_mut) {
        calls.iter_mut().for_each(|call| each_frame(call, change));
    }
}

/// Checksummed addresses are the same addresses.
fn lower_case(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("0x") => *text = text.to_lowercase(),
        Value::Array(all) => all.iter_mut().for_each(lower_case),
        Value::Object(all) => all.values_mut().for_each(lower_case),
        _ => {}
    }
}

/// Removes `keys` from `ours` where `theirs` has not got them.
fn leave_out(ours: &mut Value, theirs: &Value, keys: &[&str]) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.retain(|key, _| theirs.contains_key(key) || !keys.contains(&key.as_str()));
            for (key, value) in ours {
                leave_out(value, theirs.get(key).unwrap_or(&Value::Null), keys);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            let pairs = ours.iter_mut().zip(theirs);
            pairs.for_each(|(ours, theirs)| leave_out(ours, theirs, keys));
        }
        _ => {}
    }
}

fn remove(frame: &mut Value, key: &str) {
    frame.as_object_mut().unwrap().remove(key);
}

#[test]
fn call_trees_are_geths() {
    compare_trees("call_tracer", &[], |_| {});
}

#[test]
fn call_trees_with_logs_are_geths() {
    // Recorded before logs had numbers.
    compare_trees("call_tracer_withLog", &["index"], |_| {});
}

/// The JavaScript tracer before: no reasons, no value of a delegated call, fewer words for errors.
#[test]
fn call_trees_are_those_of_geths_older_tracer() {
    compare_trees("call_tracer_legacy", &["gas", "gasUsed"], |tree| {
        each_frame(tree, &|frame| {
            remove(frame, "revertReason");
            if frame.get("output").is_some_and(|output| output == "0x") {
                remove(frame, "output");
            }
            if frame["type"] == "DELEGATECALL" {
                remove(frame, "value");
            }
            if let Some(error) = frame.get_mut("error")
                && error != "execution reverted"
            {
                *error = "failed".into();
            }
        });
    });
}
