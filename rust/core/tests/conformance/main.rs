//! Recorded executions of real transactions: the simulator must do what the network did.
//!
//! They are in the shared data (`MEMPOOL_IDS_DATA`, else `../shared/data` beside the repository); without it these tests
//! say so and pass.

mod geth;
mod prestate;

use alloy_primitives::{Address, Bytes, U256, keccak256};
use flate2::read::GzDecoder;
use mempool_ids_core::simulate::recorder::Bounds;
use mempool_ids_core::simulate::state::RecordedState;
use revm::bytecode::Bytecode;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A file of the shared data, where that is.
fn shared(name: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("MEMPOOL_IDS_DATA").map_or_else(|| beside.into(), PathBuf::from);
    let path = data.join("evm-fixtures").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// The files of an archive whose names end with `suffix`: name and text, by name.
fn archive(path: &PathBuf, suffix: &str) -> Vec<(String, String)> {
    let file = File::open(path).unwrap();
    let mut files = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(file)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        if name.ends_with(suffix) {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            files.push((name, text));
        }
    }
    files.sort();
    files
}

fn bounds() -> Bounds {
    Bounds {
        deadline: Instant::now() + Duration::from_secs(60),
        frames: 1 << 20,
        bytes: 1 << 30,
        accesses: 1 << 20,
    }
}

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

/// A number as any of these files writes it.
#[derive(Deserialize, Clone, Copy, Debug, Default)]
#[serde(try_from = "Value")]
struct Number(U256);

impl TryFrom<Value> for Number {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(format!("not a number: {value}")),
        };
        text.parse().map(Self).map_err(|e| format!("{text}: {e}"))
    }
}

impl Number {
    fn u64(self) -> u64 {
        self.0.to()
    }
}

fn add_account(
    state: &mut RecordedState,
    address: Address,
    balance: U256,
    nonce: u64,
    code: &Bytes,
    storage: impl Iterator<Item = (U256, U256)>,
) {
    let account = state.accounts.entry(address).or_default();
    account.info.balance = balance;
    account.info.nonce = nonce;
    account.info.code = None;
    if !code.is_empty() {
        let hash = keccak256(code);
        account.info.code_hash = hash;
        state.codes.insert(hash, Bytecode::new_raw(code.clone()));
    }
    account.storage = storage.collect();
}
