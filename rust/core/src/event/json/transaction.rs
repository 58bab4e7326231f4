//! `tx`: any pending transaction, with `emit = all`.

use super::Origin;
use super::fields::{ChainId, Sensor, Text, Timestamp, Version};
use crate::event::TransactionRecord;
use crate::evidence::FEATURES;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256, U256};
use schemars::JsonSchema;
use serde::Serialize;

/// Any pending transaction (`replay --emit all`); its judgement where there is a model.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "tx")]
pub struct Transaction<'a> {
    chain_id: ChainId,
    #[schemars(extend("const" = "tx"))]
    event_type: &'static str,
    /// The 22 features in schema order; -1 is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "[f32; FEATURES]")]
    features: Option<[f32; FEATURES]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f32", range(min = 0, max = 1))]
    probability: Option<f32>,
    schema_version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f32", range(min = 0, max = 1))]
    score: Option<f32>,
    sensor: Sensor<'a>,
    timestamp: Text<Timestamp>,
    tx: Contents<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "pending_transaction")]
struct Contents<'a> {
    from: Text<Address>,
    gas: u64,
    hash: Text<B256>,
    input: Text<&'a [u8]>,
    /// Wei per gas.
    max_fee_per_gas: Text<U256>,
    /// Wei per gas.
    max_priority_fee_per_gas: Text<U256>,
    nonce: u64,
    /// Unix milliseconds.
    seen_ms: u64,
    selector: Option<Text<[u8; 4]>>,
    to: Option<Text<Address>>,
    /// EIP-2718.
    r#type: u8,
    value: Text<U256>,
}

impl<'a> Transaction<'a> {
    pub fn new(origin: &'a Origin, record: &'a TransactionRecord) -> Self {
        let judged = record.judged.as_ref();
        Self {
            chain_id: ChainId(origin.chain_id),
            event_type: "tx",
            features: judged.map(|judged| judged.features),
            probability: judged.map(|judged| judged.probability),
            schema_version: Version::default(),
            score: judged.map(|judged| judged.score),
            sensor: Sensor(&origin.sensor),
            timestamp: Text(Timestamp(record.tx.seen_ms.saturating_mul(1000))),
            tx: Contents::of(&record.tx),
        }
    }
}

impl<'a> Contents<'a> {
    fn of(tx: &'a PendingTransaction) -> Self {
        Self {
            from: Text(tx.from),
            gas: tx.gas,
            hash: Text(tx.hash),
            input: Text(&tx.input),
            max_fee_per_gas: Text(U256::from(tx.max_fee_per_gas)),
            max_priority_fee_per_gas: Text(U256::from(tx.max_priority_fee_per_gas)),
            nonce: tx.nonce,
            seen_ms: tx.seen_ms,
            selector: tx.selector().map(Text),
            to: tx.to.map(Text),
            r#type: tx.tx_type,
            value: Text(tx.value),
        }
    }
}
