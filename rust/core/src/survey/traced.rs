//! A block's traces, each with its transaction.

use super::block::{Block, Sent};
use crate::evidence::trace::Trace;
use crate::wire::TraceError;
use crate::wire::parity::ParityTraces;
use crate::wire::traced::Traced;
use alloy_primitives::B256;
use hashbrown::HashMap;

/// Reads `debug_traceBlockByHash` with the `callTracer`. `each` is given a transaction's index and its trace; those that the answer
/// does not tell of, or not as a trace, are left out.
///
/// # Errors
/// Where it is no list.
pub fn by_call_tracer(
    raw: &[u8],
    block: &Block,
    mut each: impl FnMut(usize, &Sent, &Trace),
) -> Result<(), TraceError> {
    let list = Traced::list(raw)?;
    // Without names, the place says whose it is; with some missing it says nothing.
    let complete = list.len() == block.transactions.len();
    let mut unread = Unread::of(block);
    for (place, traced) in list.iter().enumerate() {
        let index = match traced.tx_hash {
            Some(hash) => unread.take(&hash),
            None => complete.then_some(place),
        };
        let trace = traced
            .result
            .and_then(|raw| Trace::from_json(raw.get()).ok());
        if let (Some(index), Some(trace)) = (index, trace) {
            give(block, index, &trace, &mut each);
        }
    }
    Ok(())
}

/// The same for `trace_block`.
///
/// # Errors
/// Where it is no list of traces, or another block's.
pub fn by_trace_block(
    raw: &[u8],
    block: &Block,
    mut each: impl FnMut(usize, &Sent, &Trace),
) -> Result<(), TraceError> {
    let traces = ParityTraces::read(raw)?;
    if traces.block.is_some_and(|told| told != block.hash) {
        return Err(TraceError("of another block".into()));
    }
    let mut unread = Unread::of(block);
    for (hash, trace) in &traces.transactions {
        if let (Some(index), Ok(trace)) = (unread.take(hash), trace) {
            give(block, index, trace, &mut each);
        }
    }
    Ok(())
}

/// A trace that another account began is not this transaction's.
fn give(block: &Block, index: usize, trace: &Trace, each: &mut impl FnMut(usize, &Sent, &Trace)) {
    let sent = block.transactions.get(index).and_then(Option::as_ref);
    let root = trace.root().map(|root| root.from);
    if let Some(sent) = sent.filter(|sent| root == Some(sent.from)) {
        each(index, sent, trace);
    }
}

/// Transactions that no trace was taken for, by hash.
struct Unread(HashMap<B256, usize>);

impl Unread {
    fn of(block: &Block) -> Self {
        let sent = block.transactions.iter().enumerate();
        Self(
            sent.filter_map(|(index, sent)| Some((sent.as_ref()?.hash, index)))
                .collect(),
        )
    }

    fn take(&mut self, hash: &B256) -> Option<usize> {
        self.0.remove(hash)
    }
}

#[cfg(test)]
mod tests;
