//! One captured thing, and its bytes in a journal.

use super::context::ContextEntry;
use crate::inbox::Item;
use crate::tx::PendingTransaction;
use crate::wire;
use crate::wire::signed::decode_raw;
use crate::wire::{parse_notification, parse_object};
use alloy_consensus::TxEnvelope;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256};
use bytes::Bytes;
use std::time::Instant;

/// A captured transaction or context entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    Transaction(RecordedTransaction),
    Context(ContextEntry),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedTransaction {
    pub seen_ms: u64,
    pub hash: B256,
    pub from: Address,
    /// Who announced it first.
    pub source: String,
    pub form: Form,
}

/// How a transaction is kept. Either form gives the [`PendingTransaction`] that was captured, field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// Signed bytes (EIP-2718).
    Raw(Bytes),
    /// The JSON object, where no signed bytes have its hash and meaning: impersonated senders of development nodes,
    /// fields that a node reports differently.
    Object(Bytes),
}

const RAW: u8 = 0;
const OBJECT: u8 = 1;
const HEAD: u8 = 2;
const BLOCK: u8 = 3;
const REORG: u8 = 4;
const CODE: u8 = 5;
const SIMULATION: u8 = 6;
const CHANGES: u8 = 7;
const DEPLOYMENT: u8 = 8;
const DETONATION: u8 = 9;

impl RecordedTransaction {
    /// Rebuilds the signed bytes from JSON. `None` where the JSON gives no transaction at all.
    pub(crate) fn from_json(
        json: &[u8],
        is_notification: bool,
        seen_ms: u64,
        source: String,
    ) -> Option<Self> {
        let (object, tx) = if is_notification {
            let tx = parse_notification(json, seen_ms).ok()?;
            (Bytes::from(wire::notification_object(json).ok()?), tx)
        } else {
            (
                Bytes::copy_from_slice(json),
                parse_object(json, seen_ms).ok()?,
            )
        };
        let form = match signed_bytes(&object) {
            Some(raw)
                if decode_raw(&raw, Some(tx.hash), Some(tx.from), tx.seen_ms).as_ref()
                    == Ok(&tx) =>
            {
                Form::Raw(raw.into())
            }
            _ => Form::Object(object),
        };
        Some(Self {
            seen_ms: tx.seen_ms,
            hash: tx.hash,
            from: tx.from,
            source,
            form,
        })
    }

    /// The transaction as it was captured.
    pub(crate) fn transaction(&self) -> Result<PendingTransaction, wire::WireError> {
        match &self.form {
            Form::Raw(raw) => decode_raw(raw, Some(self.hash), Some(self.from), self.seen_ms),
            Form::Object(object) => parse_object(object, self.seen_ms),
        }
    }
}

fn signed_bytes(object: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<TxEnvelope>(object)
        .ok()
        .map(|envelope| envelope.encoded_2718())
}

impl Record {
    /// Appends this record's bytes: a tag, then fixed fields, then what is left.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Transaction(recorded) => {
                let (tag, body) = match &recorded.form {
                    Form::Raw(raw) => (RAW, raw),
                    Form::Object(object) => (OBJECT, object),
                };
                let source =
                    &recorded.source.as_bytes()[..recorded.source.floor_char_boundary(255)];
                out.push(tag);
                out.extend(recorded.seen_ms.to_le_bytes());
                out.extend(recorded.hash);
                out.extend(recorded.from);
                out.push(source.len() as u8);
                out.extend(source);
                out.extend(body);
            }
            Self::Context(entry) => {
                out.push(match entry {
                    ContextEntry::Head(_) => HEAD,
                    ContextEntry::Block(_) => BLOCK,
                    ContextEntry::Reorg(_) => REORG,
                    ContextEntry::Code(_) => CODE,
                    ContextEntry::Simulation(_) => SIMULATION,
                    ContextEntry::Changes(_) => CHANGES,
                    ContextEntry::Deployment(_) => DEPLOYMENT,
                    ContextEntry::Detonation(_) => DETONATION,
                });
                out.extend(entry.body().as_bytes());
            }
        }
    }

    /// The inverse of [`encode`](Self::encode); an error is a reason for people.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, String> {
        let kind = match bytes.first() {
            Some(&(RAW | OBJECT)) => {
                return Self::decode_transaction(bytes).ok_or_else(|| "record too short".into());
            }
            Some(&HEAD) => "head",
            Some(&BLOCK) => "block",
            Some(&REORG) => "reorg",
            Some(&CODE) => "code",
            Some(&SIMULATION) => "simulation",
            Some(&CHANGES) => "changes",
            Some(&DEPLOYMENT) => "deployment",
            Some(&DETONATION) => "detonation",
            _ => return Err("record of an unknown kind".into()),
        };
        ContextEntry::from_parts(kind, &bytes[1..]).map(Self::Context)
    }

    fn decode_transaction(bytes: &Bytes) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let (seen_ms, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (from, rest) = rest.split_first_chunk::<20>()?;
        let (source_len, rest) = rest.split_first()?;
        let (source, body) = rest.split_at_checked(usize::from(*source_len))?;
        let body = bytes.slice_ref(body);
        Some(Self::Transaction(RecordedTransaction {
            seen_ms: u64::from_le_bytes(*seen_ms),
            hash: B256::new(*hash),
            from: Address::new(*from),
            source: String::from_utf8_lossy(source).into_owned(),
            form: if *tag == RAW {
                Form::Raw(body)
            } else {
                Form::Object(body)
            },
        }))
    }
}

/// What a replay hands to the pipeline for an object.
pub(crate) fn object_item(bytes: Bytes, unix_ms: u64) -> Item {
    Item::Object(crate::inbox::Raw {
        bytes,
        endpoint: 0,
        at: Instant::now(),
        unix_ms,
    })
}
