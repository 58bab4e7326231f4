use super::*;
use crate::evidence::trace::Frame;
use crate::evidence::trace::call_tracer::to_json;
use alloy_primitives::Address;
use proptest::prelude::*;
use serde_json::{Value, json};

const HASH: B256 = B256::repeat_byte(0xb1);

fn hash(n: u8) -> B256 {
    B256::repeat_byte(n)
}

fn account(n: u8) -> Address {
    Address::repeat_byte(n)
}

/// Transactions 1, 2 and 3, by accounts of these numbers.
fn block() -> Block {
    let sent =
        |n: u8| json!({"hash": hash(n), "from": account(n), "nonce": "0x0", "to": account(9)});
    let block = json!({"number": "0x7", "hash": HASH, "timestamp": "0x9", "transactions": [sent(1), sent(2), sent(3)]});
    Block::read(block.to_string().as_bytes(), &HASH).unwrap()
}

fn trace(from: u8) -> Value {
    let root = Frame {
        from: account(from),
        to: Some(account(9)),
        ..Frame::default()
    };
    let trace = Trace { frames: vec![root] };
    serde_json::from_str(&to_json(&trace, false)).unwrap()
}

fn told(answer: &Value) -> Vec<usize> {
    let mut told = Vec::new();
    let each = |index: usize, _: &Sent, _: &Trace| told.push(index);
    by_call_tracer(answer.to_string().as_bytes(), &block(), each).unwrap();
    told
}

#[test]
fn traces_find_their_transactions_by_name_else_by_place() {
    let named = |n: u8| json!({"txHash": hash(n), "result": trace(n)});
    let nameless = |n: u8| json!({"result": trace(n)});
    assert_eq!(told(&json!([named(3), named(1)])), [2, 0]);
    assert_eq!(
        told(&json!([nameless(1), nameless(2), nameless(3)])),
        [0, 1, 2]
    );
    assert!(
        told(&json!([nameless(1), nameless(2)])).is_empty(),
        "two of three, and which?"
    );
    assert_eq!(
        told(&json!([named(1), named(1), named(8)])),
        [0],
        "once, and no strangers"
    );
}

#[test]
fn what_is_no_trace_or_anothers_leaves_its_transaction_untold() {
    for wrong in [
        json!({"txHash": hash(2), "error": "execution timeout"}),
        json!({"txHash": hash(2), "result": null}),
        json!({"txHash": hash(2), "result": {"type": "CALL", "from": 7}}),
        json!({"txHash": hash(2), "result": []}),
        json!({"txHash": hash(2), "result": trace(1)}),
        json!({"txHash": 7, "result": trace(1)}),
        json!({}),
        Value::Null,
    ] {
        let list = json!([{"txHash": hash(1), "result": trace(1)}, wrong, {"txHash": hash(3), "result": trace(3)}]);
        assert_eq!(told(&list), [0, 2], "{wrong}");
    }
}

#[test]
fn a_flat_list_of_another_block_is_none() {
    let entry = |block: B256| {
        let action = json!({"from": account(2), "to": account(9), "callType": "call"});
        json!([{"type": "call", "action": action, "result": {}, "traceAddress": [], "transactionHash": hash(2), "blockHash": block}])
    };
    let read = |block_hash: B256| {
        let mut told = Vec::new();
        let each = |index: usize, _: &Sent, _: &Trace| told.push(index);
        let raw = entry(block_hash).to_string();
        by_trace_block(raw.as_bytes(), &block(), each).map(|()| told)
    };
    assert_eq!(read(HASH).unwrap(), [1]);
    assert!(read(hash(5)).is_err());
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(raw in prop::collection::vec(any::<u8>(), 0..200)) {
        by_call_tracer(&raw, &block(), |_, _, _| ()).ok();
        by_trace_block(&raw, &block(), |_, _, _| ()).ok();
    }

    #[test]
    fn any_damage_has_an_answer(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let list = json!([{"txHash": hash(1), "result": trace(1)}, {"result": trace(2)}]);
        let mut raw = list.to_string().into_bytes();
        let at = at.index(raw.len());
        raw[at] = byte;
        by_call_tracer(&raw, &block(), |_, _, _| ()).ok();
    }
}
