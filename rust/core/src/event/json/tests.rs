//! The event log's bytes, as they have been since schema version 1: recorded from the code before the types had derives.

use super::{Origin, decimal, write};
use crate::chain::Reorg;
use crate::config::Mode;
use crate::event::{Event, Judged, TransactionRecord};
use crate::evidence::transfers::Asset;
use crate::evidence::*;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256, I256, U256};
use proptest::prelude::*;
use std::time::Instant;

const VAULT: Address = Address::repeat_byte(0x5F);
const SENDER: Address = Address::repeat_byte(0xA1);

fn origin() -> Origin {
    Origin {
        sensor: "a \"sensor\"".into(),
        chain_id: 1,
        mode: Mode::AlertOnly,
    }
}

fn transaction() -> PendingTransaction {
    PendingTransaction {
        hash: B256::repeat_byte(0xAB),
        from: SENDER,
        to: Some(VAULT),
        value: U256::MAX,
        nonce: 7,
        gas: 100_000,
        tx_type: 2,
        chain_id: Some(1),
        max_fee_per_gas: u128::MAX,
        max_priority_fee_per_gas: 0,
        input: vec![0x2E, 0x1A, 0x7D, 0x4D, 0xFF],
        seen_ms: 1_700_000_000_123,
    }
}

fn features() -> FeatureVector {
    let mut features = [0.0; FEATURES];
    features[..6].copy_from_slice(&[0.1, -1.0, 2.75, 1.0 / 3.0, 1e-7, 28.000_002]);
    features
}

fn factor(feature: &'static str) -> Factor {
    Factor {
        feature,
        value: 0.1,
        contribution: -1.0 / 3.0,
    }
}

fn simulation() -> Simulation {
    Simulation {
        block: 17,
        outcome: "halted: OutOfGas".into(),
        succeeded: true,
        before: vec!["succeeded".into(), "reverted".into()],
        gas_used: 21_000,
        frames: 3,
        depth: 2,
        touched: vec!["Vault".into()],
        created: vec![Address::repeat_byte(0xCD)],
        flows: vec![
            Flow {
                account: SENDER,
                asset: Asset::Native,
                amount: I256::MINUS_ONE,
            },
            Flow {
                account: VAULT,
                asset: Asset::Unique(Address::repeat_byte(0xEE), U256::from(7)),
                amount: I256::MAX,
            },
        ],
        coinbase_payment: U256::from(5),
        violations: vec![Violation {
            invariant: "outflow".into(),
            contract: "Vault".into(),
            class: Class::Loss,
            weight: 0.9,
            severe: true,
            explanation: "1 ETH leaves – all of it".into(),
            losses: Vec::new(),
            shares: Vec::new(),
        }],
        losses: vec![Loss {
            contract: "Vault".into(),
            asset: Asset::Token(Address::repeat_byte(0xEE)),
            amount: U256::MAX,
        }],
        harm: 0.9,
        probability: Some(0.7),
        factors: vec![factor("calls")],
        variations: vec![Variation {
            of: "gas limit",
            harm: 0.1,
            probability: None,
            finished: true,
        }],
        complete: true,
        watched: true,
        ..Simulation::default()
    }
}

fn detection(simulation: SimulationStatus) -> ThreatDetection {
    let tx = transaction();
    ThreatDetection {
        alert_id: alert_id(1, &tx.hash),
        chain_id: 1,
        tx,
        function: Some("withdraw(uint256)".into()),
        arguments: vec![("amount".into(), "uint256".into(), "1".into())],
        contracts: vec!["Vault".into()],
        score: 0.95,
        threat_level: ThreatLevel::Critical,
        classification: Classification {
            model: "random_forest".into(),
            version: "1".into(),
            probability: 0.85,
            threshold: 0.7,
            factors: vec![factor("call_depth")],
        },
        signatures: vec![SignatureMatch {
            id: 1,
            rev: 2,
            name: "n".into(),
            classtype: "c".into(),
            severity: 1,
            score: 0.35,
            notify: true,
        }],
        signature_score: 0.35,
        authenticity: Authenticity::Proven,
        features: features(),
        notify: true,
        grade: Grade::of(&simulation),
        victims: Vec::new(),
        early: None,
        simulation,
        latency_us: LatencyUs {
            decode: 1.0,
            features: 0.25,
            signatures: 0.125,
            classify: 5.5,
            simulate: None,
            total: 9.0,
        },
        detected: std::time::SystemTime::UNIX_EPOCH,
        watched_ms: 90_000,
    }
}

fn events() -> Vec<Event> {
    let failure = Failure::new(FailureKind::NotReady, "no block");
    let mut creation = detection(SimulationStatus::NotRun);
    creation.tx.to = None;
    creation.function = None;
    creation.threat_level = ThreatLevel::Benign;
    let mut whole = detection(SimulationStatus::Done(Box::new(DoneSimulation {
        simulation: simulation(),
        took_us: 1500.5,
    })));
    whole.latency_us.simulate = Some(1500.5);
    let outcome = |fate| {
        Event::Outcome(Outcome {
            at_ms: 1_700_000_000_123,
            hash: B256::repeat_byte(0xAB),
            fate,
        })
    };
    let record = |judged| TransactionRecord {
        tx: transaction(),
        judged,
        arrived: Instant::now(),
        finished: Instant::now(),
    };
    let judged = Judged {
        features: features(),
        probability: 0.85,
        score: 0.95,
    };
    vec![
        Event::Detection(Box::new(detection(SimulationStatus::Failed(failure)))),
        Event::Detection(Box::new(creation)),
        Event::Detection(Box::new(whole)),
        outcome(Fate::Mined { block: 5 }),
        outcome(Fate::Replaced {
            by: B256::repeat_byte(1),
        }),
        outcome(Fate::Dropped),
        outcome(Fate::Reorged),
        Event::Anomaly(Anomaly {
            at_ms: u64::MAX,
            kind: AnomalyKind::MalformedFrame,
            origin: "ws://n".into(),
            reason: "no \u{1}".into(),
        }),
        Event::Reorg(Reorg {
            at_ms: 0,
            depth: 2,
            number: 9,
            old_head: B256::repeat_byte(1),
            new_head: B256::repeat_byte(2),
        }),
        Event::Transactions(vec![record(None), record(Some(judged))]),
    ]
}

/// The line of an alert, which bears the time it was written at.
fn at_a_fixed_time(line: &str) -> String {
    const KEY: &str = "\"timestamp\":\"";
    let start = line.find(KEY).unwrap() + KEY.len();
    let end = start + line[start..].find('"').unwrap();
    let fixed = "2026-01-01T00:00:00.000000Z";
    [&line[..start], fixed, &line[end..]].concat()
}

/// Without what is new since then.
fn as_it_was(line: &str) -> String {
    const FEES: &str = r#""max_fee_per_gas":"340282366920938463463374607431768211455","max_priority_fee_per_gas":"0","#;
    let mut line = line.replace(",\"watched_ms\":90000", "");
    if line.contains(r#""event_type":"alert""#) {
        for new in [
            r#""grade":"suspected","#,
            r#""gas":100000,"#,
            FEES,
            r#","victims":[]"#,
        ] {
            assert_eq!(line.matches(new).count(), 1, "{new} in {line}");
            line = line.replace(new, "");
        }
        let response = line.find(r#","decision":"#).expect("of the response");
        line.replace_range(response.., "}}");
    }
    line
}

#[test]
fn the_bytes_are_those_of_the_first_version() {
    let mut written = Vec::new();
    for event in events() {
        let (kind, bytes) = origin().encode(&event);
        let text = String::from_utf8(bytes).unwrap();
        for line in text.lines() {
            // New since then.
            let line = as_it_was(line);
            written.push(match kind {
                "alert" => at_a_fixed_time(&line),
                _ => line,
            });
        }
    }
    let recorded: Vec<_> = include_str!("tests/recorded.jsonl").lines().collect();
    assert_eq!(written, recorded);
}

#[test]
fn an_alert_says_how_long_the_sensor_had_watched() {
    let (_, bytes) = origin().encode(&events()[0]);
    let alert: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(alert["watched_ms"], 90_000);
}

#[test]
fn a_float_that_is_no_number_is_null() {
    assert_eq!(write(&[f32::NAN, f32::INFINITY]), b"[null,null]");
}

proptest! {
    #[test]
    fn floats_have_the_fewest_digits_that_read_back(bits in any::<u32>()) {
        let x = f32::from_bits(bits);
        prop_assume!(x.is_finite());
        let text = String::from_utf8(write(&x)).unwrap();
        prop_assert_eq!(text.parse::<f32>().unwrap(), x);
        prop_assert_eq!(text, serde_json::to_string(&decimal(x)).unwrap());
    }
}
