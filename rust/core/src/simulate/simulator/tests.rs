//! Sequences and verdicts on the demo's compiled contracts.

use super::*;
use crate::simulate::backend::Local;
use crate::simulate::state::RecordedState;
use alloy_primitives::{B256, U256, hex, keccak256};
use revm::bytecode::Bytecode;
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use std::time::Duration;

const ADMIN: Address = Address::repeat_byte(0xad);
const ALICE: Address = Address::repeat_byte(0xa1);
const MALLORY: Address = Address::repeat_byte(0x3a);
const ETHER: u64 = 1_000_000_000_000_000_000;

fn environment() -> Environment {
    Environment {
        fork: SpecId::CANCUN,
        block: BlockEnv {
            gas_limit: 60_000_000,
            beneficiary: Address::repeat_byte(0x31),
            timestamp: U256::from(1_800_000_000),
            ..Environment::unknown(1).block
        },
        ..Environment::unknown(1)
    }
}

fn rich() -> RecordedState {
    let mut state = RecordedState::default();
    for person in [ADMIN, ALICE, MALLORY] {
        let account = state.accounts.entry(person).or_default();
        account.info.balance = U256::from(ETHER) * U256::from(100);
    }
    state
}

fn init_code(artifact: &str, argument: Address) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../python/mempool_ids/demo/artifacts"
    );
    let text = std::fs::read(format!("{folder}/{artifact}.json")).expect("an artifact");
    let artifact: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let mut code = hex::decode(artifact["bytecode"].as_str().expect("bytecode")).expect("hex");
    code.extend_from_slice(argument.into_word().as_slice());
    code
}

fn sends(
    from: Address,
    nonce: u64,
    to: Option<Address>,
    wei: u64,
    input: Vec<u8>,
) -> PendingTransaction {
    PendingTransaction {
        hash: B256::left_padding_from(&[from[0], nonce as u8]),
        from,
        nonce,
        to,
        value: U256::from(wei),
        gas: 5_000_000,
        input,
        ..PendingTransaction::default()
    }
}

fn calls(function: &str) -> Vec<u8> {
    keccak256(function)[..4].to_vec()
}

/// A vault with Alice's ten ether, Mallory's contract, and with `pause` the guardian's answer; the attack is the last.
fn story(pause: bool) -> Vec<PendingTransaction> {
    let (vault, attacker) = (ADMIN.create(0), MALLORY.create(0));
    let mut all = vec![
        sends(ADMIN, 0, None, 0, init_code("Vault", ADMIN)),
        sends(ALICE, 0, Some(vault), 10 * ETHER, calls("deposit()")),
        sends(MALLORY, 0, None, 0, init_code("Attacker", vault)),
    ];
    if pause {
        all.push(sends(ADMIN, 1, Some(vault), 0, calls("pause()")));
    }
    all.push(sends(
        MALLORY,
        1,
        Some(attacker),
        2 * ETHER,
        calls("attack()"),
    ));
    all
}

fn simulate(sequence: &[PendingTransaction]) -> Simulation {
    let contract = MonitoredContract {
        name: "Vault".into(),
        address: ADMIN.create(0),
        ..MonitoredContract::default()
    };
    let limits = SimulationConfig::default();
    let mut simulator = Simulator::new(&[contract], &limits, None, Arc::default()).unwrap();
    let extras = Extras::default();
    let step = |tx| Step {
        tx,
        extras: &extras,
    };
    let steps: Vec<_> = sequence.iter().map(step).collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    let state = rich();
    simulator
        .simulate(&Local(&state), &environment(), &steps, deadline)
        .expect("comes to its end")
}

#[test]
fn an_attack_on_what_the_transactions_before_it_made_is_judged_by_what_it_takes() {
    let attack = simulate(&story(false));
    assert!(attack.succeeded && attack.harm > 0.9, "{attack:?}");
    assert_eq!(attack.losses.len(), 1);
    assert_eq!(attack.losses[0].amount, U256::from(10 * ETHER));
    assert_eq!(attack.before, ["succeeded", "succeeded", "succeeded"]);
    assert_eq!(attack.touched, ["Vault".into()]);
    assert!(attack.complete && attack.watched && attack.acted);
}

#[test]
fn a_pause_before_the_attack_takes_its_harm() {
    let attack = simulate(&story(true));
    assert_eq!(attack.before.len(), 4);
    assert_eq!((&*attack.outcome, attack.harm), ("reverted", 0.0));
    assert_eq!(attack.losses, []);
    // The pause itself went through.
    assert_eq!(attack.before[3], "succeeded");
}

#[test]
fn without_its_predecessors_an_attack_runs_into_nothing_and_proves_nothing() {
    let story = story(false);
    let alone = simulate(&story[3..]);
    assert!(alone.succeeded && !alone.complete, "{alone:?}");
    assert!(!alone.decides());
    assert_eq!(alone.verdict(0.9), 0.9);
}

/// PUSH2 16128; at 3: log Transfer(caller, 0x1000 + n % 200), call it with four bytes, count n down to zero.
fn touches_many() -> Vec<u8> {
    let mut code = hex::decode("613f005b60c881066110000180337f").unwrap();
    code.extend(keccak256("Transfer(address,address,uint256)"));
    code.extend(hex::decode("60205fa35f5f60045f5f855af15050600190038060035700").unwrap());
    code
}

#[test]
fn a_transaction_that_takes_too_long_to_judge_has_no_verdict_instead_of_half_a_one() {
    let (mut state, hub) = (rich(), Address::repeat_byte(0x77));
    let mut put = |address: Address, code: Vec<u8>| {
        let code = Bytecode::new_raw(code.into());
        let info = AccountInfo {
            code_hash: code.hash_slow(),
            code: None,
            ..AccountInfo::default()
        };
        state.codes.insert(info.code_hash, code);
        state.accounts.entry(address).or_default().info = info;
    };
    put(hub, touches_many());
    let contracts = (0x1000..0x10c8_u64).map(|n| MonitoredContract {
        name: n.to_string(),
        address: Address::left_padding_from(&n.to_be_bytes()),
        ..MonitoredContract::default()
    });
    let contracts: Vec<_> = contracts.collect();
    contracts.iter().for_each(|one| put(one.address, vec![0]));
    let limits = SimulationConfig::default();
    let mut simulator = Simulator::new(&contracts, &limits, None, Arc::default()).unwrap();
    let tx = PendingTransaction {
        gas: limits.gas,
        ..sends(MALLORY, 0, Some(hub), 0, vec![])
    };
    let (state, extras) = (Local(&state), Extras::default());
    let step = Step {
        tx: &tx,
        extras: &extras,
    };
    let deadline = Instant::now() + Duration::from_millis(limits.deadline_ms);
    let done = simulator.simulate(&state, &environment(), &[step], deadline);
    let Err(Unfinished::Failed(failure)) = done else {
        panic!("{done:?}");
    };
    assert_eq!(failure.kind, FailureKind::Deadline);
    assert!(failure.touched);
}
