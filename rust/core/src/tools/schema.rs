//! The event log's JSON Schema, from the types that are written. `make schema` puts it into the Python package, a test holds
//! the two together.

#[cfg(test)]
mod tests;

use crate::event::json::{
    Alert, Anomaly, Breakdown, ChainId, Outcome, Reorg, Sensor, Text, Timestamp, Transaction,
    Version,
};
use crate::pipeline::latency::LatencySnapshot;
use crate::signatures::RuleCost;
use crate::stats::EndpointSnapshot;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use std::collections::BTreeMap;

/// One JSON object a line. Amounts as decimal strings, addresses and hashes in lower-case hexadecimal.
#[derive(JsonSchema)]
#[schemars(untagged, title = "mempool-ids event, schema version 1")]
#[allow(dead_code)] // Described, never made.
enum Event {
    Alert(Alert<'static>),
    Tx(Transaction<'static>),
    Outcome(Outcome<'static>),
    Anomaly(Anomaly<'static>),
    Breakdown(Breakdown<'static>),
    Reorg(Reorg<'static>),
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
    simulated: u64,
    simulated_again: u64,
    simulation_failures: ByName,
    exonerated: u64,
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
