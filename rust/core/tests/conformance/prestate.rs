//! geth's tests of what an execution reads and changes.

mod json;

use super::geth::compare;
use json::{Leave, diff_json, prestate_json};
use mempool_ids_core::simulate::evm::diff::StateDiff;
use serde_json::Value;

fn compare_states(folder: &str, render: impl Fn(&StateDiff, Leave) -> Value) {
    compare(folder, |fixture, execution| {
        let leave = Leave {
            code: fixture.config["disableCode"] == true,
            storage: fixture.config["disableStorage"] == true,
            empty: fixture.config["includeEmpty"] != true,
        };
        (render(&execution.diff, leave), fixture.result.clone())
    });
}

#[test]
fn what_is_read_is_what_geth_reads() {
    compare_states("prestate_tracer", prestate_json);
    // Before empty fields were left out, and code hashes shown.
    compare_states("prestate_tracer_legacy", |diff, leave| {
        let mut accounts = prestate_json(diff, leave);
        for account in accounts.as_object_mut().unwrap().values_mut() {
            let account = account.as_object_mut().unwrap();
            account.remove("codeHash");
            account.entry("code").or_insert("0x".into());
            account.entry("nonce").or_insert(0.into());
            account
                .entry("storage")
                .or_insert_with(|| serde_json::json!({}));
        }
        accounts
    });
}

#[test]
fn what_changes_is_what_changes_in_geth() {
    compare_states("prestate_tracer_with_diff_mode", diff_json);
}
