//! From a node's JSON to a [`PendingTransaction`]: one pass over the bytes, borrowed fields, exact hex.
//!
//! Nodes are taken at their word about shape, never about size: quantities that do not fit are refused, leading zeros
//! (which some nodes send) are not. Of a repeated key the first occurrence counts. Unknown keys are skipped; nesting
//! deeper than a transaction needs is refused.

mod envelope;
mod extras;
mod fields;
pub(crate) mod hex;
pub mod json;
mod key;
pub(crate) mod nesting;
mod original;
pub mod parity;
pub mod signed;
pub mod signing;
pub(crate) mod skip;
#[cfg(test)]
mod tests;
mod trace;
pub mod traced;

pub use trace::TraceError;

pub use original::Original;

use crate::evidence::AnomalyKind;
use crate::tx::PendingTransaction;
use envelope::{Notification, Text};
use fields::Fields;
use serde::de::DeserializeSeed;
use std::borrow::Cow;

/// Why bytes are no transaction. Counted and reported by the caller as an anomaly of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct WireError {
    pub kind: AnomalyKind,
    /// Short, and free of the input's own text.
    pub reason: Cow<'static, str>,
}

impl WireError {
    pub(crate) fn field(name: &str, problem: &str) -> Self {
        Self {
            kind: AnomalyKind::MalformedTransaction,
            reason: format!("{name}: {problem}").into(),
        }
    }
}

/// Parses a whole `eth_subscription` notification whose `params.result` is a transaction object.
///
/// `seen_ms` is when it was received, Unix milliseconds.
pub fn parse_notification(frame: &[u8], seen_ms: u64) -> Result<PendingTransaction, WireError> {
    let mut fields = Fields::default();
    read_notification(frame, &mut fields)?;
    fields.transaction(seen_ms)
}

/// Parses a transaction object as `eth_getTransactionByHash` returns it.
///
/// Its optional key `timestamp_ms` (an integer; recorded files have it) is the time of reception where the caller has
/// no clock reading of its own, that is where `seen_ms` is 0. A node can therefore not choose when it was heard.
pub fn parse_object(object: &[u8], seen_ms: u64) -> Result<PendingTransaction, WireError> {
    let mut fields = Fields::default();
    read(object, &mut fields, "not a JSON object")?;
    fields.transaction(seen_ms)
}

/// The text of `params.result`, for a capture that must keep the object itself. Only for a frame that
/// [`parse_notification`] accepted: that bounds its depth.
pub(crate) fn notification_object(frame: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut object = Vec::new();
    read_notification(frame, Text(&mut object))?;
    Ok(object)
}

fn read_notification<'a>(
    frame: &'a [u8],
    result: impl DeserializeSeed<'a, Value = ()>,
) -> Result<(), WireError> {
    let mut notification = Notification::new(result);
    read(frame, &mut notification, "not a JSON-RPC notification")?;
    let malformed = |reason: &'static str| WireError {
        kind: AnomalyKind::MalformedFrame,
        reason: reason.into(),
    };
    if !notification.is_subscription {
        return Err(malformed("method is not eth_subscription"));
    }
    if !notification.has_result() {
        return Err(malformed("no params.result"));
    }
    Ok(())
}

/// Exactly one JSON value. An error is its problem and the byte where it shows.
fn read<'a>(
    json: &'a [u8],
    seed: impl DeserializeSeed<'a, Value = ()>,
    what: &str,
) -> Result<(), WireError> {
    let malformed = |what: &str, at: usize| WireError {
        kind: AnomalyKind::MalformedFrame,
        reason: format!("{what} at byte {at}").into(),
    };
    let text =
        std::str::from_utf8(json).map_err(|e| malformed("invalid UTF-8", e.valid_up_to()))?;
    let mut deserializer = sonic_rs::Deserializer::from_str(text);
    seed.deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|e| malformed(what, e.offset()))
}
