use super::*;
use crate::node::message::{RpcError, parse};
use crate::wire::nesting::MAX_NESTING;
use std::time::Duration;

const HASH: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// A session whose subscriptions are named `"0xa"` and `"0x1"`.
fn session() -> (Session, WsRpc) {
    let mut session = Session::new();
    session.names = Names {
        pending: Some(bytes("\"0xa\"")),
        heads: Some(bytes("\"0x1\"")),
    };
    (session, WsRpc::new().0)
}

/// What becomes of a frame, as a connection brings it.
fn routed(session: &mut Session, frame: &Bytes, rpc: &WsRpc) -> Routed {
    match session.recognise(frame) {
        Some(pending) => Routed::Pending(pending),
        None => {
            let arrival = Arrival::now();
            session.route(parse(frame, arrival, MAX_NESTING), rpc, arrival)
        }
    }
}

fn route(text: &str) -> Routed {
    let (mut session, rpc) = session();
    routed(&mut session, &bytes(text), &rpc)
}

#[test]
fn transactions_are_recognised_however_the_node_lays_out_its_frames() {
    for frame in [
        r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0xa","result":{"hash":"0x"}}}"#,
        r#"{ "jsonrpc" : "2.0", "method" : "eth_subscription", "params" : { "subscription" : "0xa" , "result" : {} } }"#,
        r#"{"params":{"result":{"hash":"0x"},"subscription":"0xa"},"method":"eth_subscription","jsonrpc":"2.0"}"#,
    ] {
        assert_eq!(
            route(frame),
            Routed::Pending(Pending::Transaction),
            "{frame}"
        );
    }
}

#[test]
fn only_the_first_bytes_of_a_transaction_are_looked_at() {
    // What follows is the pipeline's to judge: it is JSON's end here that is missing.
    let frame = r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0xa","result":{"ha"#;
    assert_eq!(route(frame), Routed::Pending(Pending::Transaction));
}

#[test]
fn a_hash_is_a_hash_in_both_layouts() {
    let hash = B256::repeat_byte(1);
    let usual = format!(
        r#"{{"method":"eth_subscription","params":{{"subscription":"0xa","result":"{HASH}"}}}}"#
    );
    let other = format!(
        r#"{{"method":"eth_subscription","params":{{"result":"{HASH}","subscription":"0xa"}}}}"#
    );
    assert_eq!(route(&usual), Routed::Pending(Pending::Hash(hash)));
    assert_eq!(route(&other), Routed::Pending(Pending::Hash(hash)));
    assert!(matches!(
        route(&usual.replace(HASH, "0x01")),
        Routed::Malformed(_)
    ));
}

#[test]
fn a_subscription_named_like_a_value_is_not_confused_with_it() {
    // "0x1" names the heads; here it is the number of the block that a pending transaction claims.
    let frame = format!(
        r#"{{"method":"eth_subscription","params":{{"subscription":"0x1","result":{{"number":"0xa","hash":"{HASH}","parentHash":"{HASH}","timestamp":"0x1","gasUsed":"0x1","gasLimit":"0x1"}}}}}}"#
    );
    assert!(matches!(
        route(&frame),
        Routed::Head(Head { number: 10, .. })
    ));
}

#[test]
fn a_subscription_is_known_to_the_very_next_frame() {
    let mut session = Session::new();
    let (rpc, mut outgoing) = WsRpc::new();
    let asked = rpc.subscribe(Topic::Pending, "[]");
    let mut asked = Box::pin(asked);
    let waker = futures_util::task::noop_waker();
    let mut cx = futures_util::task::Context::from_waker(&waker);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    assert!(std::future::Future::poll(asked.as_mut(), &mut cx).is_pending());
    assert!(outgoing.try_recv().unwrap().contains(r#""id":1,"#));
    let next =
        bytes(r#"{"method":"eth_subscription","params":{"subscription":"0xb","result":{}}}"#);
    assert_eq!(routed(&mut session, &next, &rpc), Routed::Unknown);
    let answer = bytes(r#"{"id":1,"result":"0xb"}"#);
    assert_eq!(
        routed(&mut session, &answer, &rpc),
        Routed::Answers { subscribed: true }
    );
    assert_eq!(
        routed(&mut session, &next, &rpc),
        Routed::Pending(Pending::Transaction)
    );
}

#[test]
fn garbage_is_malformed_and_nothing_else() {
    let deep = "[".repeat(1 << 20);
    let deep_notification = format!(r#"{{"method":"eth_subscription","params":{deep}"#);
    for garbage in [
        "",
        " ",
        "null",
        "7",
        "\"x\"",
        "{",
        "[",
        "[]",
        "[1]",
        "{}",
        r#"{"id":99,"result":1}"#,
        r#"{"id":"x","error":1}"#,
        r#"{"method":7}"#,
        r#"{"method":"eth_subscription"}"#,
        r#"{"method":"eth_subscription","params":[]}"#,
        r#"{"method":"eth_subscription","params":{"subscription":"0xa","result":7}}"#,
        r#"{"method":"eth_subscription","params":{"subscription":"0x1","result":{}}}"#,
        r#"{"subscription""#,
        r#"{"subscription":"#,
        r#"{"subscription":"0xa","result":"#,
        &deep,
        &deep_notification,
    ] {
        assert!(
            matches!(route(garbage), Routed::Malformed(_)),
            "{}",
            &garbage[..garbage.len().min(80)]
        );
    }
    let (mut session, rpc) = session();
    assert!(matches!(
        routed(&mut session, &Bytes::from_static(b"\xff\xfe"), &rpc),
        Routed::Malformed(_)
    ));
}

proptest::proptest! {
    #[test]
    fn any_bytes_have_an_answer(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
        let (mut session, rpc) = session();
        routed(&mut session, &Bytes::from(bytes), &rpc);
    }

    #[test]
    fn any_mutation_of_a_frame_has_an_answer(at in 0usize..100, byte: u8, cut in 0usize..140) {
        let frame = format!(r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"0xa","result":"{HASH}"}}}}"#);
        let mut frame = frame.into_bytes();
        frame[at] = byte;
        frame.truncate(cut);
        let (mut session, rpc) = session();
        routed(&mut session, &Bytes::from(frame), &rpc);
    }
}

#[tokio::test]
async fn answers_find_who_asked() {
    let mut session = Session::new();
    let (rpc, mut outgoing) = WsRpc::new();
    let params: Vec<_> = (0..3).map(|i| format!("[{i}]")).collect();
    let serve = async {
        let sent = outgoing.recv().await.unwrap();
        assert!(sent.starts_with('[') && sent.contains(r#""params":[2]"#));
        // Out of order, one refused, ids as strings.
        let answer = bytes(
            r#"[{"id":"3","result":null},{"id":1,"result":{"a":1}},{"id":2,"error":{"code":-32000,"message":"no"}}]"#,
        );
        assert_eq!(
            routed(&mut session, &answer, &rpc),
            Routed::Answers { subscribed: false }
        );
        outgoing.recv().await.unwrap();
        let refused = bytes(
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batches are off"}}"#,
        );
        routed(&mut session, &refused, &rpc)
    };
    let ask = async {
        let answers = rpc.batch("m", &params).await;
        let refused = rpc.batch("m", &params).await;
        (answers, refused)
    };
    let (routed, (answers, refused)) = tokio::join!(serve, ask);
    assert_eq!(routed, Routed::Answers { subscribed: false });
    assert_eq!(answers[0].as_ref().unwrap().text(), r#"{"a":1}"#);
    assert_eq!(
        answers[1].as_ref().unwrap_err().to_string(),
        "refused: no (-32000)"
    );
    assert!(answers[2].as_ref().unwrap().is_null());
    assert!(
        refused
            .iter()
            .all(|r| r.as_ref().unwrap_err().to_string() == "refused: batches are off (-32600)")
    );
}

#[tokio::test]
async fn a_question_without_an_answer_is_forgotten() {
    let (rpc, _outgoing) = WsRpc::new();
    let patience = Duration::from_millis(20);
    assert_eq!(
        rpc.call("m", "[]", patience).await.unwrap_err(),
        RpcError::Timeout(patience)
    );
    let mut session = Session::new();
    let late = routed(&mut session, &bytes(r#"{"id":1,"result":1}"#), &rpc);
    assert!(matches!(late, Routed::Malformed(_)));
}
