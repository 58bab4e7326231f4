//! What a transaction will read, asked for at once instead of slot by slot.

use super::state::answers::Prestate;
use super::state::at;
use crate::source::live::{Asker, RpcError};
use crate::tx::PendingTransaction;
use alloy_primitives::{B256, hex};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// JSON-RPC: the method does not exist here.
const NO_METHOD: i64 = -32_601;
const METHOD: &str = "debug_traceCall";

/// Has the node execute a transaction and tell what it read (`prestateTracer`), in one round trip.
#[derive(Debug, Default)]
pub struct Prefetch {
    /// No node has the method.
    refused: AtomicBool,
}

impl Prefetch {
    /// Hands over the raw answer; nothing where no node has one. `then` is called in any case, on another thread.
    pub fn ask(
        self: &std::sync::Arc<Self>,
        asker: &Asker,
        tx: &PendingTransaction,
        head: &B256,
        deadline: Instant,
        then: impl FnOnce(Option<Bytes>) + Send + 'static,
    ) {
        if self.refused.load(Relaxed) {
            return then(None);
        }
        let tracer = json!({"tracer": "prestateTracer"});
        let params = format!("[{},{},{tracer}]", call(tx), at(head));
        let prefetch = self.clone();
        asker.ask(METHOD, params, deadline, move |answer| {
            if let Err(RpcError::Refused {
                code: NO_METHOD, ..
            }) = answer
            {
                prefetch.refused.store(true, Relaxed);
            }
            then(answer.ok());
        });
    }
}

/// A transaction as nodes take it in calls: without a price, so that a base fee does not stand in its way.
pub fn call(tx: &PendingTransaction) -> Value {
    let mut call = Map::new();
    call.insert("from".into(), json!(tx.from));
    if let Some(to) = tx.to {
        call.insert("to".into(), json!(to));
    }
    call.insert("gas".into(), json!(format!("{:#x}", tx.gas)));
    call.insert("value".into(), json!(tx.value));
    call.insert("data".into(), hex::encode_prefixed(&tx.input).into());
    Value::Object(call)
}

/// The accounts of an answer.
///
/// # Errors
/// In words: it has another shape.
pub fn accounts(raw: &[u8]) -> Result<Prestate, String> {
    super::state::answers::read(raw)
}
