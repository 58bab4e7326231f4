//! geth's tests of what an execution reads and changes.

use super::difference;
use super::geth::fixtures;
use mempool_ids_core::simulate::diff::{Leave, StateDiff};
use serde_json::{Value, json};

/// Fixtures that are not compared, and why.
const LEFT_OUT: [(&str, &str); 1] = [(
    "prestate_tracer/setcode_tx.json",
    "geth leaves out the account whose code a delegation runs, though it reads it",
)];

fn compare(folder: &str, render: impl Fn(&StateDiff, Leave) -> Value) {
    let mut differences = Vec::new();
    for (name, fixture) in fixtures(folder) {
        if LEFT_OUT
            .iter()
            .any(|(left_out, _)| name.ends_with(left_out))
        {
            continue;
        }
        let leave = Leave {
            code: fixture.config["disableCode"] == true,
            storage: fixture.config["disableStorage"] == true,
            empty: fixture.config["includeEmpty"] != true,
        };
        let execution = fixture.run();
        let ours = render(&execution.diff, leave);
        if let Some(difference) = difference("", &ours, &fixture.result) {
            differences.push(format!("{name}: {:?}: {difference}", execution.outcome));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_is_read_is_what_geth_reads() {
    compare("prestate_tracer", StateDiff::prestate_json);
    // Before empty fields were left out, and code hashes shown.
    compare("prestate_tracer_legacy", |diff, leave| {
        let mut accounts = diff.prestate_json(leave);
        for account in accounts.as_object_mut().unwrap().values_mut() {
            let account = account.as_object_mut().unwrap();
            account.remove("codeHash");
            account.entry("code").or_insert("0x".into());
            account.entry("nonce").or_insert(0.into());
            account.entry("storage").or_insert_with(|| json!({}));
        }
        accounts
    });
}

#[test]
fn what_changes_is_what_changes_in_geth() {
    compare("prestate_tracer_with_diff_mode", StateDiff::diff_json);
}
