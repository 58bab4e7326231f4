//! What the invariants that need no configuration say of recorded traces: how many attacks each finds, and how often it
//! is wrong.
//!
//! Run with `MEMPOOL_IDS_DATA=DIR cargo test --release -p mempool-ids-core --test invariant_figures -- --nocapture`; DIR
//! holds traces/train.jsonl.gz. Skips, saying so, without it. With `SHOW=1` it tells every violation.
//!
//! The traces have no logs, storage or balances. So tokens moved where they were asked to, views answer what the trace
//! itself heard, and checks of storage (reentrancy, takeover) are silent: the figures are what a recorded call tree alone
//! allows. A trace does not say what is protected either: each contract that ran and came out with less of something is,
//! but the one that the sender called, one after the other; a check counts where it fires for one of them.

use alloy_primitives::{Address, Bytes, U256};
use flate2::read::GzDecoder;
use mempool_ids_core::config::MonitoredContract;
use mempool_ids_core::evidence::trace::Trace;
use mempool_ids_core::evidence::transfers::{Transfer, net};
use mempool_ids_core::simulate::evm::diff::StateDiff;
use mempool_ids_core::simulate::evm::execute::{Execution, Exit};
use mempool_ids_core::simulate::evm::views::TracedViews;
use mempool_ids_core::simulate::judge::invariants::{Effects, Protected, check_all, judge, names};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// Accounts of one trace that are taken for protected.
const MAX_PROTECTED: usize = 32;

#[derive(Deserialize)]
struct Row {
    label: String,
    hash: String,
    trace: Value,
}

/// Rows, and those where something fired, by its name.
#[derive(Default)]
struct Tally {
    rows: u32,
    fired: BTreeMap<&'static str, u32>,
}

/// Contracts that ran and lost something, but the one that the sender called.
fn losers(trace: &Trace, transfers: &[Transfer]) -> Vec<Address> {
    let frames = trace.frames.iter().skip(1);
    let ran: BTreeSet<Address> = frames.map(|frame| frame.from).collect();
    let called = trace.root().and_then(|root| root.to);
    let losers = net(transfers).into_iter().filter(|(account, assets)| {
        let own = called == Some(*account) || trace.root().map(|root| root.from) == Some(*account);
        !own && ran.contains(account) && assets.values().any(|sum| sum.is_negative())
    });
    let losers = losers.map(|(account, _)| account);
    losers.take(MAX_PROTECTED).collect()
}

/// Names of what fires.
fn judged(text: &str) -> BTreeSet<&'static str> {
    let trace = Trace::from_json(text).expect("a trace");
    let transfers = trace.transfers_by_calls();
    let losers = losers(&trace, &transfers);
    let execution = Execution {
        exit: match trace.root().is_some_and(|root| root.error.is_none()) {
            true => Exit::Succeeded,
            false => Exit::Reverted,
        },
        gas_used: 0,
        gas_spent: 0,
        output: Bytes::new(),
        trace,
        accesses: Vec::new(),
        hashed: Default::default(),
        has_calls: true,
        watched: false,
        surroundings: Default::default(),
        cut: false,
        early: false,
        diff: StateDiff::default(),
        coinbase_payment: U256::ZERO,
    };
    let views = TracedViews::new(&execution.trace);
    let stands = execution.trace.stands();
    let mut fired = BTreeSet::new();
    for address in losers {
        let contract = MonitoredContract {
            name: "it".into(),
            address,
            ..MonitoredContract::default()
        };
        let contract = Protected::new(&contract).expect("a contract");
        let effects = Effects {
            execution: &execution,
            transfers: &transfers,
            stands: &stands,
            sender: execution.trace.frames[0].from,
            contract: &contract,
            native: "ETH",
            monitored: &[address],
            views: &views,
            taken: &[],
            supposed: false,
        };
        let violations = check_all(&effects, &[]).violations;
        for name in names() {
            if violations
                .iter()
                .any(|violation| violation.invariant == name)
            {
                fired.insert(name);
            }
        }
        if std::env::var_os("SHOW").is_some() {
            for violation in &violations {
                println!("  {} {}", violation.invariant, violation.explanation);
            }
        }
        let judgement = judge(&violations);
        if judgement.alarm {
            fired.insert("alarm of all together");
        }
        if judgement.probability >= 0.7 {
            fired.insert("probability of .7");
        }
    }
    fired
}

#[test]
fn on_recorded_traces() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let data = std::env::var_os("MEMPOOL_IDS_DATA").map_or_else(|| beside.into(), PathBuf::from);
    let path = data.join("traces/train.jsonl.gz");
    let Ok(file) = File::open(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let line = line.expect("text");
        // Calls nest deeper than serde_json allows by itself.
        let mut text = serde_json::Deserializer::from_str(&line);
        text.disable_recursion_limit();
        let row = Row::deserialize(&mut text).expect("a row");
        if std::env::var_os("SHOW").is_some() {
            println!("{} {}", row.label, row.hash);
        }
        let tally = tallies.entry(row.label).or_default();
        tally.rows += 1;
        for name in judged(&row.trace.to_string()) {
            *tally.fired.entry(name).or_default() += 1;
        }
    }
    for (label, Tally { rows, fired }) in &tallies {
        println!("{label}: {rows} traces");
        for (name, count) in fired {
            let share = 10_000.0 * f64::from(*count) / f64::from(*rows);
            println!("    {name}: {count}, {share:.0} of 10,000");
        }
    }
    let benign = &tallies["benign"];
    let alarms = benign.fired.get("probability of .7").copied();
    // Most of them are emptied of one token to the last unit, as wallets are that are swept.
    assert!(alarms.unwrap_or_default() <= benign.rows / 100);
}
