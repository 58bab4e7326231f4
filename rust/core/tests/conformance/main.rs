//! Recorded executions of real transactions: the simulator must do what the network did.
//!
//! They are in the shared data (`MEMPOOL_IDS_DATA`, else `../shared/data` beside the repository); without it these tests
//! say so and pass.

mod blocks;
#[path = "../support/call_tracer.rs"]
mod call_tracer;
mod geth;
mod mainnet;
mod prestate;
mod recorded;
mod traces;

use mainnet::bounds;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where two values differ first.
fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let null = &Value::Null;
                let (a, b) = (a.get(key).unwrap_or(null), b.get(key).unwrap_or(null));
                difference(&format!("{path}.{key}"), a, b)
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs
                .into_iter()
                .find_map(|(n, (a, b))| difference(&format!("{path}[{n}]"), a, b))
        }
        _ if ours == theirs => None,
        _ => {
            let short = |value: &Value| value.to_string().chars().take(120).collect::<String>();
            Some(format!(
                "{path}: ours {}, theirs {}",
                short(ours),
                short(theirs)
            ))
        }
    }
}
