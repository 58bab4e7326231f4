//! Against a real node.

use super::node::{Rig, config, hash_of};
use super::real::RealNode;
use crate::config::Limits;
use crate::inbox::Item;
use serde_json::json;
use std::net::TcpListener;

/// A port that stays ours while its node is away, as long as what comes with it is kept: it is below those that the
/// kernel gives to whoever asks for any, and who else looks for one here meets the listener beside it.
fn kept_port() -> (u16, TcpListener) {
    (20_000..32_000)
        .find_map(|port| {
            let ours = TcpListener::bind(("127.0.0.2", port)).ok()?;
            TcpListener::bind(("127.0.0.1", port)).ok()?;
            Some((port, ours))
        })
        .expect("a port is free")
}

#[test]
fn transactions_heads_blocks_and_code_of_a_real_node() {
    let Some(anvil) = RealNode::anvil(0) else {
        return;
    };
    let mut rig = Rig::with(
        &config(&[format!("ws://127.0.0.1:{}", anvil.port)]),
        &Limits::default(),
    );
    rig.ready();
    // Creates a contract whose code is 0x00: PUSH1 1 PUSH1 0 RETURN.
    let created = anvil.send(json!({"data": "0x60016000f3", "gas": "0x30000"}));
    assert_eq!(hash_of(&rig.transaction()), created);
    anvil.rpc("evm_mine", json!([]));
    let head = rig.find(|item| match item {
        Item::Head(head) if head.number == 1 => Some(head),
        _ => None,
    });
    assert!(head.base_fee.is_some());
    let block = rig.find(|item| match item {
        Item::Block(block) if block.number == 1 => Some(block),
        _ => None,
    });
    assert_eq!((block.hash, block.transactions.len()), (head.hash, 1));
    assert!(block.transactions[0].creates && block.transactions[0].hash.to_string() == created);
    let receipt = anvil.rpc("eth_getTransactionReceipt", json!([created]));
    anvil.rpc("evm_mine", json!([]));
    rig.find(|item| matches!(item, Item::Head(head) if head.number == 2).then_some(()));
    rig.source.request_code(
        receipt["contractAddress"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap(),
    );
    let code = rig.find(|item| match item {
        Item::Code(code) => Some(code),
        _ => None,
    });
    assert_eq!((code.code.as_ref(), code.created_at), (&[0][..], Some(1)));
}

#[test]
fn what_was_pending_before_the_start_and_after_a_restart_is_seen() {
    let (port, _kept) = kept_port();
    let Some(anvil) = RealNode::anvil(port) else {
        return;
    };
    let before = anvil.send(json!({"to": format!("0x{:040x}", 5), "value": "0x1"}));
    let mut rig = Rig::with(
        &config(&[format!("ws://127.0.0.1:{port}")]),
        &Limits::default(),
    );
    rig.ready();
    assert_eq!(hash_of(&rig.transaction()), before);
    drop(anvil);
    rig.until("down", |rig| !rig.source.endpoints()[0].up);
    let anvil = RealNode::anvil(port).unwrap();
    let during = anvil.send(json!({"to": format!("0x{:040x}", 6), "value": "0x1"}));
    let first = hash_of(&rig.transaction());
    assert_eq!(first, during);
    rig.until("up again", |rig| rig.source.endpoints()[0].up);
    let after = anvil.send(json!({"to": format!("0x{:040x}", 7), "value": "0x1"}));
    rig.find(|item| match item {
        Item::Notification(raw) | Item::Object(raw) => (hash_of(&raw.bytes) == after).then_some(()),
        _ => None,
    });
    assert_eq!(rig.stats.reconnects.get(), 1);
}
