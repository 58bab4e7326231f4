//! The pool on a scripted node: what it asks, and what becomes of a suspect where the node fails.

mod asking;

use super::workshop::UNFORESEEN;
use super::*;
use crate::chain::ChainSpec;
use crate::config::{Limits, MonitoredContract};
use crate::evidence::{RecordedSimulation, SimulationResult};
use crate::feed::tests::node::{FakeNode, Reply, Request};
use crate::inbox::Item;
use crate::inbox::queue::{ItemReceiver, queue};
use crate::simulate::evm::StateError;
use crate::simulate::evm::backend::Local;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::told::block_diffs;
use crate::simulate::judge::simulator::Step;
use crate::simulate::pool::suspect::Earlier;
use crate::simulate::state::Snapshot;
use crate::simulate::state::head::{Changes, HeadBlock};
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256, U256, keccak256};
use revm::DatabaseRef;
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use serde_json::{Value, json};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

const SENDER: Address = Address::repeat_byte(0x5e);
const CONTRACT: Address = Address::repeat_byte(0xc0);
const MINER: Address = Address::repeat_byte(0x31);
/// PUSH0 SLOAD PUSH0 SSTORE STOP: reads its first slot and writes it back.
const CODE: &str = "0x5f545f5500";

struct Rig {
    pool: Pool,
    state: Arc<HeadState>,
    inbox: ItemReceiver,
    stats: Arc<Stats>,
    node: Arc<FakeNode>,
}

fn simulator(config: &SimulationConfig) -> Simulator {
    simulator_of(&[], config)
}

fn simulator_of(contracts: &[MonitoredContract], config: &SimulationConfig) -> Simulator {
    Simulator::new(
        contracts,
        config,
        Arc::new(ChainSpec::of(1)),
        None,
        Arc::default(),
        1.0,
    )
    .unwrap()
}

fn head(number: u64) -> HeadBlock {
    HeadBlock {
        number,
        hash: B256::with_last_byte(number as u8),
        parent: B256::with_last_byte(number as u8 - 1),
        timestamp: 0,
        next: Environment {
            chain_id: 1,
            fork: SpecId::SHANGHAI,
            block: BlockEnv {
                number: U256::from(number + 1),
                beneficiary: MINER,
                ..BlockEnv::default()
            },
            blob_base_fee_update_fraction: None,
        },
    }
}

fn rig(
    change: impl FnOnce(&mut SimulationConfig),
    behaviour: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
) -> Rig {
    rig_of(&[], change, behaviour)
}

fn rig_of(
    contracts: &[MonitoredContract],
    change: impl FnOnce(&mut SimulationConfig),
    behaviour: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
) -> Rig {
    let node = Arc::new(FakeNode::start(behaviour));
    let mut config = SimulationConfig {
        deadline_ms: 1_500,
        ..SimulationConfig::default()
    };
    change(&mut config);
    let (limits, stats) = (Limits::default(), Arc::new(Stats::default()));
    let (items, inbox) = queue(&limits, stats.clone());
    let asker = node.asker(stats.clone(), items.clone());
    let state = Arc::new(HeadState::new(1_000));
    state.advance(head(1), Changes::Unknown);
    let simulators = vec![simulator_of(contracts, &config)];
    let pool = Pool::start(
        &config,
        simulators,
        state.clone(),
        Arc::default(),
        asker,
        items,
        stats.clone(),
        true,
    );
    Rig {
        pool: pool.unwrap(),
        state,
        inbox,
        stats,
        node,
    }
}

fn suspect(nonce: u64) -> Suspect {
    let tx = PendingTransaction {
        hash: keccak256(nonce.to_be_bytes()),
        from: SENDER,
        to: Some(CONTRACT),
        gas: 100_000,
        nonce,
        ..PendingTransaction::default()
    };
    Suspect {
        tx: Arc::new(tx),
        fingerprint: 0,
        original: None,
        before: Vec::new(),
        among_others: false,
        taken: Vec::new(),
        contact: false,
        score: 0.0,
    }
}

impl Rig {
    fn result(&self) -> Box<SimulationResult> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(Item::Simulated(simulated)) =
                self.inbox.recv_timeout(Duration::from_millis(50))
            {
                return simulated;
            }
        }
        panic!("no result in time");
    }

    fn simulate(&self, nonce: u64) -> Box<SimulationResult> {
        assert_eq!(self.pool.offer(suspect(nonce)), None);
        self.result()
    }

    fn failure(&self, nonce: u64) -> Failure {
        self.simulate(nonce).result.expect_err("fails")
    }
}

/// What a node with the contract's state answers.
fn state_of_the_contract(request: &Request) -> Option<Reply> {
    Some(Reply::Result(match request.method.as_str() {
        "debug_traceCall" => prestate(),
        "eth_getBalance" => json!("0x0"),
        "eth_getTransactionCount" => json!("0x0"),
        "eth_getCode" if request.params[0] == json!(CONTRACT.to_string()) => json!(CODE),
        "eth_getCode" => json!("0x"),
        "eth_getStorageAt" => json!(B256::with_last_byte(7)),
        _ => return None,
    }))
}

fn prestate() -> Value {
    json!({
        SENDER.to_string(): {"balance": "0xde0b6b3a7640000"},
        MINER.to_string(): {"balance": "0x0"},
        CONTRACT.to_string(): {"balance": "0x0", "nonce": 1, "code": CODE, "storage": {B256::ZERO.to_string(): B256::with_last_byte(7)}},
    })
}

fn asked(node: &FakeNode) -> usize {
    node.log.lock().unwrap().len()
}

#[test]
fn state_is_fetched_in_one_round_trip_and_then_known() {
    let rig = rig(|_| {}, state_of_the_contract);
    let before = asked(&rig.node);
    let done = rig.simulate(1);
    let simulation = done.result.expect("comes to its end");
    assert_eq!((&*simulation.outcome, simulation.block), ("succeeded", 2));
    assert_eq!(asked(&rig.node) - before, 1);
    let again = rig.simulate(2).result.expect("comes to its end");
    assert_eq!(again.gas_used, simulation.gas_used);
    assert_eq!(asked(&rig.node) - before, 1, "nothing was asked again");
    assert_eq!(rig.stats.state_fetches.get(), 1);
}

#[test]
fn what_was_read_is_enough_to_do_it_again() {
    let rig = rig(|_| {}, state_of_the_contract);
    let done = rig.simulate(1);
    let record = done.record.expect("asked for");
    let text = serde_json::to_string(&record).unwrap();
    let record: RecordedSimulation = serde_json::from_str(&text).unwrap();
    let executed = record.executed.expect("was executed");
    let (environment, state) = (executed.environment().unwrap(), executed.state());
    let mut simulator = simulator(&SimulationConfig::default());
    let (suspect, extras) = (suspect(1), executed.extras());
    let step = Step {
        tx: &suspect.tx,
        extras,
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    let again = simulator.simulate(&Local(&state), &environment, &[step], 0.0, deadline);
    assert_eq!(again.unwrap().gas_used, done.result.unwrap().gas_used);
}

#[test]
fn without_prestate_traces_the_state_is_asked_for_piece_by_piece() {
    let rig = rig(
        |_| {},
        |request| match request.method.as_str() {
            "debug_traceCall" => Some(Reply::Error(-32_601, "no such method")),
            _ => state_of_the_contract(request),
        },
    );
    assert!(rig.simulate(1).result.is_ok());
    assert_eq!(rig.node.requests("eth_getStorageAt"), 1);
    assert!(rig.simulate(2).result.is_ok());
    assert_eq!(rig.node.requests("debug_traceCall"), 1, "refused once");
}

#[test]
fn a_node_that_is_silent_costs_no_more_than_the_deadline() {
    let rig = rig(
        |config| config.deadline_ms = 200,
        |request| match request.method.as_str() {
            "eth_chainId" => None,
            _ => Some(Reply::Nothing),
        },
    );
    let begun = Instant::now();
    assert_eq!(rig.failure(1).kind, FailureKind::Deadline);
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(rig.failure(2).kind, FailureKind::Deadline, "and so on");
}

#[test]
fn a_node_that_has_pruned_the_state_or_lies_about_it_is_a_reason() {
    type Answer = fn() -> Reply;
    let answers: [(Answer, &str); 4] = [
        (
            || Reply::Error(-32_000, "missing trie node"),
            "missing trie node",
        ),
        (
            || Reply::Result(json!("more than a number")),
            "another shape",
        ),
        (|| Reply::Result(json!({"balance": []})), "another shape"),
        (
            || Reply::Result(json!(format!("0x{}", "f".repeat(100)))),
            "another shape",
        ),
    ];
    for (answer, said) in answers {
        let rig = rig(
            |_| {},
            move |request| match request.method.as_str() {
                "eth_chainId" => None,
                "debug_traceCall" => Some(Reply::Error(-32_000, "no trace")),
                _ => Some(answer()),
            },
        );
        let failure = rig.failure(1);
        assert_eq!(failure.kind, FailureKind::State);
        // Over a WebSocket a node's words are not repeated: they may hold a key.
        let refused = failure.reason.contains("refused");
        assert!(
            failure.reason.contains(said) || refused,
            "{}",
            failure.reason
        );
    }
}

/// What a node tells where the sender's first transaction is in block 2, and raised the contract's slot from 7 to 8.
fn mined_in_the_second(request: &Request) -> Option<Reply> {
    let at = |request: &Request| {
        request.params.as_array()?.last()?["blockHash"]
            .as_str()?
            .parse()
            .ok()
    };
    let first = at(request) == Some(head(1).hash);
    Some(Reply::Result(match request.method.as_str() {
        "debug_traceCall" => return Some(Reply::Error(-32_601, "no such method")),
        "eth_getTransactionCount" if request.params[0] == json!(SENDER.to_string()) => {
            json!(if first { "0x0" } else { "0x1" })
        }
        "eth_getStorageAt" => json!(B256::with_last_byte(if first { 7 } else { 8 })),
        _ => return state_of_the_contract(request),
    }))
}

#[test]
fn what_the_head_has_already_is_looked_at_on_the_state_that_it_met() {
    let rig = rig(|_| {}, mined_in_the_second);
    let diff = |account: Address, before: Value, after: Value| {
        (
            json!({account.to_string(): before}),
            json!({account.to_string(): after}),
        )
    };
    let (pre, post) = diff(SENDER, json!({"nonce": 0}), json!({"nonce": 1}));
    let (of_contract, raised) = diff(
        CONTRACT,
        json!({"storage": {B256::ZERO.to_string(): B256::with_last_byte(7)}}),
        json!({"storage": {B256::ZERO.to_string(): B256::with_last_byte(8)}}),
    );
    let told = json!([{"result": {"pre": pre, "post": post}}, {"result": {"pre": of_contract, "post": raised}}]);
    let told = block_diffs(told.to_string().as_bytes()).unwrap();
    rig.state.advance(head(2), Changes::Told(told, Vec::new()));
    let slot_read = |done: &SimulationResult| {
        let executed = done.record.as_ref().unwrap().executed.as_ref().unwrap();
        let read = executed.state().storage_ref(CONTRACT, U256::ZERO);
        (executed.environment().unwrap().block.number, read.unwrap())
    };
    let mined = rig.simulate(0);
    assert!(mined.record.as_ref().unwrap().mined);
    assert_eq!(slot_read(&mined), (U256::from(2), U256::from(7)));
    assert!(mined.result.unwrap().complete);
    let pending = rig.simulate(1);
    assert!(!pending.record.as_ref().unwrap().mined);
    assert_eq!(slot_read(&pending), (U256::from(3), U256::from(8)));
}

#[test]
fn a_head_that_moves_during_a_simulation_has_it_begin_anew() {
    let (moved, state) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(std::sync::OnceLock::new()),
    );
    let (moves, shared) = (moved.clone(), state.clone());
    let rig = rig(
        |_| {},
        move |request| {
            if request.method == "debug_traceCall" {
                return Some(Reply::Error(-32_000, "no trace"));
            }
            if request.method == "eth_getStorageAt" && moves.fetch_add(1, SeqCst) == 0 {
                let state: &Arc<HeadState> = shared.get().expect("set before");
                state.advance(head(2), Changes::Unknown);
            }
            state_of_the_contract(request)
        },
    );
    state.set(rig.state.clone()).ok();
    let simulation = rig.simulate(1).result.expect("on the new head");
    assert_eq!(simulation.block, 3);
    assert_eq!(moved.load(SeqCst), 2);
}

#[test]
fn a_head_that_never_rests_ends_in_a_reason() {
    let (number, state) = (
        Arc::new(AtomicUsize::new(1)),
        Arc::new(std::sync::OnceLock::new()),
    );
    let shared = state.clone();
    let rig = rig(
        |_| {},
        move |request| {
            if request.method == "debug_traceCall" {
                return Some(Reply::Error(-32_000, "no trace"));
            }
            if request.method == "eth_getStorageAt" {
                let state: &Arc<HeadState> = shared.get().expect("set before");
                let next = number.fetch_add(1, SeqCst) as u64 + 1;
                state.advance(head(next), Changes::Unknown);
            }
            state_of_the_contract(request)
        },
    );
    state.set(rig.state.clone()).ok();
    let failure = rig.failure(1);
    assert_eq!(failure.kind, FailureKind::State);
    assert!(failure.reason.contains("moved"), "{}", failure.reason);
}

/// The same pool on another state.
fn beside(rig: &Rig, state: &Arc<HeadState>) -> (Pool, ItemReceiver) {
    let (items, inbox) = queue(&Limits::default(), rig.stats.clone());
    let config = SimulationConfig {
        deadline_ms: 1_500,
        ..SimulationConfig::default()
    };
    let pool = Pool::start(
        &config,
        vec![simulator(&config)],
        state.clone(),
        Arc::default(),
        rig.pool.shared.asker.clone(),
        items,
        rig.stats.clone(),
        false,
    );
    (pool.unwrap(), inbox)
}

#[test]
fn before_the_first_head_a_suspect_waits_for_it_as_long_as_it_may() {
    let rig = rig(|_| {}, state_of_the_contract);
    let state = Arc::new(HeadState::new(1_000));
    let (pool, inbox) = beside(&rig, &state);
    let next = || match inbox.recv_timeout(Duration::from_secs(10)) {
        Some(Item::Simulated(done)) => done.result,
        _ => panic!("no result in time"),
    };
    assert_eq!(pool.offer(suspect(1)), None);
    assert_eq!(next().unwrap_err().kind, FailureKind::NotReady);
    assert_eq!(pool.offer(suspect(2)), None);
    assert!(inbox.recv_timeout(Duration::from_millis(20)).is_none());
    state.advance(head(1), Changes::Unknown);
    assert_eq!(next().expect("comes to its end").block, 2);
}

#[test]
fn an_absurd_suspect_ends_as_one_that_no_block_can_hold() {
    let rig = rig(|_| {}, state_of_the_contract);
    let mut absurd = suspect(1);
    let tx = Arc::get_mut(&mut absurd.tx).unwrap();
    (tx.gas, tx.value, tx.nonce) = (u64::MAX, U256::MAX, u64::MAX);
    tx.max_fee_per_gas = u128::MAX;
    assert_eq!(rig.pool.offer(absurd), None);
    let simulation = rig.result().result.expect("has an outcome");
    assert!(
        simulation.outcome.starts_with("invalid"),
        "{}",
        simulation.outcome
    );
    assert!(!simulation.succeeded);
}

/// JUMPDEST PUSH0 JUMP.
const LOOP: &str = "0x5b5f56";

#[test]
fn what_takes_too_long_by_itself_is_told_from_what_waits_for_a_node() {
    let rig = rig(
        |config| (config.deadline_ms, config.gas) = (2_000, 1 << 40),
        |request| match request.method.as_str() {
            "debug_traceCall" => {
                let mut state = prestate();
                state[CONTRACT.to_string()]["code"] = json!(LOOP);
                Some(Reply::Result(state))
            }
            _ => state_of_the_contract(request),
        },
    );
    // Where others take the processor meanwhile it need not have its share at once.
    let found = (1..=10).any(|nonce| {
        let mut endless = suspect(nonce);
        Arc::get_mut(&mut endless.tx).unwrap().gas = 1 << 40;
        assert!(rig.pool.offer(endless).is_none());
        let failure = rig.result().result.expect_err("does not end");
        assert!(failure.reason.contains("deadline"), "{failure:?}");
        failure.kind == FailureKind::Budget
    });
    assert!(found);
}

/// Reads its slots from `count` down to one: PUSH1 count; at 2: DUP1 SLOAD POP, one less, again.
fn reads(count: u8) -> String {
    format!("0x60{count:02x}5b805450600190038060025700")
}

#[test]
fn what_reads_much_that_its_node_did_not_foresee_is_told_from_what_is_late() {
    for (count, kind) in [(10, None), (100, Some(FailureKind::Budget))] {
        let rig = rig(
            |_| {},
            move |request| match request.method.as_str() {
                "debug_traceCall" => {
                    let mut state = prestate();
                    state[CONTRACT.to_string()]["code"] = json!(reads(count));
                    Some(Reply::Result(state))
                }
                _ => state_of_the_contract(request),
            },
        );
        let mut reader = suspect(1);
        Arc::get_mut(&mut reader.tx).unwrap().gas = 1_000_000;
        assert_eq!(rig.pool.offer(reader), None);
        let result = rig.result().result;
        assert_eq!(result.err().map(|failure| failure.kind), kind);
        let asked = rig.node.requests("eth_getStorageAt");
        assert_eq!(asked, usize::from(count).min(UNFORESEEN));
    }
}

#[test]
fn the_node_is_asked_in_the_surroundings_that_are_simulated() {
    let rig = rig(|_| {}, state_of_the_contract);
    assert!(rig.simulate(1).result.is_ok());
    let log = rig.node.log.lock().unwrap();
    let asked = log.iter().find(|request| request.0 == "debug_traceCall");
    let overrides = &asked.expect("asked").1[2]["blockOverrides"];
    assert_eq!(overrides["number"], json!("0x2"));
    assert_eq!(overrides["feeRecipient"], json!(MINER));
}

#[test]
fn on_a_state_that_is_some_blocks_old_nothing_is_judged() {
    let rig = rig(|_| {}, state_of_the_contract);
    rig.state.announce(3);
    assert!(rig.simulate(1).result.is_ok());
    rig.state.announce(4);
    assert_eq!(rig.failure(2).kind, FailureKind::NotReady);
}

#[test]
fn what_was_fetched_for_a_suspect_that_is_not_executed_gives_its_room_back() {
    let state = Arc::new(std::sync::OnceLock::<Arc<HeadState>>::new());
    let shared = state.clone();
    let rig = rig(
        |_| {},
        move |request| {
            if request.method == "debug_traceCall" {
                // The answer finds a state that is too old by now.
                shared.get().expect("set before").announce(9);
            }
            state_of_the_contract(request)
        },
    );
    state.set(rig.state.clone()).ok();
    for nonce in 1..=2 {
        // When the second one has its result, the first one's job is gone.
        assert_eq!(rig.failure(nonce).kind, FailureKind::NotReady);
    }
    assert_eq!(rig.node.requests("debug_traceCall"), 1);
    let fetched = &rig.pool.shared.fetched;
    assert_eq!(fetched.bytes(), 0);

    let past = Instant::now();
    let mut late = Job::new(suspect(3), past, past);
    late.fetched = Some((head(1).hash, fetched.hold(vec![0; 100].into())));
    assert_eq!(fetched.bytes(), 100);
    let mut simulator = simulator(&SimulationConfig::default());
    rig.pool.shared.attempt(&mut simulator, late);
    assert_eq!(rig.result().result.unwrap_err().kind, FailureKind::Deadline);
    assert_eq!(fetched.bytes(), 0);
}

#[test]
fn what_the_next_block_writes_first_is_there_when_it_is_asked_for() {
    use crate::simulate::state::head::{BEACON_ROOTS, HISTORY};
    let mut block = head(9_000);
    block.next.fork = SpecId::PRAGUE;
    block.next.block.timestamp = U256::from(1_800_000_000);
    let state = HeadState::new(10);
    state.advance(block.clone(), Changes::Unknown);
    let view = Snapshot::new(&state, &block, None);
    let at = 1_800_000_000_u64 % 8_191;
    let read = |address, slot| view.storage_ref(address, U256::from(slot));
    assert_eq!(read(BEACON_ROOTS, at), Ok(U256::from(1_800_000_000)));
    assert!(!read(BEACON_ROOTS, at + 8_191).unwrap().is_zero());
    assert_eq!(read(HISTORY, 9_000 % 8_191), Ok(block.hash.into()));
    assert_eq!(read(HISTORY, 1), Err(StateError::Unknown));
}

#[test]
fn what_others_prepare_counts_as_far_as_the_next_block_can_have_it() {
    let rig = rig(|_| {}, state_of_the_contract);
    let mut dear = head(2);
    dear.next.block.basefee = 10;
    rig.state.advance(dear, Changes::Unknown);
    let of_another = |sender: u8, fee: u128| {
        let tx = PendingTransaction {
            hash: B256::repeat_byte(sender),
            from: Address::repeat_byte(sender),
            to: Some(CONTRACT),
            gas: 100_000,
            max_fee_per_gas: fee,
            ..PendingTransaction::default()
        };
        Earlier {
            fingerprint: 0,
            tx: Arc::new(tx),
            original: None,
        }
    };
    for (among_others, counted) in [(true, vec![2]), (false, vec![1, 2])] {
        let suspect = Suspect {
            before: vec![of_another(1, 9), of_another(2, 10)],
            among_others,
            ..suspect(0)
        };
        assert_eq!(rig.pool.offer(suspect), None);
        let done = rig.result().result.expect("comes to its end");
        let counted: Vec<_> = counted.into_iter().map(B256::repeat_byte).collect();
        assert_eq!(done.before_hashes, counted);
    }
}
