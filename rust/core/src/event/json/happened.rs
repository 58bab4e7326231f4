//! `outcome`, `anomaly`, `breakdown` and `reorg`: what happened to detected transactions, to the sensor, and to the chain.

use super::Origin;
use super::fields::{ChainId, Sensor, Text, Timestamp, Version};
use crate::chain;
use crate::evidence::{self, AnomalyKind, Fate, alert_id};
use alloy_primitives::B256;
use schemars::JsonSchema;
use serde::Serialize;

/// How a detected transaction ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "outcome", extend("allOf" = [
    {"if": {"properties": {"outcome": {"const": "mined"}}}, "then": {"required": ["block"]}},
    {"if": {"properties": {"outcome": {"const": "replaced"}}}, "then": {"required": ["by"]}},
]))]
pub struct Outcome<'a> {
    alert_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    block: Option<u64>,
    /// The transaction that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Text<B256>")]
    by: Option<Text<B256>>,
    chain_id: ChainId,
    #[schemars(extend("const" = "outcome"))]
    event_type: &'static str,
    hash: Text<B256>,
    #[schemars(extend("enum" = ["mined", "replaced", "dropped", "reorged"]))]
    outcome: &'static str,
    schema_version: Version,
    sensor: Sensor<'a>,
    timestamp: Text<Timestamp>,
}

impl<'a> Outcome<'a> {
    pub fn new(origin: &'a Origin, outcome: &'a evidence::Outcome) -> Self {
        let (name, block, by) = match outcome.fate {
            Fate::Mined { block } => ("mined", Some(block), None),
            Fate::Replaced { by } => ("replaced", None, Some(Text(by))),
            Fate::Dropped => ("dropped", None, None),
            Fate::Reorged => ("reorged", None, None),
        };
        Self {
            alert_id: alert_id(origin.chain_id, &outcome.hash),
            block,
            by,
            chain_id: ChainId(origin.chain_id),
            event_type: "outcome",
            hash: Text(outcome.hash),
            outcome: name,
            schema_version: Version::default(),
            sensor: Sensor(&origin.sensor),
            timestamp: at_ms(outcome.at_ms),
        }
    }
}

/// Malformed or impossible input: counted, never fatal.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "anomaly")]
pub struct Anomaly<'a> {
    chain_id: ChainId,
    #[schemars(extend("const" = "anomaly"))]
    event_type: &'static str,
    kind: AnomalyKind,
    origin: &'a str,
    reason: &'a str,
    schema_version: Version,
    sensor: Sensor<'a>,
    timestamp: Text<Timestamp>,
}

impl<'a> Anomaly<'a> {
    pub fn new(origin: &'a Origin, anomaly: &'a evidence::Anomaly) -> Self {
        Self {
            chain_id: ChainId(origin.chain_id),
            event_type: "anomaly",
            kind: anomaly.kind,
            origin: &anomaly.origin,
            reason: &anomaly.reason,
            schema_version: Version::default(),
            sensor: Sensor(&origin.sensor),
            timestamp: at_ms(anomaly.at_ms),
        }
    }
}

/// The sensor failed in its own code: it watches nothing any more.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "breakdown")]
pub struct Breakdown<'a> {
    chain_id: ChainId,
    #[schemars(extend("const" = "breakdown"))]
    event_type: &'static str,
    reason: &'a str,
    schema_version: Version,
    sensor: Sensor<'a>,
    thread: &'static str,
    timestamp: Text<Timestamp>,
}

impl<'a> Breakdown<'a> {
    /// `at_us`: Unix microseconds.
    pub fn new(origin: &'a Origin, at_us: u64, breakdown: &'a evidence::Breakdown) -> Self {
        Self {
            chain_id: ChainId(origin.chain_id),
            event_type: "breakdown",
            reason: &breakdown.reason,
            schema_version: Version::default(),
            sensor: Sensor(&origin.sensor),
            thread: breakdown.thread,
            timestamp: Text(Timestamp(at_us)),
        }
    }
}

/// Blocks left the canonical chain.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "reorg")]
pub struct Reorg<'a> {
    chain_id: ChainId,
    depth: u64,
    #[schemars(extend("const" = "reorg"))]
    event_type: &'static str,
    new_head: Text<B256>,
    number: u64,
    old_head: Text<B256>,
    schema_version: Version,
    sensor: Sensor<'a>,
    timestamp: Text<Timestamp>,
}

impl<'a> Reorg<'a> {
    pub fn new(origin: &'a Origin, reorg: &chain::Reorg) -> Self {
        Self {
            chain_id: ChainId(origin.chain_id),
            depth: reorg.depth,
            event_type: "reorg",
            new_head: Text(reorg.new_head),
            number: reorg.number,
            old_head: Text(reorg.old_head),
            schema_version: Version::default(),
            sensor: Sensor(&origin.sensor),
            timestamp: at_ms(reorg.at_ms),
        }
    }
}

fn at_ms(unix_ms: u64) -> Text<Timestamp> {
    Text(Timestamp(unix_ms.saturating_mul(1000)))
}
