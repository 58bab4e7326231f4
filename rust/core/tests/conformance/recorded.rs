//! The shared data: archives of recorded executions.

use alloy_primitives::U256;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file of the shared data, where that is: `MEMPOOL_IDS_DATA`, else `../shared/data` beside the repository.
pub fn shared(name: &str) -> Option<PathBuf> {
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
pub fn archive(path: &Path, suffix: &str) -> Vec<(String, String)> {
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

/// A number as any of these files writes it.
#[derive(Deserialize, Clone, Copy, Debug, Default)]
#[serde(try_from = "Value")]
pub struct Number(pub U256);

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
    pub fn u64(self) -> u64 {
        self.0.to()
    }
}
