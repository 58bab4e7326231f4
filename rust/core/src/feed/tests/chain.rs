//! Heads, blocks, reorgs and code.

use super::node::*;
use crate::chain::{CodeAnswer, Head, Reorg};
use crate::config::Limits;
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use crate::node::message::TIMEOUT;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

fn head_of(item: Item) -> Option<Head> {
    match item {
        Item::Head(head) => Some(head),
        _ => None,
    }
}

#[test]
fn each_head_comes_once_and_its_contents_follow() {
    let nodes = [FakeNode::start(|_| None), FakeNode::start(|_| None)];
    let mut rig = Rig::start(&[&nodes[0], &nodes[1]]);
    let first = rig.find(head_of);
    assert_eq!((first.number, first.base_fee), (100, Some(7)));
    rig.find(|item| matches!(item, Item::Block(_)).then_some(()));
    while !rig.source.endpoints().iter().all(|snapshot| snapshot.up) {
        std::thread::sleep(Duration::from_millis(5));
    }
    for number in 101..=103 {
        for node in &nodes {
            node.push(Push::Text(notification(HEADS, &block(number, 0, 0, &[]))));
        }
    }
    let mut blocks = Vec::new();
    let mut heads = Vec::new();
    while blocks.len() < 3 {
        match rig.next() {
            Item::Head(head) => heads.push(head.number),
            Item::Block(block) => blocks.push(block),
            item => assert!(matches!(item, Item::Ready), "{item:?}"),
        }
    }
    assert_eq!(heads, [101, 102, 103]);
    assert_eq!(
        blocks.iter().map(|block| block.number).collect::<Vec<_>>(),
        [101, 102, 103]
    );
    let mined = &blocks[2].transactions[0];
    assert!(mined.creates && mined.nonce == 1 && mined.hash.to_string() == hash(103 * 256, 0xff));
}

#[test]
fn a_reorg_tells_its_depth_before_the_new_heads() {
    let node = FakeNode::start(|_| None);
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    for number in 101..=104 {
        node.push(Push::Text(notification(HEADS, &block(number, 0, 0, &[]))));
    }
    rig.find(|item| head_of(item).filter(|head| head.number == 104));
    // Only the new tip is announced; its ancestors down to 100 must be asked for.
    node.push(Push::Text(notification(HEADS, &block(105, 2, 2, &[]))));
    let Reorg {
        depth,
        old_head,
        new_head,
        number,
        ..
    } = rig.find(|item| match item {
        Item::Reorg(reorg) => Some(reorg),
        Item::Head(head) => panic!("{head:?} before the reorg"),
        _ => None,
    });
    assert_eq!((depth, number), (4, 105));
    assert_eq!(
        (old_head.to_string(), new_head.to_string()),
        (hash(104, 0), hash(105, 2))
    );
    let heads: Vec<_> = (0..5).map(|_| rig.find(head_of).hash.to_string()).collect();
    assert_eq!(heads, (101..=105).map(|n| hash(n, 2)).collect::<Vec<_>>());
}

#[test]
fn blocks_mined_during_a_cut_are_followed_with_their_transactions() {
    let node = FakeNode::start(
        |request| match (request.method.as_str(), request.connection) {
            ("eth_getBlockByNumber", 1) => Some(Reply::Result(block(104, 0, 0, &[]))),
            _ => None,
        },
    );
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    rig.find(|item| matches!(item, Item::Block(_)).then_some(()));
    node.push(Push::Reset);
    let mut log = Vec::new();
    while log.len() < 12 {
        match rig.next() {
            Item::Head(head) => log.push(format!("head {}", head.number)),
            Item::Object(raw) => log.push(format!("transaction {}", hash_of(&raw.bytes))),
            Item::Block(block) => log.push(format!("block {}", block.number)),
            item => assert!(matches!(item, Item::Ready), "{item:?}"),
        }
    }
    for number in 101..=104_u64 {
        let position = |what: String| {
            log.iter()
                .position(|entry| *entry == what)
                .unwrap_or_else(|| panic!("{what}: {log:?}"))
        };
        let transaction = position(format!("transaction {}", hash(number * 256, 0xff)));
        assert!(
            position(format!("head {number}")) < transaction
                && transaction < position(format!("block {number}"))
        );
    }
    assert_eq!(rig.stats.recovered.get(), 4);
}

#[test]
fn a_node_without_new_heads_is_asked_for_its_head() {
    let number = Arc::new(AtomicUsize::new(100));
    let head = number.clone();
    let node = FakeNode::start(move |request| match request.method.as_str() {
        "eth_subscribe" if request.params[0] == "newHeads" => Some(Reply::Error(-32601, "no")),
        "eth_getBlockByNumber" => Some(Reply::Result(block(head.load(SeqCst) as u64, 0, 0, &[]))),
        _ => None,
    });
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    number.store(102, SeqCst);
    rig.find(|item| head_of(item).filter(|head| head.number == 102));
    rig.until_said(AnomalyKind::NodeError, "refuses newHeads");
}

#[test]
fn blocks_that_lie_about_themselves_are_not_believed() {
    let node = FakeNode::start(|request| match request.method.as_str() {
        "eth_getBlockByHash" => Some(Reply::Result(block(9, 9, 9, &[]))),
        _ => None,
    });
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    rig.until_said(AnomalyKind::NodeError, "is not the block asked for");
    node.push(Push::Text(notification(
        HEADS,
        &json!({"number": "0x66", "hash": 7}),
    )));
    rig.until_said(AnomalyKind::MalformedFrame, "header that cannot be read");
}

/// Code that appeared in block `created`, asked for at `block` of 100,000.
fn code_at(request: &Request, created: u64) -> Reply {
    let block = request.params[1].as_str().unwrap();
    let block = block
        .strip_prefix("0x")
        .map_or(100_000, |digits| u64::from_str_radix(digits, 16).unwrap());
    Reply::Result(json!(if block >= created { "0x6001" } else { "0x" }))
}

fn answers_of(created: u64, delay: Duration, state_from: u64) -> Vec<CodeAnswer> {
    let node = FakeNode::start(move |request| match request.method.as_str() {
        "eth_getBlockByNumber" => Some(Reply::Result(block(100_000, 0, 0, &[]))),
        "eth_getCode" => {
            let at = request.params[1].as_str().unwrap();
            let historical = at
                .strip_prefix("0x")
                .map(|digits| u64::from_str_radix(digits, 16).unwrap());
            if historical.is_some_and(|at| at < state_from) {
                return Some(Reply::Error(-32000, "missing trie node"));
            }
            if historical.is_some() {
                std::thread::sleep(delay);
            }
            Some(code_at(request, created))
        }
        _ => None,
    });
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    rig.find(head_of_100_000);
    let address = alloy_primitives::Address::repeat_byte(7);
    rig.source.request_code(address);
    let mut answers = Vec::new();
    // A dated answer is the last.
    let dated = |answers: &[CodeAnswer]| answers.iter().any(|a| a.created_at.is_some());
    while !dated(&answers)
        && let Some(item) = rig.next_within(Duration::from_millis(2_500))
    {
        if let Item::Code(answer) = item {
            assert_eq!(
                (answer.address, answer.code.as_ref()),
                (address, &[0x60, 1][..])
            );
            answers.push(answer);
        }
    }
    assert_eq!(rig.stats.code_failures.get(), 0);
    answers
}

fn head_of_100_000(item: Item) -> Option<()> {
    match item {
        Item::Head(head) => (head.number == 100_000).then_some(()),
        Item::Block(_) => Some(()),
        _ => None,
    }
}

#[test]
fn code_comes_with_its_creation_block() {
    for created in [0, 1, 77_777, 99_900, 99_901, 100_000] {
        // On a slow machine after one without.
        let answers = answers_of(created, Duration::ZERO, 0);
        assert_eq!(answers.last().unwrap().created_at, Some(created));
    }
}

#[test]
fn without_old_state_recent_code_is_dated_and_old_code_is_not() {
    let dates = |created| {
        answers_of(created, Duration::ZERO, 99_880)
            .last()
            .map(|a| a.created_at)
    };
    assert_eq!(dates(99_950), Some(Some(99_950)));
    assert_eq!(dates(50_000), Some(None));
}

#[test]
fn code_is_not_held_back_for_a_slow_search() {
    let answers = answers_of(77_777, Duration::from_millis(60), 0);
    assert_eq!(
        answers.iter().map(|a| a.created_at).collect::<Vec<_>>(),
        [None, Some(77_777)]
    );
}

#[test]
fn code_asked_for_before_anyone_is_connected_comes_once_somebody_is() {
    let code = |request: &Request| request.method == "eth_getCode";
    let node =
        FakeNode::start(move |request| code(request).then(|| Reply::Result(json!("0x6001"))));
    let mut rig = Rig::start(&[&node]);
    rig.source.request_code(alloy_primitives::Address::ZERO);
    rig.find(|item| matches!(item, Item::Code(_)).then_some(()));
    assert_eq!(rig.stats.code_failures.get(), 0);
}

#[test]
fn code_that_cannot_be_had_is_counted_and_may_be_asked_for_again() {
    let node = FakeNode::start(|request| {
        (request.method == "eth_getCode").then_some(Reply::Error(-32000, "no"))
    });
    let mut rig = Rig::start(&[&node]);
    rig.ready();
    for failures in 1..=2 {
        rig.source.request_code(alloy_primitives::Address::ZERO);
        rig.until("counted", |rig| rig.stats.code_failures.get() == failures);
    }
    rig.until_said(AnomalyKind::NodeError, "eth_getCode 0x0000");
}

/// An HTTP server that answers every request with what `answer` makes of its body.
fn http(answer: impl Fn(Value) -> String + Send + 'static) -> String {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://{}/v2/anotherlongkey",
        listener.local_addr().unwrap()
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = answer(serde_json::from_slice(&body).unwrap());
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            reader
                .get_mut()
                .write_all(format!("{head}{body}").as_bytes())
                .ok();
        }
    });
    url
}

fn http_node(chain: &'static str) -> String {
    http(move |request| {
        let result = match request["method"].as_str().unwrap() {
            "eth_chainId" => json!(chain),
            "eth_getCode" => json!("0x6001"),
            _ => Value::Null,
        };
        json!({"jsonrpc": "2.0", "id": request["id"], "result": result}).to_string()
    })
}

#[test]
fn background_questions_go_to_the_rpc_urls_where_given() {
    let node = FakeNode::start(|_| None);
    let mut config = config(&[node.url()]);
    config.rpc_urls = vec![
        http(|_| "<html>not found</html>".into()),
        http_node("0x5"),
        http_node("0x1"),
    ];
    let mut rig = Rig::with(&config, &Limits::default());
    rig.ready();
    rig.find(head_of);
    rig.source.request_code(alloy_primitives::Address::ZERO);
    rig.find(|item| {
        matches!(
            item,
            Item::Code(CodeAnswer {
                created_at: Some(0),
                dating: false,
                ..
            })
        )
        .then_some(())
    });
    assert_eq!(node.requests("eth_getCode"), 0);
    // A block the RPC node has not got comes from the endpoint that announced it.
    node.push(Push::Text(notification(HEADS, &block(101, 0, 0, &[]))));
    rig.find(|item| matches!(item, Item::Block(block) if block.number == 101).then_some(()));
    rig.until_said(AnomalyKind::WrongChain, "serves chain 5, not 1");
    assert!(!format!("{:?}", rig.anomalies).contains("anotherlongkey"));
}

#[test]
fn an_rpc_url_that_takes_questions_and_says_nothing_keeps_no_block() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let node = FakeNode::start(|_| None);
    let mut config = config(&[node.url()]);
    config.rpc_urls = vec![format!("http://{}", listener.local_addr().unwrap())];
    let mut rig = Rig::with(&config, &Limits::default());
    rig.ready();
    let begun = Instant::now();
    node.push(Push::Text(notification(HEADS, &block(101, 0, 0, &[]))));
    rig.find(|item| matches!(item, Item::Block(block) if block.number == 101).then_some(()));
    assert!(
        begun.elapsed() < TIMEOUT,
        "asked of the one that announced it"
    );
}
