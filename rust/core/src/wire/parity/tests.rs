use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const TX: B256 = B256::repeat_byte(0x77);
const BLOCK: B256 = B256::repeat_byte(0xb1);
const A: Address = Address::repeat_byte(0xa1);
const B: Address = Address::repeat_byte(0xb2);

/// As anvil 1.7.1 answers.
fn entry(kind: &str, address: &[u32], action: Value, result: Value) -> Value {
    json!({
        "type": kind, "action": action, "result": result, "traceAddress": address, "subtraces": 0,
        "transactionHash": TX, "transactionPosition": 0, "blockHash": BLOCK, "blockNumber": 1,
    })
}

fn read(list: &Value) -> ParityTraces {
    ParityTraces::read(list.to_string().as_bytes()).expect("a list")
}

fn call(address: &[u32]) -> Value {
    let action = json!({"from": A, "to": B, "gas": "0x5", "input": "0x01", "value": "0x2", "callType": "call"});
    entry(
        "call",
        address,
        action,
        json!({"gasUsed": "0x1", "output": "0x02"}),
    )
}

fn creation(address: &[u32], method: &str) -> Value {
    let action = json!({"from": A, "gas": "0x5", "init": "0x6000", "value": "0x0", "creationMethod": method});
    let result = json!({"address": B, "code": "0x600035", "gasUsed": "0x269"});
    entry("create", address, action, result)
}

#[test]
fn a_flat_list_becomes_the_tree_that_it_says() {
    let mut failed = creation(&[1], "create");
    failed["error"] = "Reverted".into();
    let destroyed = json!({"address": B, "refundAddress": A, "balance": "0x3"});
    let reward = json!({"type": "reward", "action": {"author": A, "value": "0x1"}, "transactionHash": null, "blockHash": BLOCK});
    let traces = read(&json!([
        call(&[]),
        creation(&[0], "create2"),
        call(&[0, 0]),
        failed,
        call(&[2]),
        entry("suicide", &[2, 0], destroyed, Value::Null),
        reward,
    ]));
    assert_eq!((traces.block, traces.transactions.len()), (Some(BLOCK), 1));
    let (hash, trace) = &traces.transactions[0];
    let frames = &trace.as_ref().unwrap().frames;
    assert_eq!(*hash, TX);
    let shape: Vec<_> = frames
        .iter()
        .map(|frame| (frame.kind, frame.depth, frame.parent))
        .collect();
    use CallKind::{Call, Create, Create2, SelfDestruct};
    assert_eq!(
        shape,
        [
            (Call, 0, 0),
            (Create2, 1, 0),
            (Call, 2, 1),
            (Create, 1, 0),
            (Call, 1, 0),
            (SelfDestruct, 2, 4)
        ]
    );
    assert_eq!(frames[1].to, Some(B));
    assert_eq!(frames[1].output, Bytes::from_static(&[0x60, 0, 0x35]));
    assert_eq!(frames[3].to, None, "what failed has no address");
    assert_eq!(frames[3].error.as_deref(), Some("execution reverted"));
    assert_eq!(
        (frames[5].from, frames[5].to, frames[5].value),
        (B, Some(A), Some(U256::from(3)))
    );
}

#[test]
fn what_cannot_be_read_spoils_its_transaction_alone() {
    let other = B256::repeat_byte(0x78);
    for spoilt in [
        json!({"transactionHash": TX}),
        json!({"transactionHash": TX, "type": "call", "action": null, "traceAddress": []}),
        json!({"transactionHash": TX, "type": "jump", "action": {}, "traceAddress": [0]}),
        json!({"transactionHash": TX, "type": "create", "action": {}, "traceAddress": [0]}),
        call(&[0, 0]),
        call(&[]),
    ] {
        let mut good = call(&[]);
        good["transactionHash"] = json!(other);
        let traces = read(&json!([call(&[]), spoilt, good]));
        assert!(traces.transactions[0].1.is_err(), "{spoilt}");
        assert_eq!(
            traces.transactions[1].1.as_ref().unwrap().frames.len(),
            1,
            "{spoilt}"
        );
    }
    for nobodys in ["[5]", r#"[{"transactionHash":7}]"#, "{}", "null", "", "[{]"] {
        assert!(ParityTraces::read(nobodys.as_bytes()).is_err(), "{nobodys}");
    }
}

#[test]
fn a_creation_without_a_result_did_not_succeed() {
    let mut unknown = creation(&[], "create");
    unknown["result"] = Value::Null;
    let traces = read(&json!([unknown]));
    let trace = traces.transactions[0].1.as_ref().unwrap();
    assert_eq!(trace.stands(), [false]);
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(raw in prop::collection::vec(any::<u8>(), 0..200)) {
        ParityTraces::read(&raw).ok();
    }

    #[test]
    fn any_damage_has_an_answer(
        addresses in prop::collection::vec(prop::collection::vec(0..3_u32, 0..4), 1..6),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let entries: Vec<_> = addresses.iter().map(|address| call(address)).collect();
        let mut raw = json!(entries).to_string().into_bytes();
        if let Ok(traces) = ParityTraces::read(&raw) {
            for (_, trace) in traces.transactions {
                let frames = trace.map(|trace| trace.frames).unwrap_or_default();
                for (index, frame) in frames.iter().enumerate() {
                    let parent = &frames[frame.parent as usize];
                    prop_assert!(index == 0 || parent.depth + 1 == frame.depth);
                }
            }
        }
        let at = at.index(raw.len());
        raw[at] = byte;
        ParityTraces::read(&raw).ok();
    }
}
