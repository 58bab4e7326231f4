//! The event log's JSON Schema, from the types that are written. `make schema` puts it into the Python package, a test holds
//! the two together.

#[cfg(test)]
mod tests;

use crate::event::json::{
    Alert, Anomaly, Breakdown, ChainId, Deploy, Outcome, Reorg, Sensor, Text, Timestamp,
    Transaction, Version,
};
use crate::evidence::Grade;
use crate::pipeline::latency::LatencySnapshot;
use crate::signatures::RuleCost;
use crate::stats::EndpointSnapshot;
use alloy_primitives::{Address, B256, U256};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;
use std::collections::BTreeMap;

/// One JSON object a line. Amounts as decimal strings, addresses and hashes in lower-case hexadecimal.
#[derive(JsonSchema)]
#[schemars(untagged, title = "mempool-ids event, schema version 1")]
#[allow(dead_code, clippy::large_enum_variant)] // Described, never made.
enum Event {
    Alert(Alert<'static>),
    Tx(Transaction<'static>),
    Deploy(Deploy<'static>),
    Outcome(Outcome<'static>),
    Anomaly(Anomaly<'static>),
    Breakdown(Breakdown<'static>),
    Reorg(Reorg<'static>),
    Response(Response),
    Stats(Stats),
}

/// Counters since the start.
#[derive(JsonSchema)]
#[schemars(rename = "stats")]
#[allow(dead_code)] // Described here, written by Python: the core's counters and the engine's own.
struct Stats {
    chain_id: ChainId,
    #[schemars(extend("const" = "stats"))]
    event_type: String,
    schema_version: Version,
    sensor: Sensor<'static>,
    stats: Figures,
    timestamp: Text<Timestamp>,
}

/// One change of a response to a threat. Amounts in wei, fees in wei a gas.
#[derive(JsonSchema)]
#[schemars(rename = "response_event")]
#[allow(dead_code)] // Described here, written by Python.
struct Response {
    /// The action, through all its changes.
    action_id: String,
    /// How many transactions were sent so far.
    attempt: u64,
    block: Option<u64>,
    /// The caps cut its bid short.
    capped: bool,
    chain_id: ChainId,
    /// Paid for gas, once a block has it.
    cost_wei: Option<Text<U256>>,
    #[schemars(extend("const" = "response"))]
    event_type: String,
    gas_limit: Option<u64>,
    grade: Grade,
    /// What the attack would have taken, where that is known in ether.
    loss_wei: Option<Text<U256>>,
    max_fee_per_gas: Option<Text<U256>>,
    max_priority_fee_per_gas: Option<Text<U256>>,
    nonce: Option<u64>,
    /// Index in its block.
    position: Option<u64>,
    reason: String,
    /// The same after a restart.
    #[schemars(length(min = 1))]
    response_id: String,
    schema_version: Version,
    sensor: Sensor<'static>,
    /// Nothing was sent: this is what would have been.
    shadow: bool,
    #[schemars(extend("enum" = [
        "intent", "verified", "sent", "included", "confirmed", "superseded", "cancelled", "failed",
    ]))]
    state: String,
    #[schemars(extend("enum" = ["pause", "rescue", "cancel"]))]
    strategy: String,
    /// The contract's name.
    target: String,
    target_address: Text<Address>,
    /// The first of `threats`.
    threat_tx: Option<Text<B256>>,
    /// What it answers; nothing where a person asked for it.
    threats: Vec<Text<B256>>,
    timestamp: Text<Timestamp>,
    /// Its own, the last that was sent or the one that a block has.
    tx_hash: Option<Text<B256>>,
    urgency: String,
    /// It came before the attack.
    won: Option<bool>,
}

type ByName = BTreeMap<String, u64>;

/// `IDSStatistics` of Python, which says what each is.
#[derive(JsonSchema)]
#[schemars(rename = "figures")]
#[allow(dead_code)]
struct Figures {
    uptime_s: f64,
    received: u64,
    duplicates: u64,
    unparsed: u64,
    classified: u64,
    triaged_contact: u64,
    triaged_score: u64,
    triaged_young: u64,
    mined_contact: u64,
    mined_contact_seen: u64,
    simulated: u64,
    simulated_again: u64,
    simulated_after_others: u64,
    simulation_failures: ByName,
    exonerated: u64,
    /// Counters of new contracts, and how blocks are told of.
    early: BTreeMap<String, Value>,
    state_fetches: u64,
    state_carried: u64,
    state_discarded: u64,
    state_failures: u64,
    detections: u64,
    stored: u64,
    repeated: u64,
    muted: u64,
    dropped: u64,
    malformed: u64,
    storage_failures: u64,
    event_log_failures: u64,
    callback_failures: u64,
    callbacks_dropped: u64,
    outcomes: ByName,
    reorgs: u64,
    reconnects: u64,
    recovered: u64,
    head_number: u64,
    next_base_fee_wei: u64,
    tracked: u64,
    anomalies: ByName,
    deliveries: ByName,
    latency_us: LatencySnapshot,
    endpoints: Vec<EndpointSnapshot>,
    rules: Vec<RuleCost>,
    invariants_speaking: ByName,
    invariants_silent: ByName,
    defense: Option<BTreeMap<String, Value>>,
}

/// JSON Schema 2020-12 of one line of the event log.
pub fn event_schema() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(closed))
        .into_generator()
        .into_root_schema_for::<Event>()
}

/// What is not declared is a mistake. A condition has properties, and is no object.
fn closed(schema: &mut Schema) {
    if schema.get("type").is_some() && schema.get("properties").is_some() {
        schema.insert("additionalProperties".into(), false.into());
    }
}
