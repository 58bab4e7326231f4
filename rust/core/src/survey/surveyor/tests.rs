//! On a scripted node: which method tells, and what becomes of what it does not tell.

mod live;

use super::*;
use crate::config::Limits;
use crate::feed::tests::node::{FakeNode, Reply, Request, hash};
use crate::inbox::queue::queue;
use crate::stats::Stats;
use crate::survey::Counts;
use alloy_primitives::{U256, hex};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SIGNER: Address = Address::repeat_byte(0x5e);
const FACTORY: Address = Address::repeat_byte(0xfa);
const CHILD: Address = Address::repeat_byte(0xc1);
const LOGIC: Address = Address::repeat_byte(0x10);
const TOKEN: Address = Address::repeat_byte(0x70);
const ABSENT: Reply = Reply::Error(-32_601, "the method does not exist");

struct Rig {
    surveyor: Surveyor,
    node: FakeNode,
}

fn rig(behaviour: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Rig {
    let node = FakeNode::start(behaviour);
    let stats = Arc::new(Stats::default());
    let (items, _inbox) = queue(&Limits::default(), stats.clone());
    let surveyor = Surveyor::new(node.asker(stats, items), Some(TOKEN));
    Rig { surveyor, node }
}

impl Rig {
    fn survey(&mut self, number: u64) -> Survey {
        let deadline = Instant::now() + Duration::from_secs(20);
        let block = hash(number, 0).parse().unwrap();
        self.surveyor.survey(block, deadline).expect("a survey")
    }
}

fn code() -> Value {
    json!(Bytes::from(vec![0x60; 64]))
}

/// A creation, and a call of a factory that creates a clone and pays it.
fn sent() -> [Value; 2] {
    let sent = |n: u8, to: Option<Address>| json!({"hash": hash(n.into(), 7), "from": SIGNER, "nonce": format!("{n:#x}"), "to": to, "value": "0x0", "type": "0x2"});
    [sent(1, None), sent(2, Some(FACTORY))]
}

fn clone_of_logic() -> Value {
    let (head, tail) = (
        hex!("363d3d373d3d3d363d73"),
        hex!("5af43d82803e903d91602b57fd5bf3"),
    );
    json!(Bytes::from([&head[..], LOGIC.as_slice(), &tail].concat()))
}

fn call_traces() -> [Value; 2] {
    let created = json!({"type": "CREATE", "from": SIGNER, "to": SIGNER.create(1), "value": "0x0", "input": "0x6000", "output": code()});
    let made = json!({"type": "CREATE2", "from": FACTORY, "to": CHILD, "value": "0x5", "input": "0x6001", "output": clone_of_logic()});
    let called = json!({"type": "CALL", "from": SIGNER, "to": FACTORY, "value": "0x0", "input": "0x", "calls": [made]});
    [created, called].map(|trace| json!({"result": trace}))
}

fn flat_traces(block: &str) -> Value {
    let entry = |n: u8, address: &[u32], kind: &str, action: Value, result: Value| {
        json!({
            "type": kind, "action": action, "result": result, "traceAddress": address,
            "transactionHash": hash(n.into(), 7), "blockHash": block,
        })
    };
    let created = json!({"from": SIGNER, "init": "0x6000", "value": "0x0"});
    let called =
        json!({"from": SIGNER, "to": FACTORY, "value": "0x0", "callType": "call", "input": "0x"});
    let made =
        json!({"from": FACTORY, "init": "0x6001", "value": "0x5", "creationMethod": "create2"});
    json!([
        entry(
            1,
            &[],
            "create",
            created,
            json!({"address": SIGNER.create(1), "code": code()})
        ),
        entry(2, &[], "call", called, json!({"output": "0x"})),
        entry(
            2,
            &[0],
            "create",
            made,
            json!({"address": CHILD, "code": clone_of_logic()})
        ),
    ])
}

fn receipts() -> [Value; 2] {
    let receipt = |n: u8, logs: &[Address]| {
        let logs: Vec<_> = logs.iter().map(|one| json!({"address": one})).collect();
        json!({"transactionHash": hash(n.into(), 7), "status": "0x1", "logs": logs})
    };
    [receipt(1, &[]), receipt(2, &[CHILD, TOKEN])]
}

/// The sender's nonce grows, too.
fn diffs() -> [Value; 2] {
    let diff = |nonce: u64, created: Address, storage: Value| {
        let post = json!({SIGNER.to_string(): {"nonce": nonce + 1}, created.to_string(): {"nonce": 1, "storage": storage}});
        json!({"result": {"pre": {SIGNER.to_string(): {"balance": "0x1", "nonce": nonce}}, "post": post}})
    };
    let stored = json!({B256::ZERO.to_string(): LOGIC.into_word()});
    [diff(0, SIGNER.create(1), json!({})), diff(1, CHILD, stored)]
}

/// Everything that a node can have. The child is new; all else has been there.
fn chain(request: &Request) -> Reply {
    let first = &request.params[0];
    Reply::Result(match request.method.as_str() {
        "eth_chainId" => json!("0x1"),
        "eth_getBlockByHash" => {
            let number = u64::from_str_radix(&first.as_str().unwrap()[2..64], 16).unwrap();
            json!({"number": format!("{number:#x}"), "hash": first, "timestamp": "0x5", "transactions": sent()})
        }
        "debug_traceBlockByHash" if request.params[1]["tracer"] == "prestateTracer" => {
            json!(diffs())
        }
        "debug_traceBlockByHash" => json!(call_traces()),
        "trace_block" => {
            let number = u64::from_str_radix(&first.as_str().unwrap()[2..], 16).unwrap();
            flat_traces(&hash(number, 0))
        }
        "eth_getBlockReceipts" => json!(receipts()),
        "eth_getTransactionReceipt" => {
            let receipts = receipts();
            let asked = |receipt: &Value| receipt["transactionHash"] == *first;
            receipts.into_iter().find(asked).unwrap_or_default()
        }
        "eth_getLogs" => json!([]),
        "eth_getCode" => {
            let account: Address = first.as_str().unwrap().parse().unwrap();
            let now = request.params[1].is_object();
            match account {
                CHILD if now => clone_of_logic(),
                CHILD => json!("0x"),
                _ => code(),
            }
        }
        _ => return ABSENT,
    })
}

#[test]
fn each_method_tells_of_the_same_creations_as_far_as_it_can_see_them() {
    for (absent, method) in [
        (&[][..], Method::CallTracer),
        (&["callTracer"], Method::TraceBlock),
        (&["callTracer", "trace_block"], Method::Diffs),
        (&["debug_traceBlockByHash", "trace_block"], Method::Receipts),
        (
            &[
                "debug_traceBlockByHash",
                "trace_block",
                "eth_getBlockReceipts",
            ],
            Method::Receipts,
        ),
    ] {
        let mut rig = rig(move |request| {
            let names = [json!(request.method), request.params[1]["tracer"].clone()];
            match absent.iter().any(|absent| names.contains(&json!(absent))) {
                true => Some(ABSENT),
                false => Some(chain(request)),
            }
        });
        let survey = rig.survey(1_000);
        assert_eq!(survey.method, Some(method), "{absent:?}");
        let [own, child] = survey.deployments.as_slice() else {
            panic!("{absent:?}: {survey:?}")
        };
        assert_eq!((own.address, own.creator), (SIGNER.create(1), SIGNER));
        assert_eq!(own.code.len(), 64);
        assert_eq!(child.address, CHILD);
        let runs = child.runs.as_ref().expect("a clone");
        assert_eq!((runs.address, runs.code.len()), (LOGIC, 64));
        let traced = method <= Method::TraceBlock;
        assert_eq!(child.stored.len(), usize::from(method == Method::Diffs));
        assert_eq!(child.creator, if traced { FACTORY } else { SIGNER });
        assert_eq!(child.init_code.is_empty(), !traced);
        assert_eq!(survey.payments.len(), usize::from(traced));
        let Counts {
            created,
            untraced,
            malformed,
            ..
        } = survey.counts;
        assert_eq!((created, malformed), (2, 0), "{absent:?}");
        assert_eq!(untraced, if traced { 0 } else { 2 });
    }
}

#[test]
fn a_method_that_is_not_there_is_asked_for_again_after_some_blocks() {
    let there = Arc::new(Mutex::new(false));
    let is_there = there.clone();
    let mut rig = rig(move |request| match request.method.as_str() {
        "debug_traceBlockByHash" if !*is_there.lock().unwrap() => Some(ABSENT),
        _ => Some(chain(request)),
    });
    for _ in 0..10 {
        assert_eq!(rig.survey(1_000).method, Some(Method::TraceBlock));
    }
    assert_eq!(rig.node.requests("debug_traceBlockByHash"), 1);
    *there.lock().unwrap() = true;
    let again = (0..100).find(|_| rig.survey(1_000).method == Some(Method::CallTracer));
    assert!(again.is_some());
    assert_eq!(rig.survey(1_000).method, Some(Method::CallTracer));
}

#[test]
fn what_one_method_leaves_untold_the_next_one_tells() {
    let named = |n: u64, mut trace: Value| {
        trace["txHash"] = json!(hash(n, 7));
        trace
    };
    let [first, _] = call_traces();
    let first = named(1, first);
    for traces in [
        json!([first]),
        json!([first, {"txHash": hash(2, 7), "error": "execution timeout"}]),
        json!([first, {"txHash": hash(2, 7), "result": {"type": 5}}]),
        json!([first, null]),
    ] {
        let mut rig = rig(move |request| match request.method.as_str() {
            "debug_traceBlockByHash" => Some(Reply::Result(traces.clone())),
            "trace_block" => Some(ABSENT),
            _ => Some(chain(request)),
        });
        let survey = rig.survey(1_000);
        assert_eq!(
            survey.method,
            Some(Method::Receipts),
            "as for diffs, they are no such"
        );
        assert_eq!((survey.counts.created, survey.counts.untraced), (2, 1));
        assert!(!survey.deployments[0].init_code.is_empty());
        assert!(survey.deployments[1].init_code.is_empty());
    }
}

#[test]
fn what_nobody_tells_is_counted_and_another_block_is_no_survey() {
    let mut rig = rig(|request| match request.method.as_str() {
        "eth_getBlockByHash" if request.params[0] == json!(hash(2, 0)) => Some(Reply::Result(
            json!({"number": "0x3", "hash": hash(3, 0), "timestamp": "0x5", "transactions": []}),
        )),
        "eth_getBlockByHash" | "eth_chainId" => Some(chain(request)),
        _ => Some(ABSENT),
    });
    let survey = rig.survey(1);
    assert_eq!((survey.method, survey.counts.untold), (None, 2));
    assert!(survey.deployments.is_empty());
    let deadline = Instant::now() + Duration::from_secs(20);
    let error = rig.surveyor.survey(hash(2, 0).parse().unwrap(), deadline);
    assert!(error.unwrap_err().to_string().contains("another block"));
}

#[test]
fn a_trace_as_deep_as_the_evm_allows_hides_nothing() {
    let made = json!({"type": "CREATE", "from": FACTORY, "to": CHILD, "value": "0x0", "input": "0x6001", "output": code()});
    let mut deep = made.to_string();
    for _ in 0..1_023 {
        deep = format!(r#"{{"type":"CALL","from":"{FACTORY}","to":"{FACTORY}","calls":[{deep}]}}"#);
    }
    deep = format!(r#"{{"type":"CALL","from":"{SIGNER}","to":"{FACTORY}","calls":[{deep}]}}"#);
    let [own, _] = call_traces();
    // A value of this depth would recurse where it is dropped.
    let traces = format!(r#"[{own},{{"result":{deep}}}]"#);
    let mut rig = rig(move |request| match request.method.as_str() {
        "debug_traceBlockByHash" => Some(Reply::Answer(traces.clone())),
        _ => Some(chain(request)),
    });
    let survey = rig.survey(1_000);
    assert_eq!(survey.method, Some(Method::CallTracer));
    assert_eq!(survey.deployments[1].address, CHILD);
}

#[test]
fn wrapped_payments_are_told_with_the_native_ones() {
    let transfer = json!({
        "address": TOKEN, "transactionHash": hash(2, 7), "data": B256::from(U256::from(9)),
        "topics": [crate::evidence::transfers::TRANSFER, SIGNER.into_word(), CHILD.into_word()],
    });
    let mut rig = rig(move |request| match request.method.as_str() {
        "eth_getLogs" => Some(Reply::Result(json!([transfer]))),
        _ => Some(chain(request)),
    });
    let payments = rig.survey(1_000).payments;
    let told: Vec<_> = payments
        .iter()
        .map(|one| (one.token, one.from, one.to, one.amount.to::<u64>()))
        .collect();
    assert_eq!(
        told,
        [(None, FACTORY, CHILD, 5), (Some(TOKEN), SIGNER, CHILD, 9)]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_a_node_answers_there_is_a_survey_or_a_reason(answers in prop::collection::vec(0..9_usize, 8)) {
        let garbage = [
            json!(null), json!([]), json!({}), json!(7), json!("0x"), json!([null]), json!([{}, {"result": {}}]),
            json!([{"transactionHash": hash(1, 7)}]), json!("0xzz"),
        ];
        const METHODS: [&str; 8] = [
            "debug_traceBlockByHash", "trace_block", "eth_getBlockReceipts", "eth_getTransactionReceipt", "eth_getLogs",
            "eth_getCode", "eth_getCode", "eth_getCode",
        ];
        let mut rig = rig(move |request| {
            let asked = METHODS.iter().position(|method| *method == request.method);
            Some(asked.map_or_else(|| chain(request), |asked| Reply::Result(garbage[answers[asked]].clone())))
        });
        let survey = rig.survey(1_000);
        let told = survey.counts.transactions - survey.counts.untold;
        prop_assert_eq!(survey.method.is_some(), told > 0);
    }
}
