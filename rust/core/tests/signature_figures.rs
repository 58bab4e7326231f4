//! What the built-in pack does on real data: how often it would alert on harmless traffic, and on attacks.
//!
//! Run with `MEMPOOL_IDS_DATA=DIR cargo test --release -p mempool-ids-core --test signature_figures -- --nocapture`;
//! DIR holds transactions/train.parquet and contracts/train.parquet. Skips, saying so, without it.

use alloy_primitives::{Address, U256};
use mempool_ids_core::bytecode::CodeFacts;
use mempool_ids_core::decode::{Decoded, Decoder};
use mempool_ids_core::signatures::{Matcher, RuleSet, Subject};
use mempool_ids_core::tx::PendingTransaction;
use parquet::file::reader::SerializedFileReader;
use parquet::record::Field;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// A detection is made here.
const DETECTED: f32 = 0.7;

type Row = HashMap<String, Field>;

fn table(name: &str) -> Option<Vec<Row>> {
    let Some(folder) = std::env::var_os("MEMPOOL_IDS_DATA") else {
        println!("skipped: MEMPOOL_IDS_DATA does not name the data folder");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    if !path.exists() {
        println!("skipped: no {}", path.display());
        return None;
    }
    let reader = SerializedFileReader::try_from(path.as_path()).expect("parquet");
    Some(
        reader
            .into_iter()
            .map(|row| row.expect("row").into_columns().into_iter().collect())
            .collect(),
    )
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Field::Str(value)) => value.clone(),
        _ => String::new(),
    }
}

fn bytes(row: &Row, name: &str) -> Vec<u8> {
    match row.get(name) {
        Some(Field::Bytes(value)) => value.data().to_vec(),
        _ => Vec::new(),
    }
}

fn number(row: &Row, name: &str) -> Option<u64> {
    match row.get(name) {
        Some(Field::Long(value)) => u64::try_from(*value).ok(),
        _ => None,
    }
}

/// Rows, rows at or above the threshold, and rows by sid.
#[derive(Default)]
struct Tally {
    rows: u32,
    detected: u32,
    by_sid: BTreeMap<u32, u32>,
}

struct Judge {
    matcher: Matcher,
    out: Vec<u32>,
    tallies: BTreeMap<String, Tally>,
}

impl Judge {
    fn new() -> Self {
        let rules = RuleSet::load(&["builtin".to_owned()]).expect("loads");
        Self {
            matcher: Matcher::new(Arc::new(rules)),
            out: Vec::new(),
            tallies: BTreeMap::new(),
        }
    }

    fn count(&mut self, group: &str, subject: &Subject) {
        let score = self.matcher.evaluate(subject, &mut self.out);
        let tally = self.tallies.entry(group.to_owned()).or_default();
        tally.rows += 1;
        tally.detected += u32::from(score >= DETECTED);
        for sid in &self.out {
            *tally.by_sid.entry(*sid).or_default() += 1;
        }
    }

    fn print(&self) {
        for (group, tally) in &self.tallies {
            let share = |n: u32| 100.0 * f64::from(n) / f64::from(tally.rows);
            println!(
                "{group}: {} rows, detected {} ({:.3} %)",
                tally.rows,
                tally.detected,
                share(tally.detected)
            );
            for (sid, n) in &tally.by_sid {
                println!("    {sid}: {n} ({:.3} %)", share(*n));
            }
        }
    }

    fn share(&self, group: &str) -> f64 {
        let tally = self.tallies.get(group).expect("a known group");
        f64::from(tally.detected) / f64::from(tally.rows)
    }
}

#[test]
fn on_real_calldata() {
    let Some(rows) = table("transactions/train.parquet") else {
        return;
    };
    let decoder = Decoder::new(&[]);
    let mut decoded = Decoded::default();
    let mut judge = Judge::new();
    for row in &rows {
        let to: Option<Address> = text(row, "to").parse().ok();
        let tx = PendingTransaction {
            from: text(row, "from").parse().unwrap_or_default(),
            to,
            value: text(row, "value").parse().unwrap_or_default(),
            // What a collection lacks must not tell it apart.
            nonce: number(row, "nonce").unwrap_or(100),
            gas: number(row, "gas").unwrap_or(300_000),
            input: bytes(row, "input"),
            ..Default::default()
        };
        decoder.decode(&tx, &mut decoded);
        let label = text(row, "label");
        let base = Subject {
            tx: &tx,
            decoded: &decoded,
            code: None,
            touches: &[],
            code_touches: &[],
            monitored: &[],
            block_number: None,
        };
        judge.count(&format!("{label}, nothing monitored"), &base);
        // The hardest case: whatever is called is protected.
        if let Some(to) = to {
            judge.count(
                &format!("{label}, callee monitored"),
                &Subject {
                    touches: &[0],
                    code_touches: &[],
                    monitored: &[to],
                    ..base
                },
            );
        }
        let victim: Option<Address> = text(row, "victim").get(..42).and_then(|v| v.parse().ok());
        if let Some(victim) = victim.filter(|v| to == Some(*v) || decoded.addresses.contains(v)) {
            let monitored = [victim];
            let subject = Subject {
                touches: &[0],
                code_touches: &[],
                monitored: &monitored,
                ..base
            };
            judge.count("exploit, victim monitored and named in the call", &subject);
        }
    }
    judge.print();
    assert!(judge.share("benign, nothing monitored") == 0.0);
    assert!(judge.share("benign, callee monitored") < 0.01);
}

/// Twenty bytes that are an address and not a text, a mask or a small number.
fn plausible(address: &Address) -> bool {
    let zeros = address.iter().filter(|b| **b == 0).count();
    let text = address
        .iter()
        .filter(|b| b.is_ascii_graphic() || **b == b' ')
        .count();
    let ones = address.iter().filter(|b| **b == 0xff).count();
    zeros < 8 && text < 18 && ones < 8
}

/// Every contract is called by an unknown function, and whatever it has hard-coded is protected.
#[test]
fn on_real_contracts() {
    let Some(rows) = table("contracts/train.parquet") else {
        return;
    };
    let decoder = Decoder::new(&[]);
    let mut judge = Judge::new();
    for row in &rows {
        let label = text(row, "label");
        if text(row, "kind") != "runtime" || !["benign", "exploit"].contains(&label.as_str()) {
            continue;
        }
        let facts = CodeFacts::scan(&bytes(row, "code"), None);
        let monitored: Vec<Address> = facts
            .addresses
            .iter()
            .copied()
            .filter(plausible)
            .take(8)
            .collect();
        let touches: Vec<u16> = (0..monitored.len() as u16).collect();
        for (words, nonce) in [(0, 100), (0, 3), (3, 100)] {
            let mut input = vec![0xde, 0xad, 0xbe, 0xef];
            input.resize(4 + 32 * words, 0x01);
            let tx = PendingTransaction {
                from: Address::repeat_byte(0x5e),
                to: Some(Address::repeat_byte(0xcc)),
                value: U256::ZERO,
                nonce,
                gas: 500_000,
                input,
                ..Default::default()
            };
            let mut decoded = Decoded::default();
            decoder.decode(&tx, &mut decoded);
            for (age, created_at) in [
                ("age unknown", None),
                ("new", Some(999_000)),
                ("old", Some(1)),
            ] {
                let facts = CodeFacts {
                    created_at,
                    ..facts.clone()
                };
                let subject = Subject {
                    tx: &tx,
                    decoded: &decoded,
                    code: Some(&facts),
                    touches: &touches,
                    code_touches: &[],
                    monitored: &monitored,
                    block_number: Some(1_000_000),
                };
                judge.count(
                    &format!(
                        "{label}: {}, {words} words, nonce {nonce}, {age}",
                        text(row, "source")
                    ),
                    &subject,
                );
                if !monitored.is_empty() {
                    judge.count(
                        &format!(
                            "{label} with hard-coded addresses, {words} words, nonce {nonce}, {age}"
                        ),
                        &subject,
                    );
                }
            }
        }
    }
    judge.print();
    assert!(
        judge.share("benign with hard-coded addresses, 3 words, nonce 100, age unknown") < 0.01
    );
    assert!(judge.share("benign with hard-coded addresses, 0 words, nonce 3, old") < 0.01);
}
