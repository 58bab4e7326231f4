//! Questions about the state, where not every node answers.

use super::node::{FakeNode, Reply, asker};
use crate::config::Limits;
use crate::inbox::queue::queue;
use crate::stats::Stats;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_silent_node_costs_no_answer_that_another_one_has() {
    let silent = FakeNode::start(|request| match request.method.as_str() {
        "eth_chainId" => None,
        _ => Some(Reply::Nothing),
    });
    let good = FakeNode::start(|request| {
        (request.method == "eth_getBalance").then(|| Reply::Result(json!("0x7")))
    });
    let stats = Arc::new(Stats::default());
    let (items, _inbox) = queue(&Limits::default(), stats.clone());
    let asker = asker(&[&silent, &good], stats, items);
    let ask = || {
        let question = vec![("eth_getBalance", "[]".into())];
        let answer = asker.wait(question, Instant::now() + Duration::from_secs(3));
        answer[0].as_deref() == Ok(&b"\"0x7\""[..])
    };
    let begun = Instant::now();
    loop {
        // Until then there may be nobody else to ask.
        let connected = good.requests("eth_getBalance") > 0;
        let answered = ask();
        assert!(answered || !connected);
        if answered && silent.requests("eth_getBalance") > 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "both connect");
    }
    // From then on the one that answers is asked first.
    let before = silent.requests("eth_getBalance");
    assert!((0..3).all(|_| ask()));
    assert_eq!(silent.requests("eth_getBalance"), before);
}
