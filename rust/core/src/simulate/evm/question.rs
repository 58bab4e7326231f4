//! What nodes are asked about executions and the state they happen on.

use super::environment::Environment;
use super::error::StateError;
use crate::node::Asker;
use alloy_primitives::{B256, Bytes, TxKind, U64, hex};
use revm::context::TxEnv;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// As many answers as there are questions, or the first that there is none to.
pub fn ask(
    asker: &Asker,
    questions: Vec<(&'static str, String)>,
    deadline: Instant,
) -> Result<Vec<Bytes>, StateError> {
    let methods: Vec<_> = questions.iter().map(|(method, _)| *method).collect();
    let answers = methods.iter().zip(asker.wait(questions, deadline));
    answers
        .map(|(method, answer)| match answer {
            Ok(raw) => Ok(raw.into()),
            Err(error) => Err(StateError::Node(format!("{method}: {error}"))),
        })
        .collect()
}

/// The block parameter that names a block whatever becomes of the chain (EIP-1898).
pub fn at(hash: &B256) -> String {
    format!(r#"{{"blockHash":"{hash}"}}"#)
}

/// A transaction as nodes take it in calls, without its price: it may not be payable yet.
pub fn call(transaction: &TxEnv) -> Value {
    let mut call = Map::new();
    call.insert("from".into(), json!(transaction.caller));
    if let TxKind::Call(to) = transaction.kind {
        call.insert("to".into(), json!(to));
    }
    call.insert("gas".into(), format!("{:#x}", transaction.gas_limit).into());
    call.insert("value".into(), json!(transaction.value));
    call.insert(
        "input".into(),
        hex::encode_prefixed(&transaction.data).into(),
    );
    if !transaction.access_list.is_empty() {
        call.insert("accessList".into(), json!(transaction.access_list));
    }
    let signed = transaction.authorization_list.iter();
    let signed: Vec<_> = signed.filter_map(|one| one.as_ref().left()).collect();
    if !signed.is_empty() {
        call.insert("authorizationList".into(), json!(signed));
    }
    Value::Object(call)
}

/// Of `debug_traceCall`, as geth names them.
pub fn overrides(environment: &Environment) -> Value {
    let block = &environment.block;
    json!({
        "number": block.number, "time": block.timestamp, "gasLimit": U64::from(block.gas_limit),
        "feeRecipient": block.beneficiary, "baseFeePerGas": U64::from(block.basefee),
        "prevRandao": block.prevrandao,
    })
}
