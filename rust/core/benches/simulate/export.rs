//! Blocks for the peers: what they need to do the same work, and what it cost here.

use crate::mainnet::{RecordedBlock, blocks};
use crate::measure::whole;
use alloy_consensus::TxEnvelope;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use mempool_ids_core::simulate::evm::execute::Exit;
use revm::context::TxEnv;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Instant;

/// Runs of each transaction, of which the median is taken.
const RUNS: usize = 9;

/// Writes `NUMBER.json` for each block.
pub fn export(folder: &Path, numbers: &[&str]) {
    for block in blocks() {
        let number = block.header.number.u64().to_string();
        if numbers.contains(&number.as_str()) {
            let path = folder.join(format!("{number}.json"));
            std::fs::write(path, json(&block).to_string()).expect("writes");
        }
    }
}

fn json(block: &RecordedBlock) -> Value {
    let header = &block.header;
    let blob_fee = block.environment.block.blob_excess_gas_and_price;
    json!({
        "number": number(header.number.0),
        "timestamp": number(header.timestamp.0),
        "gasLimit": number(header.gas_limit.0),
        "coinbase": header.miner,
        "mixHash": header.mix_hash,
        "baseFeePerGas": header.base_fee_per_gas.map(|fee| number(fee.0)),
        "excessBlobGas": header.excess_blob_gas.map(|gas| number(gas.0)),
        "blobBaseFee": blob_fee.map(|fee| number(U256::from(fee.blob_gasprice))),
        "parentBeaconBlockRoot": header.parent_beacon_block_root,
        "fork": <&str>::from(block.environment.fork),
        "alloc": alloc(block),
        "transactions": block.transactions.iter().filter_map(|t| transaction(block, t)).collect::<Vec<_>>(),
    })
}

fn alloc(block: &RecordedBlock) -> Map<String, Value> {
    let accounts = block.state.accounts.iter().map(|(address, account)| {
        let code = block.state.codes.get(&account.info.code_hash);
        let storage = account.storage.iter();
        let storage: Map<_, _> = storage
            .filter(|(_, value)| !value.is_zero())
            .map(|(slot, value)| (word(*slot).to_string(), json!(word(*value))))
            .collect();
        let account = json!({
            "balance": number(account.info.balance),
            "nonce": number(U256::from(account.info.nonce)),
            "code": code.map(|code| Bytes::copy_from_slice(code.original_byte_slice())),
            "storage": storage,
        });
        (address.to_string().to_lowercase(), account)
    });
    accounts.collect()
}

/// A transaction alone on the state before the block; nothing where it is not valid there.
fn transaction(
    block: &RecordedBlock,
    (hash, envelope, transaction): &(B256, TxEnvelope, TxEnv),
) -> Option<Value> {
    let run = || {
        let transaction = transaction.clone();
        let start = Instant::now();
        let done = whole(&block.state, &block.environment, transaction);
        (start.elapsed(), done)
    };
    let (_, done) = run();
    if let Exit::Invalid(_) | Exit::NoState(_) = done.exit {
        return None;
    }
    let mut times: Vec<_> = (0..RUNS).map(|_| run().0).collect();
    times.sort();
    Some(json!({
        "hash": hash,
        "raw": hex::encode_prefixed(envelope.encoded_2718()),
        "call": call(envelope, transaction.caller),
        "gas_used": done.gas_used,
        "frames": done.trace.frames.len(),
        "us": times[RUNS / 2].as_nanos() as f64 / 1000.0,
    }))
}

/// As `eth_call` takes it.
fn call(envelope: &TxEnvelope, from: Address) -> Value {
    let mut call = serde_json::to_value(envelope).expect("serializes");
    let fields = call.as_object_mut().expect("an object");
    for signed in ["r", "s", "v", "yParity", "hash", "chainId", "type"] {
        fields.remove(signed);
    }
    fields.insert("from".into(), json!(from));
    if fields.contains_key("maxFeePerGas") {
        fields.remove("gasPrice");
    }
    call
}

fn number(value: U256) -> String {
    format!("{value:#x}")
}

fn word(value: U256) -> B256 {
    value.into()
}
