use super::*;
use crate::config::{Limits, PauseCheck};
use crate::feed::tests::node::{FakeNode, Reply, Request};
use crate::inbox::queue::queue;
use crate::simulate::evm::told::bytecode;
use crate::simulate::state::RecordedState;
use crate::simulate::state::head::Changes;
use crate::stats::Stats;
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use serde_json::json;

const GUARDIAN: Address = Address::repeat_byte(0x9a);
const VAULT: Address = Address::repeat_byte(0xc0);
fn environment() -> Environment {
    let mut environment = Environment::unknown(1);
    environment.fork = SpecId::OSAKA;
    environment.block.gas_limit = 60_000_000;
    environment.block.basefee = 7;
    environment
}

/// CALLDATASIZE JUMPI pause; else MSTORE(0, SLOAD 0) RETURN. pause: SLOAD 0 JUMPI fail; SSTORE(0, 1) STOP. fail: REVERT.
fn code() -> Bytes {
    let code = "36600c575f545f5260205ff35b5f546018576001600055005b5f5ffd";
    hex::decode(code).unwrap().into()
}

fn pause(gas: Option<u64>) -> Pause {
    Pause {
        from: GUARDIAN,
        to: VAULT,
        input: Bytes::from_static(&[1]),
        value: U256::ZERO,
        gas,
        check: Some(PauseCheck {
            to: VAULT,
            input: Bytes::new(),
        }),
    }
}

fn state(paused: u64) -> RecordedState {
    let mut state = RecordedState::default();
    let code = bytecode(code());
    let vault = state.accounts.entry(VAULT).or_default();
    (vault.info.code_hash, vault.info.code) = (code.hash_slow(), None);
    vault.storage.insert(U256::ZERO, U256::from(paused));
    state.codes.insert(vault.info.code_hash, code);
    state
}

fn rehearsed(state: &RecordedState, pause: &Pause) -> Rehearsal {
    let bounds = Bounds {
        deadline: Instant::now() + Duration::from_secs(10),
        frames: 100,
        bytes: 1_000,
        accesses: 100,
    };
    rehearse(state, &environment(), (&"Vault".into(), pause), bounds).unwrap()
}

#[test]
fn a_pause_that_works_tells_its_gas_by_todays_rules_and_by_the_next_ones() {
    let done = rehearsed(&state(0), &pause(None));
    assert!(done.succeeds && !done.paused, "{done:?}");
    assert_eq!(done.reason, None);
    let (today, amsterdam) = (done.gas.unwrap(), done.gas_amsterdam.unwrap());
    assert!((43_000..50_000).contains(&today), "{today}");
    // EIP-8037: a fresh slot costs state gas.
    assert!(amsterdam > 100_000, "{amsterdam}");
}

#[test]
fn a_limit_that_is_too_low_shows_and_what_it_would_need_later() {
    let done = rehearsed(&state(0), &pause(Some(30_000)));
    assert!(!done.succeeds && done.gas.is_none());
    assert_eq!(done.reason.as_deref(), Some("halted: out of gas"));
    assert!(done.gas_amsterdam.is_some());
}

#[test]
fn what_is_paused_already_says_so() {
    let done = rehearsed(&state(1), &pause(None));
    assert!(!done.succeeds && done.paused);
    assert_eq!(done.reason.as_deref(), Some("paused already; reverted"));
}

#[test]
fn a_call_that_does_not_pause_is_none() {
    let mut pays = pause(None);
    pays.to = GUARDIAN;
    let done = rehearsed(&state(0), &pays);
    assert!(!done.succeeds);
    assert!(done.reason.unwrap().contains("check"));
}

fn node(request: &Request) -> Option<Reply> {
    Some(Reply::Result(match request.method.as_str() {
        "eth_getBalance" | "eth_getTransactionCount" => json!("0x0"),
        "eth_getCode" if request.params[0] == json!(VAULT.to_string()) => json!(code()),
        "eth_getCode" => json!("0x"),
        "eth_getStorageAt" => json!(B256::ZERO),
        _ => return None,
    }))
}

#[test]
fn each_head_is_rehearsed_on_and_what_was_read_is_at_hand() {
    let node = FakeNode::start(node);
    let stats = Arc::new(Stats::default());
    let (items, _inbox) = queue(&Limits::default(), stats.clone());
    let asker = node.asker(stats, items);
    let (head, results) = (
        Arc::new(HeadState::new(1_000)),
        Arc::new(Rehearsals::default()),
    );
    let contract = MonitoredContract {
        name: "Vault".into(),
        address: VAULT,
        pause: Some(pause(None)),
        ..MonitoredContract::default()
    };
    let stage = Stage::new(
        &[contract, MonitoredContract::default()],
        &SimulationConfig::default(),
        head.clone(),
        Arc::default(),
        asker,
        results.clone(),
    );
    assert_eq!(
        results.latest().len(),
        1,
        "who has no pause is not rehearsed"
    );
    assert!(!results.latest()[0].succeeds);
    let heads = stage.start().unwrap().expect("has a pause");
    let block = |number: u64| HeadBlock {
        number,
        hash: B256::with_last_byte(number as u8),
        parent: B256::with_last_byte(number as u8 - 1),
        timestamp: 0,
        next: environment(),
    };
    let mut asked = 0;
    for (number, changes) in [
        (1, Changes::Unknown),
        (2, Changes::Told(Vec::new(), Vec::new())),
    ] {
        head.advance(block(number), changes);
        heads.send(()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while results.latest()[0].block < number {
            assert!(Instant::now() < deadline, "{:?}", results.latest());
            std::thread::sleep(Duration::from_millis(2));
        }
        let latest = &results.latest()[0];
        assert!(latest.succeeds && latest.at_ms > 0, "{latest:?}");
        let before = std::mem::replace(&mut asked, node.requests("eth_getStorageAt"));
        assert_eq!(asked - before, usize::from(number == 1), "block {number}");
    }
}
