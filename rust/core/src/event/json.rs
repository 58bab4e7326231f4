//! Events as JSON: the event log's wire form (schema version 1). Keys are in alphabetical order, but an
//! alert's `response`, which is last, as readers have always had them: serde writes fields as they are declared.

mod alert;
mod deploy;
mod fields;
mod happened;
mod response;
pub mod simulation;
#[cfg(test)]
mod tests;
mod transaction;

pub use alert::Alert;
pub use deploy::{Deploy, Detonated, Score};
pub use fields::{ChainId, Sensor, Text, Timestamp, Version};
pub use happened::{Anomaly, Breakdown, Outcome, Reorg};
pub use response::{Response, Victim};
pub use transaction::Transaction;

use super::{Event, TransactionRecord};
use crate::config::Mode;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

pub const SCHEMA_VERSION: u32 = 1;

/// What every event of one sensor has in common.
#[derive(Debug, Clone)]
pub struct Origin {
    pub sensor: String,
    pub chain_id: u64,
    /// What alerts say of the response.
    pub mode: Mode,
}

impl Origin {
    /// The kind, as Python dispatches on it, and the JSON: one object, or newline-terminated objects for `lines`.
    pub fn encode(&self, event: &Event) -> (&'static str, Vec<u8>) {
        match event {
            Event::Ready => ("ready", Vec::new()),
            Event::Stir => ("stir", Vec::new()),
            Event::End => ("end", Vec::new()),
            Event::Broken(b) => {
                let now = micros(SystemTime::now());
                ("breakdown", write(&Breakdown::new(self, now, b)))
            }
            Event::Detection(d) => {
                let detected = micros(d.detected);
                ("alert", write(&Alert::new(self, detected, d)))
            }
            Event::Deployment(d, refuted) => ("deploy", write(&Deploy::new(self, d, refuted))),
            Event::Anomaly(a) => ("anomaly", write(&Anomaly::new(self, a))),
            Event::Reorg(r) => ("reorg", write(&Reorg::new(self, r))),
            Event::Outcome(o) => ("outcome", write(&Outcome::new(self, o))),
            Event::Transactions(records) => ("lines", self.lines(records)),
        }
    }

    fn lines(&self, records: &[TransactionRecord]) -> Vec<u8> {
        let mut out = Vec::with_capacity(records.len() * 1024);
        for record in records {
            write_to(&mut out, &Transaction::new(self, record));
            out.push(b'\n');
        }
        out
    }
}

/// As the event log has it.
pub fn write(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    write_to(&mut out, value);
    out
}

fn write_to(out: &mut Vec<u8>, value: &impl Serialize) {
    // Strings and numbers always serialize, and memory takes them.
    let _ = value.serialize(&mut Serializer::with_formatter(out, Decimals));
}

/// Compact JSON, with each float32 as [`decimal`].
struct Decimals;

impl Formatter for Decimals {
    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        self.write_f64(writer, decimal(value))
    }
}

/// The shortest decimal that reads back as the same float32 (a plain cast would print 0.10000000149011612 for 0.1).
pub(crate) fn decimal(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

fn micros(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_micros() as u64)
}
