//! Reads the flat list that `trace_block` answers (OpenEthereum's form, which Erigon, Nethermind, reth and anvil write).

use super::TraceError;
use super::traced::elements;
use crate::evidence::trace::{CallKind, Frame, Trace};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use hashbrown::HashMap;
use serde::Deserialize;
use std::borrow::Cow;

/// A block's traces, told apart by transaction.
#[derive(Debug, Default)]
pub struct ParityTraces {
    /// The block that the node says it traced; absent where it has no transactions.
    pub block: Option<B256>,
    /// In the block's order. One that cannot be read says why.
    pub transactions: Vec<(B256, Result<Trace, TraceError>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow)]
    action: Action<'a>,
    result: Option<Outcome>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    trace_address: Vec<u32>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action<'a> {
    #[serde(borrow)]
    call_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    creation_method: Option<Cow<'a, str>>,
    from: Option<Address>,
    to: Option<Address>,
    value: Option<U256>,
    #[serde(default)]
    gas: U64,
    #[serde(default)]
    input: Bytes,
    #[serde(default)]
    init: Bytes,
    /// Of a self-destruction.
    address: Option<Address>,
    refund_address: Option<Address>,
    balance: Option<U256>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Outcome {
    gas_used: U64,
    output: Bytes,
    address: Option<Address>,
    code: Bytes,
}

/// Whose an entry is. Rewards are nobody's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    transaction_hash: Option<B256>,
    block_hash: Option<B256>,
}

impl ParityTraces {
    /// # Errors
    /// Where it is no list, or an entry does not say whose it is.
    pub fn read(raw: &[u8]) -> Result<Self, TraceError> {
        let mut traces = Self::default();
        let mut known: HashMap<B256, usize> = HashMap::new();
        for entry in elements(raw)? {
            let text = entry.get();
            let owner: Owner = serde_json::from_str(text)
                .map_err(|error| TraceError(format!("an entry of nobody: {error}")))?;
            traces.block = traces.block.or(owner.block_hash);
            let Some(hash) = owner.transaction_hash else {
                continue;
            };
            let index = *known.entry(hash).or_insert(traces.transactions.len());
            if index == traces.transactions.len() {
                traces.transactions.push((hash, Ok(Trace::default())));
            }
            let told = &mut traces.transactions[index].1;
            if let Ok(trace) = told
                && let Err(error) = append(trace, text)
            {
                *told = Err(error);
            }
        }
        Ok(traces)
    }
}

fn append(trace: &mut Trace, entry: &str) -> Result<(), TraceError> {
    let entry: Entry<'_> =
        serde_json::from_str(entry).map_err(|error| TraceError(error.to_string()))?;
    let depth = entry.trace_address.len();
    let mut frame = frame(entry).ok_or_else(|| TraceError("an unknown kind of entry".into()))?;
    let orphan = || TraceError("an entry without the one it is inside of".into());
    frame.depth = u16::try_from(depth).map_err(|_| orphan())?;
    let index = trace.frames.len();
    frame.parent = match depth.checked_sub(1) {
        None if index == 0 => 0,
        None => return Err(TraceError("two transactions of one hash".into())),
        Some(above) => parent(trace, above).ok_or_else(orphan)?,
    };
    trace.frames.push(frame);
    Ok(())
}

/// The frame at depth `above` that the last one is, or is inside of.
fn parent(trace: &Trace, above: usize) -> Option<u32> {
    let mut index = trace.frames.len().checked_sub(1)?;
    while usize::from(trace.frames[index].depth) > above {
        index = trace.frames[index].parent as usize;
    }
    let found = usize::from(trace.frames[index].depth) == above;
    found.then_some(index as u32)
}

fn frame(entry: Entry<'_>) -> Option<Frame> {
    let Entry {
        action,
        result,
        error,
        r#type,
        ..
    } = entry;
    let error = error.map(|error| match error.as_ref() {
        "Reverted" => Cow::Borrowed("execution reverted"),
        _ => Cow::Owned(error.into_owned()),
    });
    // What neither failed nor has a result did nothing that could be told of.
    let error = error.or_else(|| {
        let ended = result.is_some() || matches!(&*r#type, "suicide" | "selfdestruct");
        (!ended).then_some(Cow::Borrowed("no result"))
    });
    let result = result.unwrap_or_default();
    let frame = Frame {
        value: action.value,
        gas: action.gas.to(),
        gas_used: result.gas_used.to(),
        ..Frame::default()
    };
    Some(match &*r#type {
        "call" => {
            let kind = match action.call_type.as_deref() {
                None | Some("call") => CallKind::Call,
                Some("callcode") => CallKind::CallCode,
                Some("delegatecall") => CallKind::DelegateCall,
                Some("staticcall") => CallKind::StaticCall,
                Some(_) => return None,
            };
            Frame {
                kind,
                from: action.from?,
                to: Some(action.to?),
                value: action.value.filter(|_| kind != CallKind::StaticCall),
                input: action.input,
                output: result.output,
                error,
                ..frame
            }
        }
        "create" => Frame {
            kind: match action.creation_method.as_deref() {
                Some("create2") => CallKind::Create2,
                _ => CallKind::Create,
            },
            from: action.from?,
            to: result.address.filter(|_| error.is_none()),
            input: action.init,
            output: result.code,
            error,
            ..frame
        },
        "suicide" | "selfdestruct" => Frame {
            kind: CallKind::SelfDestruct,
            from: action.address?,
            to: action.refund_address,
            value: action.balance,
            error,
            ..frame
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
