//! Slices out of JSON that nobody has looked at yet.
//!
//! The parser validates and skips by recursion without a bound, so nothing is given to it before the guard of
//! [`nesting`](super::nesting) has answered.

use super::hex::{quantity_u64, quantity_u128};
use crate::chain::{BlockContents, Head, MinedTransaction};
use alloy_primitives::{Address, B256, Bytes as Code, U256, hex};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The members of a JSON-RPC message, each as raw JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub id: Option<&'a str>,
    pub method: Option<&'a str>,
    pub params: Option<&'a str>,
    pub result: Option<&'a str>,
    pub error: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    /// `None` where `text` is no object. Members of other names are ignored; of equal names, the last counts.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut envelope = Self::default();
        for member in members(text) {
            let (name, value) = member?;
            let slot = match &*name {
                "id" => &mut envelope.id,
                "method" => &mut envelope.method,
                "params" => &mut envelope.params,
                "result" => &mut envelope.result,
                "error" => &mut envelope.error,
                _ => continue,
            };
            *slot = Some(value);
        }
        Some(envelope)
    }

    /// The same for values of any depth: slower, without recursion, and no member may stand twice.
    pub fn parse_deep(text: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Deep<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
            method: Option<&'a RawValue>,
            params: Option<&'a RawValue>,
            result: Option<&'a RawValue>,
            error: Option<&'a RawValue>,
        }
        let deep: Deep<'a> = serde_json::from_str(text).ok()?;
        let raw = |member: Option<&'a RawValue>| member.map(RawValue::get);
        Some(Self {
            id: raw(deep.id),
            method: raw(deep.method),
            params: raw(deep.params),
            result: raw(deep.result),
            error: raw(deep.error),
        })
    }
}

/// The members of an object, values as raw JSON; a last `None` where it is no valid object.
pub fn members(text: &str) -> impl Iterator<Item = Option<(Cow<'_, str>, &str)>> {
    sonic_rs::to_object_iter(text).map(|member| {
        let (name, value) = member.ok()?;
        Some((name, borrowed(&value)?))
    })
}

/// The elements of an array as raw JSON; a last `None` where it is no valid array.
pub fn elements(text: &str) -> impl Iterator<Item = Option<&str>> {
    sonic_rs::to_array_iter(text).map(|element| borrowed(&element.ok()?))
}

fn borrowed<'a>(value: &sonic_rs::LazyValue<'a>) -> Option<&'a str> {
    match value.as_raw_cow() {
        Cow::Borrowed(raw) => Some(raw),
        Cow::Owned(_) => None,
    }
}

/// The part of `whole` that `part` borrows, sharing its memory.
pub fn share(whole: &Bytes, part: &str) -> Bytes {
    whole.slice_ref(part.as_bytes())
}

/// `text` of raw JSON: a string without escapes.
pub fn string(raw: &str) -> Option<&str> {
    raw.strip_prefix('"')?
        .strip_suffix('"')
        .filter(|text| !text.contains(['"', '\\']))
}

/// A quantity: `0x` and 1 to 16 hex digits. Leading zeros pass, since nodes send them.
pub fn quantity(text: &str) -> Option<u64> {
    quantity_u64(text).ok()
}

/// The same up to 128 bits.
pub fn big_quantity(text: &str) -> Option<u128> {
    quantity_u128(text).ok()
}

/// The first bytes of a hash, for people.
pub fn short(hash: &B256) -> String {
    format!("0x{}…", hex::encode(&hash[..6]))
}

/// A 32-byte hash with its prefix.
pub fn hash(text: &str) -> Option<B256> {
    text.strip_prefix("0x")
        .and_then(|digits| digits.parse().ok())
}

fn address(text: &str) -> Option<Address> {
    text.strip_prefix("0x")
        .and_then(|digits| digits.parse().ok())
}

/// Slots and what they hold, of `eth_getProof`.
pub fn proven_slots(raw: &str) -> Option<Vec<(U256, U256)>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Proof {
        storage_proof: Vec<Slot>,
    }
    #[derive(Deserialize)]
    struct Slot {
        key: U256,
        value: U256,
    }
    let proof: Proof = sonic_rs::from_str(raw).ok()?;
    let slots = proof.storage_proof.into_iter();
    Some(slots.map(|slot| (slot.key, slot.value)).collect())
}

/// The answer of `eth_getCode`, raw.
pub fn code(raw: &str) -> Option<Code> {
    hex::decode(string(raw)?.strip_prefix("0x")?)
        .ok()
        .map(Code::from)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadJson<'a> {
    number: &'a str,
    hash: &'a str,
    parent_hash: &'a str,
    timestamp: &'a str,
    #[serde(default, borrow)]
    base_fee_per_gas: Option<&'a str>,
    gas_used: &'a str,
    gas_limit: &'a str,
}

/// A block header, of `newHeads` or `eth_getBlockBy…`. The text must have passed the guard of [`nesting`](super::nesting).
pub fn head(raw: &str, seen_ms: u64) -> Option<Head> {
    let json: HeadJson<'_> = sonic_rs::from_str(raw).ok()?;
    Some(Head {
        number: quantity(json.number)?,
        hash: hash(json.hash)?,
        parent: hash(json.parent_hash)?,
        timestamp: quantity(json.timestamp)?,
        base_fee: match json.base_fee_per_gas {
            Some(fee) => Some(big_quantity(fee)?),
            None => None,
        },
        gas_used: quantity(json.gas_used)?,
        gas_limit: quantity(json.gas_limit)?,
        seen_ms,
    })
}

#[derive(Deserialize)]
struct MinedJson<'a> {
    hash: &'a str,
    from: &'a str,
    nonce: &'a str,
    #[serde(default, borrow)]
    to: Option<&'a str>,
}

fn mined(raw: &str) -> Option<MinedTransaction> {
    let json: MinedJson<'_> = sonic_rs::from_str(raw).ok()?;
    Some(MinedTransaction {
        hash: hash(json.hash)?,
        from: address(json.from)?,
        nonce: quantity(json.nonce)?,
        to: match json.to {
            Some(to) => Some(address(to)?),
            None => None,
        },
        creates: json.to.is_none(),
    })
}

/// Transactions of one block, at the most: those of a billion gas are fewer.
const MAX_TRANSACTIONS: usize = 1 << 16;

/// A block with its transaction objects, each raw too, and how many of them could not be read.
pub struct FullBlock<'a> {
    pub contents: BlockContents,
    pub objects: Vec<&'a str>,
    pub unreadable: usize,
}

/// `eth_getBlockBy…(…, true)`. The text must have passed the guard of [`nesting`](super::nesting).
pub fn full_block(raw: &str) -> Option<FullBlock<'_>> {
    let (mut number, mut block_hash, mut list) = (None, None, None);
    for member in members(raw) {
        let (name, value) = member?;
        match &*name {
            "number" => number = string(value).and_then(quantity),
            "hash" => block_hash = string(value).and_then(hash),
            "transactions" => list = Some(value),
            _ => {}
        }
    }
    let objects = objects(list?)?;
    let transactions: Vec<_> = objects.iter().filter_map(|raw| mined(raw)).collect();
    let unreadable = objects.len() - transactions.len();
    let contents = BlockContents {
        number: number?,
        hash: block_hash?,
        transactions,
    };
    Some(FullBlock {
        contents,
        objects,
        unreadable,
    })
}

/// The transaction objects of a block, where its other fields are of no interest (`pending` has no hash).
pub fn block_objects(raw: &str) -> Option<Vec<&str>> {
    let list = members(raw).find_map(|member| match member {
        None => Some(None),
        Some((name, value)) => (name == "transactions").then_some(Some(value)),
    })??;
    objects(list)
}

/// The elements of a list of transactions, where all of them can be read and it is no longer than any block's.
fn objects(list: &str) -> Option<Vec<&str>> {
    let objects: Vec<_> = elements(list)
        .take(MAX_TRANSACTIONS + 1)
        .collect::<Option<_>>()?;
    (objects.len() <= MAX_TRANSACTIONS).then_some(objects)
}

#[cfg(test)]
mod tests;
