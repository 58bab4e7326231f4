//! What a transaction will read, asked for at once instead of slot by slot.

use crate::node::{Asker, RpcError};
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::question::{at, call, overrides};
use crate::simulate::evm::told::Prestate;
use alloy_primitives::B256;
use bytes::Bytes;
use revm::context::TxEnv;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// JSON-RPC: the method does not exist here.
const NO_METHOD: i64 = -32_601;
pub const METHOD: &str = "debug_traceCall";

/// Has the node execute a transaction and tell what it read (`prestateTracer`), in one round trip.
#[derive(Debug, Default)]
pub struct Prefetch {
    /// No node has the method.
    refused: AtomicBool,
}

impl Prefetch {
    /// Hands over the raw answer; nothing where no node has one. `then` is called in any case, on another thread.
    pub fn ask(
        self: &Arc<Self>,
        asker: &Asker,
        params: String,
        deadline: Instant,
        then: impl FnOnce(Option<Bytes>) + Send + 'static,
    ) {
        if self.refused.load(Relaxed) {
            return then(None);
        }
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

/// The question: in the very surroundings that it is simulated in, since what it reads may hang on them.
pub fn params(transaction: &TxEnv, head: &B256, environment: &Environment) -> String {
    let overrides = overrides(environment);
    let options = json!({"tracer": "prestateTracer", "blockOverrides": overrides});
    format!("[{},{},{options}]", call(transaction), at(head))
}

/// The accounts of an answer.
///
/// # Errors
/// In words: it has another shape.
pub fn accounts(raw: &[u8]) -> Result<Prestate, String> {
    crate::simulate::evm::told::read(raw)
}
