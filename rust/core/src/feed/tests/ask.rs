//! Questions about the state, where not every node answers.

use super::node::{FakeNode, Push, Reply, asker, asker_of, config};
use crate::config::Limits;
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
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

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "in time: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_node_of_another_chain_is_connected_to_once_and_never_asked() {
    let wrong = FakeNode::start(|request| {
        (request.method == "eth_chainId").then(|| Reply::Result(json!("0x5")))
    });
    let right = FakeNode::start(|_| None);
    let stats = Arc::new(Stats::default());
    let (items, _inbox) = queue(&Limits::default(), stats.clone());
    let asker = asker(&[&wrong, &right], stats.clone(), items);
    eventually("told", || stats.anomalies.get(AnomalyKind::WrongChain) == 1);
    let question = || vec![("eth_getBalance", "[]".into())];
    for _ in 0..20 {
        asker.wait(question(), Instant::now() + Duration::from_secs(5));
    }
    assert_eq!(wrong.requests("eth_getBalance"), 0);
    assert_eq!((wrong.connections(), right.connections()), (1, 1));
}

#[test]
fn what_is_asked_comes_back_as_the_configuration_says() {
    let node = FakeNode::start(|request| {
        (request.method == "eth_chainId" && request.connection < 30).then_some(Reply::Reset)
    });
    let stats = Arc::new(Stats::default());
    let (items, _inbox) = queue(&Limits::default(), stats.clone());
    let mut live = config(&[node.url()]);
    live.reconnect_initial_ms = 1;
    live.reconnect_max_ms = 2;
    // A second between attempts would be too long.
    asker_of(&live, stats, items);
    assert_eq!(node.connections(), 31);
}

#[test]
fn a_silent_connection_for_questions_is_lost_and_made_anew() {
    let node = FakeNode::start(|_| None);
    let stats = Arc::new(Stats::default());
    let (items, _inbox) = queue(&Limits::default(), stats.clone());
    let mut live = config(&[node.url()]);
    live.stall_timeout_ms = 100;
    let _asker = asker_of(&live, stats, items);
    node.push(Push::Stall);
    eventually("connected again", || node.connections() >= 2);
}

#[test]
fn the_connections_end_with_the_last_who_could_ask() {
    let node = FakeNode::start(|_| None);
    let stats = Arc::new(Stats::default());
    let (items, inbox) = queue(&Limits::default(), stats.clone());
    let asker = node.asker(stats, items);
    let other = asker.clone();
    drop(asker);
    let answer = other.wait(
        vec![("eth_chainId", "[]".into())],
        Instant::now() + Duration::from_secs(5),
    );
    assert!(answer[0].is_ok(), "one is left");
    drop(other);
    // Its thread holds the queue open.
    eventually("the thread ends", || {
        matches!(inbox.try_recv(), Some(Item::End))
    });
}
