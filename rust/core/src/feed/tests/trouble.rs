//! Connections that break, stall, drip and talk nonsense.

use super::node::*;
use crate::config::Limits;
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use serde_json::json;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// A source that takes silence for a stall after a fifth of a second.
fn impatient(node: &FakeNode) -> Rig {
    let mut config = config(&[node.url()]);
    config.stall_timeout_ms = 200;
    let mut rig = Rig::with(&config, &Limits::default());
    rig.ready();
    // The last answer to what it asks at the start: no answer falls into the middle of a half frame.
    rig.find(|item| matches!(item, Item::Block(_)).then_some(()));
    rig
}

/// After whatever `node` did, it is connected again and transactions arrive.
fn goes_on(node: &FakeNode, rig: &mut Rig, connections: usize) {
    rig.until("connected again", |rig| {
        node.connections() == connections
            && rig.source.endpoints()[0].connects == connections as u64
    });
    node.push_transaction(&transaction(77));
    // Blocks mined during the cut may come first.
    while rig.hashes(1) != [hash(77, 0xff)] {}
}

#[test]
fn a_silent_connection_is_lost() {
    let node = FakeNode::start(|_| None);
    let mut rig = impatient(&node);
    node.push(Push::Stall);
    goes_on(&node, &mut rig, 2);
    assert!(rig.said(AnomalyKind::NodeError, "no answer to a ping"));
}

#[test]
fn a_quiet_node_that_answers_pings_is_kept() {
    let node = FakeNode::start(|_| None);
    let mut rig = impatient(&node);
    std::thread::sleep(Duration::from_millis(1500));
    goes_on(&node, &mut rig, 1);
}

/// A node whose chain goes on with every question for its head.
fn going_on() -> FakeNode {
    let asked = AtomicU64::new(0);
    FakeNode::start(move |request| match request.method.as_str() {
        "eth_getBlockByNumber" => {
            let number = 100 + asked.fetch_add(1, Relaxed);
            Some(Reply::Result(block(number, 0, 0, &[])))
        }
        _ => None,
    })
}

#[test]
fn a_node_that_forgot_its_subscriptions_is_connected_anew() {
    let node = going_on();
    let mut rig = impatient(&node);
    node.push(Push::Text(notification(HEADS, &block(101, 0, 0, &[]))));
    rig.until_said(AnomalyKind::NodeError, "the subscriptions are lost");
    rig.until("connected again", |_| node.connections() >= 2);
}

#[test]
fn a_node_that_never_announces_heads_is_kept_and_asked_for_them() {
    let node = going_on();
    let mut rig = impatient(&node);
    rig.until_said(
        AnomalyKind::NodeError,
        "announces no heads, though it agreed to",
    );
    let asked = node.requests("eth_getBlockByNumber");
    rig.until("asked again and again", |_| {
        node.requests("eth_getBlockByNumber") > asked + 1
    });
    assert!(!rig.said(AnomalyKind::NodeError, "the subscriptions are lost"));
}

#[test]
fn a_node_that_announces_what_it_answers_is_kept() {
    let node = going_on();
    let mut rig = impatient(&node);
    let deadline = Instant::now() + Duration::from_secs(6);
    let mut told = 0;
    while Instant::now() < deadline {
        // Each answer is followed by its announcement, once the sensor has asked in a quiet interval.
        let asked = node.requests("eth_getBlockByNumber") as u64;
        if asked > told {
            told = asked;
            node.push(Push::Text(notification(
                HEADS,
                &block(99 + told, 0, 0, &[]),
            )));
        }
        rig.next_within(Duration::from_millis(20));
    }
    assert!(told >= 2, "asked in quiet intervals");
    assert!(!rig.said(AnomalyKind::NodeError, "announces no heads"));
}

#[test]
fn a_drip_is_a_stall() {
    let node = FakeNode::start(|_| None);
    let mut rig = impatient(&node);
    let frame = [frame_header(5_000), vec![b' '; 5_000]].concat();
    node.push(Push::Drip(frame, Duration::from_millis(10)));
    goes_on(&node, &mut rig, 2);
}

#[test]
fn a_reset_in_the_middle_of_a_frame_loses_that_frame_only() {
    let node = FakeNode::start(|_| None);
    let mut rig = impatient(&node);
    let text = notification(PENDING, &transaction(1));
    let frame = [frame_header(text.len()), text.into_bytes()].concat();
    node.push(Push::Bytes(frame[..frame.len() / 2].to_vec()));
    std::thread::sleep(Duration::from_millis(50));
    node.push(Push::Reset);
    goes_on(&node, &mut rig, 2);
    assert_eq!(rig.stats.anomalies.get(AnomalyKind::MalformedFrame), 0);
}

#[test]
fn a_huge_notification_is_left_out_and_the_connection_kept() {
    let node = FakeNode::start(|_| None);
    let mut rig = impatient(&node);
    let mut huge = transaction(1);
    huge["input"] = json!(format!("0x{}", "00".repeat(5 << 20)));
    node.push_transaction(&huge);
    goes_on(&node, &mut rig, 1);
    assert_eq!(rig.stats.anomalies.get(AnomalyKind::OversizedFrame), 1);
}

#[test]
fn a_message_above_the_limit_closes_the_connection() {
    let node = FakeNode::start(|_| None);
    let limits = Limits {
        message_bytes: 4 << 20,
        ..Limits::default()
    };
    let mut rig = Rig::with(&config(&[node.url()]), &limits);
    rig.ready();
    // The header alone: the size is refused before the bytes are awaited.
    node.push(Push::Bytes(frame_header(10 << 20)));
    goes_on(&node, &mut rig, 2);
    assert_eq!(rig.stats.anomalies.get(AnomalyKind::OversizedFrame), 1);
}

#[test]
fn garbage_and_deep_json_are_counted_at_a_bounded_rate_and_nothing_stops() {
    let node = FakeNode::start(|_| None);
    let mut rig = impatient(&node);
    let deep = format!(
        r#"{{"method":"eth_subscription","params":{{"subscription":"x","result":{}"#,
        "[".repeat(1 << 20)
    );
    let garbage = [
        "",
        "{",
        "nonsense",
        "[[[[",
        r#"{"id":4711,"result":1}"#,
        r#"{"id":null,"error":{"code":1}}"#,
        &deep,
    ];
    let stranger = notification("0xdead", &transaction(1));
    for _ in 0..100 {
        for text in garbage.iter().copied().chain([stranger.as_str()]) {
            // A few of the megabyte ones suffice.
            if text.len() < 1000 || rand::random::<u8>() < 16 {
                node.push(Push::Text(text.to_owned()));
            }
        }
    }
    node.push(Push::Text(deep));
    goes_on(&node, &mut rig, 1);
    assert!(rig.stats.anomalies.get(AnomalyKind::MalformedFrame) >= 701);
    let told = rig
        .anomalies
        .iter()
        .filter(|anomaly| anomaly.kind == AnomalyKind::MalformedFrame)
        .count();
    assert!((1..=10).contains(&told), "{told}");
    assert!(
        rig.anomalies
            .iter()
            .all(|anomaly| anomaly.reason.len() < 300)
    );
}

#[test]
fn text_that_is_no_text_ends_the_connection_and_the_next_one_goes_on() {
    let node = FakeNode::start(|_| None);
    let mut rig = impatient(&node);
    node.push(Push::Bytes([frame_header(4), vec![0xff; 4]].concat()));
    goes_on(&node, &mut rig, 2);
    assert_eq!(rig.stats.anomalies.get(AnomalyKind::MalformedFrame), 1);
}

#[test]
fn a_node_that_answers_everything_with_errors_is_tried_ever_more_seldom() {
    let node = FakeNode::start(|_| Some(Reply::Error(-32000, "go away\u{1b}[2J")));
    let mut rig = Rig::start(&[&node]);
    rig.until_said(AnomalyKind::NodeError, "eth_chainId: refused: go away");
    std::thread::sleep(Duration::from_millis(1000));
    // Ceilings of 20, 40, 80, 160 and then 200 ms, on average half of that.
    assert!(node.connections() < 60, "{}", node.connections());
    assert!(!format!("{:?}", rig.anomalies).contains("\\u{1b}"));
    assert!(!rig.source.endpoints()[0].up);
    assert!(
        rig.stop().iter().all(|item| matches!(item, Item::End)),
        "never ready"
    );
}

#[test]
fn the_backoff_starts_over_after_each_success() {
    let node = FakeNode::start(|_| None);
    let mut config = config(&[node.url()]);
    config.reconnect_initial_ms = 10;
    config.reconnect_max_ms = 600_000;
    let mut rig = Rig::with(&config, &Limits::default());
    rig.ready();
    let start = Instant::now();
    for cut in 1..=14 {
        // A sign that it has caught up: the head it asked for is known, and the pool it asked for is answered.
        rig.until("caught up", |_| node.requests("txpool_content") == cut);
        // It takes the answer in after that, on a busy machine a good while after.
        std::thread::sleep(Duration::from_millis(250));
        node.push(Push::Reset);
    }
    rig.until("connected", |rig| rig.source.endpoints()[0].connects == 15);
    // Without starting over, the last delays would be of minutes.
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_node_that_breaks_off_while_it_is_asked_for_its_pool_counts_as_a_failure() {
    let node =
        FakeNode::start(|request| (request.method == "txpool_content").then_some(Reply::Reset));
    let mut config = config(&[node.url()]);
    config.reconnect_initial_ms = 50;
    config.reconnect_max_ms = 600_000;
    let mut rig = Rig::with(&config, &Limits::default());
    rig.ready();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(node.connections() < 14, "{}", node.connections());
}

#[test]
fn one_bad_endpoint_does_not_hold_up_the_others() {
    let bad = FakeNode::start(|_| Some(Reply::Nothing));
    let good = FakeNode::start(|_| None);
    let mut rig = Rig::start(&[&bad, &good]);
    // Its first attempt is not over, so the source is not ready; transactions come all the same.
    rig.until("up", |rig| rig.source.endpoints()[1].up);
    good.push_transaction(&transaction(5));
    assert_eq!(rig.hashes(1), [hash(5, 0xff)]);
}

#[test]
fn a_full_queue_drops_and_counts_and_stopping_is_prompt() {
    let node = FakeNode::start(|_| None);
    let limits = Limits {
        queue_frames: 8,
        ..Limits::default()
    };
    let mut rig = Rig::with(&config(&[node.url()]), &limits);
    rig.ready();
    for n in 0..30 {
        node.push_transaction(&transaction(n));
    }
    let start = Instant::now();
    while rig.stats.dropped_queue.get() < 5 {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
    let start = Instant::now();
    let left = rig.stop();
    assert!(start.elapsed() < Duration::from_secs(4));
    assert!(
        matches!(left.last(), Some(Item::End)),
        "the queue ends though it was full"
    );
}

#[test]
fn a_source_has_ended_only_when_nothing_more_comes_of_it() {
    let node = FakeNode::start(|_| None);
    let limits = Limits {
        queue_frames: 4,
        ..Limits::default()
    };
    let mut rig = Rig::with(&config(&[node.url()]), &limits);
    rig.ready();
    for n in 0..30 {
        node.push_transaction(&transaction(n));
    }
    let full = Instant::now();
    while rig.stats.dropped_queue.get() < 1 {
        assert!(full.elapsed() < Duration::from_secs(20), "nobody reads");
        std::thread::yield_now();
    }
    std::thread::scope(|scope| {
        // Its last item finds no room.
        scope.spawn(|| rig.source.stop());
        let stopped = Instant::now();
        while !rig.source.has_ended() {
            assert!(stopped.elapsed() < Duration::from_secs(20), "it ends");
            std::thread::yield_now();
        }
        // What the pipeline takes then is all there ever is: it may leave.
        while !rig.is_empty() {
            rig.take();
        }
        assert!(
            matches!(rig.take(), Some(Item::End)),
            "nobody can send any more"
        );
    });
}

#[test]
fn nothing_pending_during_a_cut_is_missed() {
    use std::sync::{Arc, Mutex};
    let pool = Arc::new(Mutex::new(Vec::<u64>::new()));
    let held = pool.clone();
    let node = FakeNode::start(move |request| {
        let pending = held.lock().unwrap();
        let senders: serde_json::Map<_, _> = pending
            .iter()
            .map(|n| (format!("{n:#x}"), json!({"0": transaction(*n)})))
            .collect();
        (request.method == "txpool_content")
            .then(|| Reply::Result(json!({"pending": senders, "queued": {}})))
    });
    let mut rig = impatient(&node);
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..2_000 {
        // The pool holds it before it is announced, as in a node.
        pool.lock().unwrap().push(n);
        node.push_transaction(&transaction(n));
        if n % 200 == 100 {
            node.push(if n % 400 == 100 {
                Push::Reset
            } else {
                Push::Stall
            });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let start = Instant::now();
    while seen.len() < 2_000 {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{} seen",
            seen.len()
        );
        seen.insert(hash_of(&rig.transaction()));
    }
    assert!(node.connections() > 4, "{}", node.connections());
}
