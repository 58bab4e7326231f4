//! The keeper on a scripted node: what it makes of a head, and when it tells of the state.

use super::*;
use crate::config::Limits;
use crate::feed::tests::node::{FakeNode, Reply, Request, block, hash};
use crate::inbox::queue::{ItemReceiver, queue};
use serde_json::{Value, json};

const VAULT: Address = Address::repeat_byte(0xc0);
const MINER: Address = Address::ZERO;
const WITHIN: Duration = Duration::from_secs(10);

struct Rig {
    keeper: Keeper,
    state: Arc<HeadState>,
    stats: Arc<Stats>,
    inbox: ItemReceiver,
    node: FakeNode,
}

fn rig(behaviour: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Rig {
    let node = FakeNode::start(behaviour);
    let stats = Arc::new(Stats::default());
    let (items, inbox) = queue(&Limits::default(), stats.clone());
    let state = Arc::new(HeadState::new(1_000));
    let neighbourhood = Arc::new(Neighbourhood::of([VAULT]));
    let asker = node.asker(stats.clone(), items.clone());
    let keeper = Keeper::start(
        state.clone(),
        neighbourhood,
        asker,
        Arc::new(ChainSpec::of(1)),
        items,
        stats.clone(),
        Arc::from([VAULT]),
        Vec::new(),
    );
    Rig {
        keeper: keeper.unwrap(),
        state,
        stats,
        inbox,
        node,
    }
}

impl Rig {
    /// Announces a head and waits for its state.
    fn head(&self, number: u64) -> B256 {
        let head = hash(number, 0).parse().unwrap();
        self.keeper.head(number, head);
        let deadline = Instant::now() + WITHIN;
        loop {
            match self.inbox.recv_timeout(deadline - Instant::now()) {
                Some(Item::State) => return head,
                Some(_) => {}
                None => panic!("no state in time"),
            }
        }
    }

    fn counted(&self) -> [u64; 3] {
        let Stats {
            state_carried,
            state_discarded,
            state_failures,
            ..
        } = &*self.stats;
        [state_carried, state_discarded, state_failures].map(|counter| counter.get())
    }
}

/// Blocks of one transaction, by which the vault's balance becomes the block's number.
fn chain(request: &Request) -> Option<Reply> {
    let number = |hash: &Value| u64::from_str_radix(&hash.as_str().unwrap()[2..64], 16).unwrap();
    Some(Reply::Result(match request.method.as_str() {
        "eth_getBlockByHash" => {
            let number = number(&request.params[0]);
            block(number, 0, 0, &[json!(hash(number, 9))])
        }
        "debug_traceBlockByHash" => {
            let number = number(&request.params[0]);
            let balance =
                |number: u64| json!({VAULT.to_string(): {"balance": format!("{number:#x}")}});
            json!([{"result": {"pre": balance(number - 1), "post": balance(number)}}])
        }
        "eth_getBalance" => json!("0x1"),
        "eth_getTransactionCount" => json!("0x1"),
        "eth_getCode" => json!("0x"),
        "eth_getProof" => json!({"address": VAULT, "storageProof": []}),
        _ => return None,
    }))
}

#[test]
fn the_state_is_carried_from_head_to_head_and_told_of_when_it_is_there() {
    let rig = rig(chain);
    let first = rig.head(1);
    let vault = rig.state.account(&first, &VAULT).unwrap();
    assert_eq!(vault.expect("kept warm").balance, U256::ONE);
    assert_eq!(rig.counted(), [0, 1, 0]);
    let asked = rig.node.requests("eth_getBalance");
    let second = rig.head(2);
    let vault = rig.state.account(&second, &VAULT).unwrap();
    assert_eq!(vault.expect("carried").balance, U256::from(2));
    assert_eq!(rig.counted(), [1, 1, 0]);
    assert!(rig.state.account(&second, &MINER).unwrap().is_some());
    assert_eq!(
        rig.node.requests("eth_getBalance") - asked,
        1,
        "who was paid, alone"
    );
    let log = rig.node.log.lock().unwrap();
    let mut traces = log
        .iter()
        .filter(|(method, _)| method == "debug_traceBlockByHash");
    let config = json!({"diffMode": true, "disableCode": true});
    assert!(traces.all(|(_, params)| params[1]["tracerConfig"] == config));
}

#[test]
fn a_gap_or_half_a_word_of_the_changes_has_the_neighbourhood_asked_for_anew() {
    let rig = rig(|request| match request.method.as_str() {
        // Of its one transaction it says nothing.
        "debug_traceBlockByHash" if request.params[0] == json!(hash(2, 0)) => {
            Some(Reply::Result(json!([])))
        }
        _ => chain(request),
    });
    for (number, counted) in [
        (1, [0, 1, 0]),
        (2, [0, 2, 0]),
        (3, [1, 2, 0]),
        (5, [1, 3, 0]),
    ] {
        let head = rig.head(number);
        assert_eq!(rig.counted(), counted, "{number}");
        assert!(
            rig.state.account(&head, &VAULT).unwrap().is_some(),
            "{number}"
        );
    }
}

#[test]
fn a_head_that_no_node_knows_leaves_the_one_before() {
    let rig = rig(|request| match request.method.as_str() {
        "eth_getBlockByHash" if request.params[0] == json!(hash(2, 0)) => {
            Some(Reply::Result(block(3, 0, 0, &[])))
        }
        _ => chain(request),
    });
    let first = rig.head(1);
    rig.keeper.head(2, hash(2, 0).parse().unwrap());
    let deadline = Instant::now() + WITHIN;
    while rig.counted()[2] == 0 {
        assert!(Instant::now() < deadline, "fails in time");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(rig.inbox.try_recv().is_none(), "nothing new to look at");
    assert_eq!(rig.state.block().expect("the one before").hash, first);
}

#[test]
fn what_a_block_does_to_monitored_contracts_is_told() {
    let router = Address::repeat_byte(0x4e);
    // Packed beside a flag.
    let mut packed = [0; 32];
    packed[11..31].copy_from_slice(VAULT.as_slice());
    packed[31] = 1;
    let rig = rig(move |request| match request.method.as_str() {
        "debug_traceBlockByHash" => {
            let stored = json!({B256::ZERO.to_string(): B256::from(packed)});
            let balance = json!({VAULT.to_string(): {"balance": "0x1"}});
            let mut post = balance.clone();
            post[router.to_string()] = json!({"storage": stored});
            let mut pre = balance;
            pre[router.to_string()] = json!({});
            Some(Reply::Result(
                json!([{"result": {"pre": pre, "post": post}}]),
            ))
        }
        _ => chain(request),
    });
    let head: B256 = hash(1, 0).parse().unwrap();
    rig.keeper.head(1, head);
    let deadline = Instant::now() + WITHIN;
    let changes = loop {
        match rig.inbox.recv_timeout(deadline - Instant::now()) {
            Some(Item::Changes(changes)) => break changes,
            Some(_) => {}
            None => panic!("no changes in time"),
        }
    };
    assert_eq!((changes.number, changes.hash), (1, head));
    assert_eq!(
        changes.touched,
        [(hash(1, 9).parse().unwrap(), vec![VAULT])]
    );
    assert_eq!(changes.named, [(router, VAULT)]);
}

#[test]
fn a_head_that_no_node_gives_at_first_is_asked_for_again_though_no_other_follows() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let rig = rig(move |request| match request.method.as_str() {
        "eth_getBlockByHash" => match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            // Each attempt asks twice.
            0..4 => Some(Reply::Error(-32_000, "unknown block")),
            _ => chain(request),
        },
        _ => chain(request),
    });
    let head = rig.head(1);
    assert_eq!(rig.state.block().expect("is there").hash, head);
    assert_eq!(rig.counted(), [0, 1, 1], "counted once");
}

#[test]
fn a_new_head_does_not_wait_for_one_that_no_node_gives() {
    let rig = rig(|request| match request.method.as_str() {
        "eth_getBlockByHash" if request.params[0] == json!(hash(1, 0)) => {
            Some(Reply::Error(-32_000, "unknown block"))
        }
        _ => chain(request),
    });
    rig.keeper.head(1, hash(1, 0).parse().unwrap());
    let begun = Instant::now();
    let head = rig.head(2);
    assert_eq!(rig.state.block().expect("is there").hash, head);
    assert!(begun.elapsed() < AGAIN_AT_MOST);
}
