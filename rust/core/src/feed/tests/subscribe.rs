//! Subscribing, falling back, being ready, catching up.

use super::node::*;
use crate::config::Limits;
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn full_transactions_are_forwarded_as_they_came() {
    let node = FakeNode::start(|_| None);
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    let frame = notification(PENDING, &transaction(1));
    let before = Instant::now();
    node.push(Push::Text(frame.clone()));
    let Item::Notification(raw) =
        rig.find(|item| matches!(item, Item::Notification(_)).then_some(item))
    else {
        unreachable!()
    };
    assert_eq!(raw.bytes, frame.as_bytes());
    assert!(
        raw.at >= before
            && raw.at <= Instant::now()
            && raw.endpoint == 0
            && raw.unix_ms > 1_600_000_000_000
    );
    let snapshot = &rig.source.endpoints()[0];
    assert!(
        snapshot.up && snapshot.connects == 1 && snapshot.messages >= 4,
        "{snapshot:?}"
    );
    assert_eq!(snapshot.endpoint, format!("ws://{}/…", node.address));
    assert!(matches!(rig.stop().last(), Some(Item::End)));
    assert!(!rig.source.endpoints()[0].up);
    assert_eq!(rig.stats.received.get(), 1);
}

#[test]
fn a_node_that_ignores_the_parameter_sends_hashes_and_they_are_fetched_in_batches() {
    let node = FakeNode::start(|_| None);
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    let expected: Vec<_> = (0..350).map(|n| hash(n, 3)).collect();
    for hash in &expected {
        node.push(Push::Text(notification(PENDING, &json!(hash))));
        node.push(Push::Text(notification(PENDING, &json!(hash))));
    }
    assert_eq!(rig.hashes(350), expected);
    assert_eq!(
        node.requests("eth_getTransactionByHash"),
        350,
        "each asked for once"
    );
    let batches = node.batches.lock().unwrap().clone();
    assert!(
        batches.iter().all(|size| *size <= 100) && batches.len() < 100,
        "{batches:?}"
    );
    rig.until_said(AnomalyKind::NodeError, "hashes only");
}

#[test]
fn a_node_that_refuses_the_parameter_is_subscribed_without_it() {
    let node = FakeNode::start(
        |request| match (request.method.as_str(), request.params.get(1)) {
            ("eth_subscribe", Some(_)) => Some(Reply::Error(-32602, "too many arguments")),
            _ => None,
        },
    );
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    node.push(Push::Text(notification(PENDING, &json!(hash(7, 1)))));
    assert_eq!(rig.hashes(1), [hash(7, 1)]);
}

#[test]
fn a_node_that_refuses_batches_is_asked_one_by_one() {
    let node = FakeNode::start(|request| {
        match request.method.as_str() {
        // Only batches carry several; a single one would break the next test if refused.
        "eth_getTransactionByHash" if request.params[0].as_str().unwrap().ends_with("ba") => Some(Reply::Text(
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batches are not supported"}}"#.into(),
        )),
        _ => None,
    }
    });
    // The first of a batch refuses all of it; asked alone, the same hash gets no answer for its id and is retried.
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    // On a busy machine three hashes may be asked for one by one from the start: again, until a batch was made.
    for round in 0..50 {
        for n in 0..3 {
            let tag = if n == 0 { 0xba } else { 1 };
            node.push(Push::Text(notification(
                PENDING,
                &json!(hash(3 * round + n, tag)),
            )));
        }
        assert_eq!(
            rig.hashes(2),
            [hash(3 * round + 1, 1), hash(3 * round + 2, 1)]
        );
        if rig.said(AnomalyKind::NodeError, "refuses batches") {
            return;
        }
    }
    panic!("no batch was refused: {:?}", rig.anomalies);
}

#[test]
fn a_hash_two_endpoints_announce_is_asked_for_once() {
    let nodes = [FakeNode::start(|_| None), FakeNode::start(|_| None)];
    let mut rig = Rig::start(&[&nodes[0], &nodes[1]]);
    rig.ready();
    for n in 0..50 {
        for node in &nodes {
            node.push(Push::Text(notification(PENDING, &json!(hash(n, 1)))));
        }
    }
    let (mut announced, mut fetched) = ([0, 0], 0);
    while fetched < 50 || announced != [50, 50] {
        match rig.next() {
            Item::Announced { endpoint, .. } => announced[usize::from(endpoint)] += 1,
            Item::Object(_) => fetched += 1,
            _ => {}
        }
    }
    let asked: usize = nodes
        .iter()
        .map(|node| node.requests("eth_getTransactionByHash"))
        .sum();
    assert_eq!((asked, fetched), (50, 50));
}

#[test]
fn a_hash_whose_asker_is_cut_off_is_asked_of_the_other() {
    let silent = FakeNode::start(|request| match request.method.as_str() {
        "eth_getTransactionByHash" => Some(Reply::Nothing),
        _ => None,
    });
    let other = FakeNode::start(|_| None);
    let mut rig = Rig::start(&[&silent, &other]);
    rig.ready();
    silent.push(Push::Text(notification(PENDING, &json!(hash(1, 1)))));
    rig.until("asked", |_| {
        silent.requests("eth_getTransactionByHash") == 1
    });
    silent.push(Push::Reset);
    assert_eq!(rig.hashes(1), [hash(1, 1)]);
}

#[test]
fn an_announced_transaction_nobody_knows_is_retried_once_and_told() {
    let node = FakeNode::start(|request| match request.method.as_str() {
        "eth_getTransactionByHash" => Some(Reply::Result(json!(null))),
        _ => None,
    });
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    node.push(Push::Text(notification(PENDING, &json!(hash(1, 1)))));
    rig.until_said(AnomalyKind::NodeError, "no node knows it");
    assert_eq!(node.requests("eth_getTransactionByHash"), 2);
}

#[test]
fn another_chain_is_named_with_both_ids_and_not_used() {
    let wrong = FakeNode::start(|request| {
        (request.method == "eth_chainId").then(|| Reply::Result(json!("0x5")))
    });
    let right = FakeNode::start(|_| None);
    let mut rig = Rig::start(&[&wrong, &right]);
    rig.ready();
    rig.until_said(AnomalyKind::WrongChain, "serves chain 5, not 1: not used");
    assert_eq!(wrong.requests("eth_subscribe"), 0);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(wrong.connections(), 1, "not tried again");
    let up: Vec<_> = rig
        .source
        .endpoints()
        .iter()
        .map(|snapshot| snapshot.up)
        .collect();
    assert_eq!(up, [false, true]);
}

#[test]
fn where_every_endpoint_serves_another_chain_the_source_says_so_and_ends() {
    let wrong = || {
        FakeNode::start(|request| {
            (request.method == "eth_chainId").then(|| Reply::Result(json!("0x5")))
        })
    };
    let nodes = [wrong(), wrong()];
    let mut rig = Rig::start(&[&nodes[0], &nodes[1]]);
    assert!(
        matches!(rig.next(), Item::End),
        "neither ready nor anything else"
    );
    assert!(rig.said(AnomalyKind::WrongChain, "no endpoint serves chain 1"));
    assert_eq!(rig.stats.anomalies.get(AnomalyKind::WrongChain), 3);
}

#[test]
fn ready_waits_for_every_first_attempt_and_needs_one_success() {
    let slow = FakeNode::start(|request| {
        if request.method == "eth_chainId" {
            std::thread::sleep(Duration::from_millis(300));
        }
        None
    });
    let fast = FakeNode::start(|_| None);
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let urls = [
        fast.url(),
        slow.url(),
        format!("ws://{closed}/averysecretkey"),
    ];
    let mut rig = Rig::with(&config(&urls), &Limits::default());
    rig.ready();
    let up: Vec<_> = rig
        .source
        .endpoints()
        .iter()
        .map(|snapshot| snapshot.up)
        .collect();
    assert_eq!(up, [true, true, false]);
    rig.until_said(AnomalyKind::NodeError, "not connected");
    let said = format!("{:?} {:?}", rig.anomalies, rig.source.endpoints());
    assert!(!said.contains("averysecretkey"), "{said}");
}

#[test]
fn the_pool_is_read_at_the_start_and_after_a_cut() {
    let node = FakeNode::start(|request| match request.method.as_str() {
        "txpool_content" => {
            let n = request.connection as u64 * 10;
            Some(Reply::Result(json!({
                "pending": {"0xaa": {"0": transaction(n), "1": transaction(n + 1)}, "0xbb": {"7": transaction(n + 2)}},
                "queued": {"0xaa": {"5": transaction(n + 3)}, "0xcc": {"5": "no object"}},
                "other": {"0xaa": {"5": transaction(99)}},
            })))
        }
        _ => None,
    });
    let mut rig = Rig::start(&[&node]);
    let first: Vec<_> = (0..4).map(|n| hash(n, 0xff)).collect();
    assert_eq!(rig.hashes(4), first);
    assert_eq!(rig.stats.recovered.get(), 0, "nothing was lost yet");
    // Else its contents would be recovered, too.
    rig.until("the head is followed", |_| {
        node.requests("eth_getBlockByHash") == 1
    });
    node.push(Push::Reset);
    let second: Vec<_> = (10..14).map(|n| hash(n, 0xff)).collect();
    assert_eq!(rig.hashes(4), second);
    assert_eq!(
        (rig.stats.recovered.get(), rig.stats.reconnects.get()),
        (4, 1)
    );
    let log = node.log.lock().unwrap().clone();
    let order: Vec<_> = log.iter().map(|(method, _)| method.as_str()).collect();
    let pool = order
        .iter()
        .rposition(|method| *method == "txpool_content")
        .unwrap();
    assert_eq!(
        order[pool - 3..pool],
        ["eth_chainId", "eth_subscribe", "eth_subscribe"],
        "subscribed first"
    );
}

#[test]
fn a_damaged_part_of_the_pool_is_told_and_the_rest_read() {
    let node = FakeNode::start(|request| match request.method.as_str() {
        "txpool_content" => Some(Reply::Result(json!({
            "pending": {"0xaa": {"0": transaction(1)}, "0xbb": "no object", "0xcc": {"0": transaction(2)}},
            "queued": {"0xaa": {"1": transaction(3)}},
        }))),
        _ => None,
    });
    let mut rig = Rig::start(&[&node]);
    assert_eq!(rig.hashes(3), [1, 2, 3].map(|n| hash(n, 0xff)));
    rig.until_said(
        AnomalyKind::NodeError,
        "part of txpool_content cannot be read",
    );
}

#[test]
fn without_a_pool_the_pending_block_is_read_and_without_both_it_is_said_once() {
    let node = FakeNode::start(
        |request| match (request.method.as_str(), request.params.get(0)) {
            ("txpool_content", _) => Some(Reply::Error(-32601, "the method does not exist")),
            ("eth_getBlockByNumber", Some(tag)) if tag == "pending" => {
                Some(match request.connection {
                    0 => Reply::Result(
                        json!({"number": null, "hash": null, "transactions": [transaction(1), transaction(2)]}),
                    ),
                    _ => Reply::Error(-32000, "no pending block at /v3/averysecretkey"),
                })
            }
            _ => None,
        },
    );
    let mut rig = Rig::start(&[&node]);
    assert_eq!(rig.hashes(2), [hash(1, 0xff), hash(2, 0xff)]);
    for cuts in 1..4 {
        node.push(Push::Reset);
        rig.until("asked again", |_| {
            node.connections() > cuts && node.requests("txpool_content") > cuts
        });
    }
    rig.until_said(AnomalyKind::NodeError, "cannot be fetched");
    let told = rig
        .anomalies
        .iter()
        .filter(|anomaly| anomaly.reason.contains("cannot be fetched"))
        .count();
    assert_eq!(told, 1);
    assert!(!format!("{:?}", rig.anomalies).contains("averysecretkey"));
}

#[test]
fn a_transaction_asked_for_by_name_arrives_or_is_told() {
    let node = FakeNode::start(|request| {
        let unknown =
            request.method == "eth_getTransactionByHash" && request.params[0] == hash(2, 2);
        unknown.then_some(Reply::Result(json!(null)))
    });
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    rig.source.fetch(hash(1, 1).parse().unwrap());
    rig.source.fetch(hash(2, 2).parse().unwrap());
    assert_eq!(rig.hashes(1), [hash(1, 1)]);
    rig.until_said(AnomalyKind::NodeError, "no node knows it");
}

#[test]
fn tls_with_a_private_authority() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/feed/tests/certs");
    let certificates = CertificateDer::pem_file_iter(format!("{folder}/node.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{folder}/node.key")).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates.map(Result::unwrap).collect(), key)
        .unwrap();
    let node = FakeNode::start_tls(|_| None, Some(std::sync::Arc::new(server)));
    let config = config(&[format!(
        "wss://localhost:{}/averysecretkey",
        node.address.port()
    )]);
    let roots = std::path::PathBuf::from(format!("{folder}/ca.pem"));
    let mut rig = Rig::with_tls(
        &config,
        crate::node::transport::tls_config_of(Some(&roots)).unwrap(),
    );
    rig.ready();
    node.push_transaction(&transaction(1));
    assert_eq!(rig.hashes(1), [hash(1, 0xff)]);
    let mut distrustful = Rig::with(&config, &Limits::default());
    distrustful.until_said(AnomalyKind::NodeError, "certificate");
    assert!(!format!("{:?}", distrustful.anomalies).contains("averysecretkey"));
}

#[test]
fn a_url_that_cannot_be_used_is_refused_without_being_shown() {
    for url in [
        "http://host/averysecretkey",
        "averysecretkey",
        "ws:///averysecretkey:x",
        "",
    ] {
        let stats = std::sync::Arc::new(crate::stats::Stats::default());
        let (sender, _items) = crate::inbox::queue::queue(&Limits::default(), stats.clone());
        let started = crate::feed::LiveSource::start(
            &config(&[url.into()]),
            1,
            &Limits::default(),
            stats,
            sender,
        );
        let Err(error) = started else { continue };
        assert!(
            error.is_config() && !error.to_string().contains("averysecretkey"),
            "{error}"
        );
    }
}
