//! How fast the thread forwards; a figure, not a test:
//! `cargo test --release -p mempool-ids-core --lib live::tests::speed -- --ignored --nocapture`

use super::node::{PENDING, config, frame_header, notification};
use crate::config::Limits;
use crate::feed::LiveSource;
use crate::inbox::Item;
use crate::inbox::queue::queue;
use crate::stats::Stats;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;

const FRAMES: usize = 2_000_000;

/// Answers the handshake and the first questions, then writes `FRAMES` notifications of 1 kB as fast as it can.
fn flood(listener: &TcpListener, go: &Receiver<()>) {
    let (tcp, _) = listener.accept().unwrap();
    let mut raw: TcpStream = tcp.try_clone().unwrap();
    let mut ws = tungstenite::accept(tcp).unwrap();
    for _ in 0..5 {
        let Message::Text(text) = ws.read().unwrap() else {
            continue;
        };
        let request: serde_json::Value = serde_json::from_str(&text).unwrap();
        let result = match request["method"].as_str().unwrap() {
            "eth_chainId" => json!("0x1"),
            "eth_subscribe" if request["params"][0] == "newHeads" => json!("0xb1"),
            "eth_subscribe" => json!(PENDING),
            _ => json!({}),
        };
        ws.send(Message::text(
            json!({"id": request["id"], "result": result}).to_string(),
        ))
        .unwrap();
    }
    go.recv().unwrap();
    let mut transaction = json!({"hash": super::node::hash(1, 1), "input": ""});
    transaction["input"] = json!("0".repeat(1024 - notification(PENDING, &transaction).len()));
    let text = notification(PENDING, &transaction).into_bytes();
    assert_eq!(text.len(), 1024);
    let chunk = [frame_header(text.len()), text].concat().repeat(1000);
    for _ in 0..FRAMES / 1000 {
        raw.write_all(&chunk).unwrap();
    }
    let _ = raw.read(&mut [0; 1]);
}

/// User and system CPU seconds of the thread of this name.
fn cpu_seconds(name: &str) -> Option<f64> {
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (head, tail) = stat.split_once(')')?;
        if head.ends_with(&format!("({name}")) {
            let fields: Vec<_> = tail.split_whitespace().collect();
            return Some(
                (fields[11].parse::<f64>().ok()? + fields[12].parse::<f64>().ok()?) / 100.0,
            );
        }
    }
    None
}

#[test]
#[ignore = "a measurement of some seconds"]
fn frames_of_a_kilobyte_forwarded_per_second() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (start, go) = channel();
    let server = std::thread::spawn(move || flood(&listener, &go));
    let stats = Arc::new(Stats::default());
    let (sender, items) = queue(&Limits::default(), stats.clone());
    let source = LiveSource::start(
        &config(&[url]),
        1,
        &Limits::default(),
        stats.clone(),
        sender,
    )
    .unwrap();
    while !matches!(
        items.recv_timeout(Duration::from_secs(10)),
        Some(Item::Ready)
    ) {}
    std::thread::sleep(Duration::from_millis(200));
    let cpu = cpu_seconds("mempool-ids-liv");
    start.send(()).unwrap();
    let begin = Instant::now();
    let mut seen = 0;
    let mut waited = Duration::ZERO;
    while seen + (stats.dropped_queue.get() as usize) < FRAMES {
        if let Some(Item::Notification(raw)) = items.recv_timeout(Duration::from_secs(10)) {
            seen += 1;
            waited = waited.max(raw.at.elapsed());
        }
    }
    let took = begin.elapsed().as_secs_f64();
    let busy = cpu_seconds("mempool-ids-liv")
        .zip(cpu)
        .map(|(after, before)| after - before);
    println!(
        "{:.0} frames/s over {took:.2} s; {} dropped; longest wait in the queue {waited:?}; live thread busy {busy:.2?} s: {:.0} frames per CPU second",
        seen as f64 / took,
        stats.dropped_queue.get(),
        seen as f64 / busy.unwrap_or(f64::NAN),
    );
    source.stop();
    drop(server);
}

#[test]
#[ignore = "a measurement of some seconds"]
fn a_pool_of_fifty_thousand_transactions() {
    const COUNT: u64 = 50_000;
    let senders: serde_json::Map<_, _> = (0..COUNT)
        .map(|n| {
            let mut transaction = super::node::transaction(n);
            transaction["input"] = json!(format!("0x{}", "0".repeat(700)));
            (format!("{n:#x}"), json!({"0": transaction}))
        })
        .collect();
    let pool = json!({"pending": senders, "queued": {}});
    let megabytes = pool.to_string().len() >> 20;
    let node = super::node::FakeNode::start(move |request| {
        (request.method == "txpool_content").then(|| super::node::Reply::Result(pool.clone()))
    });
    let mut rig = super::node::Rig::start(&[&node]);
    let first = rig.transaction();
    let begin = Instant::now();
    let cpu = cpu_seconds("mempool-ids-liv");
    for _ in 1..COUNT {
        rig.transaction();
    }
    let busy = cpu_seconds("mempool-ids-liv")
        .zip(cpu)
        .map(|(after, before)| after - before);
    println!(
        "{megabytes} MB, {COUNT} transactions of {} bytes: forwarded within {:?} of the first; live thread {busy:.2?} s",
        first.len(),
        begin.elapsed(),
    );
}
