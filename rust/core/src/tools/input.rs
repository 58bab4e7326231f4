//! A transaction as a person names it.

use crate::error::{Error, Result};
use crate::wire::signed::decode_raw;
use alloy_primitives::{B256, hex};
use std::borrow::Cow;

/// What is to be inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A transaction that the nodes know.
    Hash(B256),
    /// Signed bytes (EIP-2718).
    Signed(Vec<u8>),
    /// A transaction object as `eth_getTransactionByHash` returns it.
    Object(Vec<u8>),
    /// A call tree as `callTracer` writes it.
    Trace(String),
}

impl Input {
    /// By its looks: 0x and 64 digits are a hash, more are signed bytes; JSON is a transaction or a call tree, alone or as
    /// the `result` of an answer.
    ///
    /// # Errors
    /// [`Error::Config`]: it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with('{') {
            let mut object = text;
            if let Some(result) = member(object, "result").filter(|raw| raw.starts_with('{')) {
                object = result;
            }
            // A transaction's type is a number.
            let kind = member(object, "type").unwrap_or_default();
            let is_frame = kind.starts_with('"') && !kind.starts_with("\"0x");
            return Ok(match is_frame {
                true => Self::Trace(object.to_owned()),
                false => Self::Object(object.as_bytes().to_vec()),
            });
        }
        let bytes = hex::decode(text).map_err(|_| {
            let said = "neither a transaction's hash, nor signed bytes in hex, nor JSON";
            Error::Config(said.into())
        })?;
        if let Ok(hash) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(Self::Hash(hash.into()));
        }
        decode_raw(&bytes, None, None, 0)
            .map_err(|error| Error::Config(format!("signed transaction: {error}")))?;
        Ok(Self::Signed(bytes))
    }
}

/// One member's raw text; a generic reader does not go as deep as a trace.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    match sonic_rs::get(object, &[name]).ok()?.as_raw_cow() {
        Cow::Borrowed(raw) => Some(raw),
        Cow::Owned(_) => None,
    }
}
