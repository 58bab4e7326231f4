//! Events as JSON: the event log's wire form (schema version 1). Python adds `response` to alerts and nothing else.

pub mod simulation;

use super::{Event, Judged, TransactionRecord};
use crate::chain::Reorg;
use crate::evidence::{Anomaly, Outcome, SimulationStatus, ThreatDetection, ThreatLevel};
use crate::tx::PendingTransaction;
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const SCHEMA_VERSION: u32 = 1;

/// What every event of one sensor has in common.
#[derive(Debug, Clone)]
pub struct Origin {
    pub sensor: String,
    pub chain_id: u64,
}

impl Origin {
    /// The kind, as Python dispatches on it, and the JSON: one object, or newline-terminated objects for `lines`.
    pub fn encode(&self, event: &Event) -> (&'static str, Vec<u8>) {
        match event {
            Event::Ready => ("ready", Vec::new()),
            Event::End => ("end", Vec::new()),
            Event::Broken(b) => (
                "breakdown",
                self.object(
                    "breakdown",
                    micros_now(),
                    json!({"thread": b.thread, "reason": b.reason}),
                ),
            ),
            Event::Detection(d) => ("alert", self.object("alert", micros_now(), alert(d))),
            Event::Anomaly(a) => (
                "anomaly",
                self.object("anomaly", a.at_ms.saturating_mul(1000), anomaly(a)),
            ),
            Event::Reorg(r) => (
                "reorg",
                self.object("reorg", r.at_ms.saturating_mul(1000), reorg(r)),
            ),
            Event::Outcome(o) => (
                "outcome",
                self.object("outcome", o.at_ms.saturating_mul(1000), self.outcome(o)),
            ),
            Event::Transactions(records) => ("lines", self.lines(records)),
        }
    }

    fn lines(&self, records: &[TransactionRecord]) -> Vec<u8> {
        let mut out = Vec::with_capacity(records.len() * 1024);
        for record in records {
            out.extend_from_slice(&self.object(
                "tx",
                record.tx.seen_ms.saturating_mul(1000),
                transaction_record(record),
            ));
            out.push(b'\n');
        }
        out
    }

    fn outcome(&self, o: &Outcome) -> Value {
        let mut body = serde_json::to_value(o).unwrap_or_default();
        if let Value::Object(map) = &mut body {
            map.remove("at_ms");
            map.insert(
                "alert_id".into(),
                crate::evidence::alert_id(self.chain_id, &o.hash).into(),
            );
        }
        body
    }

    fn object(&self, event_type: &str, at_us: u64, body: Value) -> Vec<u8> {
        let mut all = Map::new();
        all.insert("timestamp".into(), rfc3339(at_us).into());
        all.insert("event_type".into(), event_type.into());
        all.insert("sensor".into(), self.sensor.as_str().into());
        all.insert("chain_id".into(), self.chain_id.into());
        all.insert("schema_version".into(), SCHEMA_VERSION.into());
        if let Value::Object(body) = body {
            all.extend(body);
        }
        // A map of strings and numbers always serializes.
        serde_json::to_vec(&all).unwrap_or_default()
    }
}

fn alert(d: &ThreatDetection) -> Value {
    let mut tx = transaction(&d.tx);
    tx["function"] = d.function.clone().into();
    tx["arguments"] = d
        .arguments
        .iter()
        .map(|(name, kind, value)| json!({"name": name, "type": kind, "value": value}))
        .collect();
    json!({
        "alert_id": d.alert_id,
        "severity": severity(d.threat_level),
        "threat_level": d.threat_level,
        "score": decimal(d.score),
        "notify": d.notify,
        "tx": tx,
        "contracts": d.contracts.iter().map(|name| &**name).collect::<Vec<_>>(),
        "classification": {
            "model": &*d.classification.model,
            "version": &*d.classification.version,
            "probability": decimal(d.classification.probability),
            "threshold": decimal(d.classification.threshold),
            "factors": d.classification.factors.iter().map(|f| json!({
                "feature": f.feature, "value": decimal(f.value), "contribution": decimal(f.contribution)
            })).collect::<Vec<_>>(),
        },
        "signatures": d.signatures.iter().map(|s| json!({
            "id": s.id, "rev": s.rev, "name": &*s.name, "classtype": &*s.classtype,
            "severity": s.severity, "score": decimal(s.score), "notify": s.notify
        })).collect::<Vec<_>>(),
        "signature_score": decimal(d.signature_score),
        "features": d.features.map(decimal),
        "simulation": simulation_status(&d.simulation),
        "latency_us": {
            "decode": d.latency_us.decode,
            "features": d.latency_us.features,
            "signatures": d.latency_us.signatures,
            "classify": d.latency_us.classify,
            "simulate": d.latency_us.simulate,
            "total": d.latency_us.total,
        },
    })
}

fn simulation_status(status: &SimulationStatus) -> Value {
    match status {
        SimulationStatus::NotRun => json!({"status": "not_run"}),
        SimulationStatus::Failed(failure) => {
            json!({"status": "failed", "failure": failure.kind, "reason": failure.reason})
        }
        SimulationStatus::Done(done) => {
            let mut all = simulation::json(&done.simulation);
            all["status"] = "done".into();
            all
        }
    }
}

fn transaction_record(record: &TransactionRecord) -> Value {
    let mut tx = transaction(&record.tx);
    tx["gas"] = record.tx.gas.into();
    tx["type"] = record.tx.tx_type.into();
    tx["max_fee_per_gas"] = record.tx.max_fee_per_gas.to_string().into();
    tx["max_priority_fee_per_gas"] = record.tx.max_priority_fee_per_gas.to_string().into();
    tx["input"] = alloy_primitives::hex::encode_prefixed(&record.tx.input).into();
    let mut body = json!({"tx": tx});
    if let Some(Judged {
        features,
        probability,
        score,
    }) = record.judged
    {
        body["probability"] = decimal(probability).into();
        body["score"] = decimal(score).into();
        body["features"] = features.iter().copied().map(decimal).collect();
    }
    body
}

fn transaction(tx: &PendingTransaction) -> Value {
    json!({
        "hash": tx.hash,
        "from": format!("{:#x}", tx.from),
        "to": tx.to.map(|to| format!("{to:#x}")),
        "value": tx.value.to_string(),
        "nonce": tx.nonce,
        "selector": tx.selector().map(alloy_primitives::hex::encode_prefixed),
        "seen_ms": tx.seen_ms,
    })
}

fn anomaly(a: &Anomaly) -> Value {
    json!({"kind": a.kind, "origin": a.origin, "reason": a.reason})
}

fn reorg(r: &Reorg) -> Value {
    json!({"depth": r.depth, "number": r.number, "old_head": r.old_head, "new_head": r.new_head})
}

fn severity(level: ThreatLevel) -> &'static str {
    match level {
        ThreatLevel::Critical => "critical",
        ThreatLevel::High => "high",
        ThreatLevel::Medium => "medium",
        ThreatLevel::Low | ThreatLevel::Benign => "low",
    }
}

/// The shortest decimal that reads back as the same float32 (a plain cast would print 0.10000000149011612 for 0.1).
pub(crate) fn decimal(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

fn micros_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_micros() as u64)
}

/// RFC 3339 in UTC with microseconds. A recorded time can be anything; the format ends with the year 9999.
fn rfc3339(unix_us: u64) -> String {
    const LAST: u64 = 253_402_300_799_999_999;
    let at = UNIX_EPOCH + Duration::from_micros(unix_us.min(LAST));
    humantime::format_rfc3339_micros(at).to_string()
}
