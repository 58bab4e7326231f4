//! Sequences and verdicts on the demo's compiled contracts.

mod asking;

use super::*;
use crate::evidence::{Answer, Grade};
use crate::simulate::evm::backend::Local;
use crate::simulate::evm::views::NoViews;
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
            basefee: 8,
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

/// Of the vault, and without a model.
fn simulator() -> Simulator {
    simulator_of(None)
}

fn simulator_of(pause: Option<crate::config::Pause>) -> Simulator {
    let contract = MonitoredContract {
        name: "Vault".into(),
        address: ADMIN.create(0),
        pause,
        ..MonitoredContract::default()
    };
    let limits = SimulationConfig::default();
    Simulator::new(
        &[contract],
        &limits,
        Arc::new(ChainSpec::of(1)),
        None,
        Arc::default(),
        0.7,
    )
    .unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn simulate(sequence: &[PendingTransaction]) -> Simulation {
    simulate_on(&rich(), sequence)
}

fn simulate_on(state: &RecordedState, sequence: &[PendingTransaction]) -> Simulation {
    let extras = Extras::default();
    let step = |tx| Step {
        tx,
        extras: &extras,
    };
    let steps: Vec<_> = sequence.iter().map(step).collect();
    simulator()
        .simulate(&Local(state), &environment(), &steps, 0.0, soon())
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
    // Others come before it, and its explanations say so.
    let hashes: Vec<_> = story(false)[..3].iter().map(|tx| tx.hash).collect();
    assert_eq!(attack.before_hashes, hashes);
    let said = format!("; after {} and 1 more of others", hashes[0]);
    assert!(
        attack
            .violations
            .iter()
            .all(|broken| broken.explanation.ends_with(&said))
    );
}

#[test]
fn after_others_who_pay_less_for_their_place_nothing_is_proved() {
    // Two others are before it; of what is paid, eight is the base fee.
    for (others, own, grade) in [
        ((100, 3), (100, 2), Grade::Proved),
        ((100, 2), (100, 2), Grade::Proved),
        // An honest exit that is in no hurry, with a high fee and no tip, is made to come first.
        ((1_000, 0), (100, 2), Grade::Likely),
        ((9, 5), (100, 2), Grade::Likely),
        ((100, 2), (9, 5), Grade::Proved),
    ] {
        let mut story = story(false);
        let by_mallory = |tx: &PendingTransaction| tx.from == MALLORY;
        for tx in &mut story {
            let (fee, tip) = if by_mallory(tx) { own } else { others };
            (tx.max_fee_per_gas, tx.max_priority_fee_per_gas) = (fee, tip);
        }
        assert_eq!(simulate(&story).grade(), grade, "{others:?} {own:?}");
        // Of its own sender's the order is given; and what others pay less for, and changes nothing, is noise.
        story[2].max_priority_fee_per_gas = 0;
        let noise = Address::repeat_byte(0xee);
        story.insert(2, sends(noise, 0, Some(MALLORY), 0, Vec::new()));
        let noisy = simulate(&story);
        assert_eq!((noisy.before.len(), noisy.grade()), (4, grade));
    }
}

/// A contract whose call takes memory of eight million gas, and keeps what comes with it; and that call.
fn burns(nonce: u64) -> [PendingTransaction; 2] {
    // PUSH3 2 MiB MLOAD STOP.
    let code = hex!("6462200000515f526005601bf3").into();
    let mut call = sends(ALICE, nonce + 1, Some(ALICE.create(nonce)), 1, Vec::new());
    call.gas = 60_000_000;
    [sends(ALICE, nonce, None, 0, code), call]
}

#[test]
fn what_others_burn_before_a_suspect_is_bounded_by_one_budget_for_all() {
    let payment = sends(MALLORY, 0, Some(ADMIN), 1, Vec::new());
    let ended = |count: u64| {
        let all = (0..count).flat_map(|n| burns(2 * n));
        let all: Vec<_> = all.chain([payment.clone()]).collect();
        let done = simulate(&all);
        assert!(done.succeeded);
        let calls = done.before.into_iter().skip(1).step_by(2);
        calls.map(|ended| ended == "succeeded").collect::<Vec<_>>()
    };
    // A few have what they need; a crowd does not.
    assert_eq!(ended(1), [true]);
    assert_eq!(ended(2), [true; 2]);
    assert_eq!(ended(16), [false; 16]);
}

#[test]
fn a_preparation_that_burns_gas_on_purpose_hides_nothing() {
    // BALANCE(what burns): it has what came with the call, if that came to its end.
    let burner = hex::encode(ALICE.create(1));
    let condition = hex::decode(format!("73{burner}31")).expect("hex");
    let fires = sends(MALLORY, 0, None, 2 * ETHER, attacks_where(&condition));
    let [creation, arms] = burns(1);
    let mut story = story(false);
    story.truncate(2);
    story.extend([creation, arms, fires]);
    let attack = simulate(&story);
    assert!(attack.harm > 0.9, "{attack:?}");
    assert_eq!(attack.grade(), Grade::Proved);
    // Where it is not armed it takes nothing, however much was burned.
    story[3].value = U256::ZERO;
    let idle = simulate(&story);
    assert_eq!((idle.harm, &*idle.before[3]), (0.0, "succeeded"));
}

/// A token that says of whoever calls it that it paid Mallory, and answers no question: it makes calls for ever.
fn crowding() -> Vec<u8> {
    let event = keccak256("Transfer(address,address,uint256)");
    let (to, event) = (hex::encode(MALLORY), hex::encode(event));
    let says = format!("60055f5273{to}337f{event}60205fa300");
    hex::decode(format!("36604457{says}5b5f5f5f5f5f60045af150604456")).expect("hex")
}

#[test]
fn what_a_thief_leaves_unanswered_makes_nothing_harmless_and_no_proof_less() {
    let (store, token) = (ADMIN.create(0), Address::repeat_byte(0x70));
    // It calls a token that it has in its code, and then pays its caller the half of what it has, or nothing.
    let calls = [&hex!("5f5f5f5f5f73")[..], token.as_slice(), &hex!("5af150")].concat();
    let pays = hex!("5f5f5f5f60024704335af100");
    for (pays, harms) in [(&pays[..], true), (&[], false)] {
        let mut state = rich();
        for (address, code) in [(store, [&calls[..], pays].concat()), (token, crowding())] {
            let info = &mut state.accounts.entry(address).or_default().info;
            info.balance = U256::from(10 * ETHER);
            (info.code, info.code_hash) = (None, keccak256(&code));
            let code = Bytecode::new_raw(code.into());
            state.codes.insert(info.code_hash, code);
        }
        let done = simulate_on(&state, &[sends(MALLORY, 0, Some(store), 0, Vec::new())]);
        assert!(done.exhausted && !done.decides(), "{done:?}");
        let severe = done.violations.iter().any(|broken| broken.severe);
        assert_eq!((severe, done.grade() == Grade::Proved), (harms, harms));
        assert!(harms || done.verdict(0.9) == 0.9);
    }
}

#[test]
fn who_has_to_do_with_a_monitored_contract_is_told() {
    let vault = ADMIN.create(0);
    assert_eq!(simulate(&story(false)).leads, [(MALLORY.create(0), vault)]);
    assert!(
        simulate(&story(false)[..2]).leads.is_empty(),
        "who sends is no contract"
    );
    // SSTORE(0, CALLDATALOAD(0)).
    let keeps = sends(ALICE, 0, None, 0, hex!("645f355f55005f526005601bf3").into());
    let stores = |word: U256| {
        let input = word.to_be_bytes_vec();
        sends(ALICE, 1, Some(ALICE.create(0)), 0, input)
    };
    let word = U256::from_be_bytes(vault.into_word().0);
    let leads = |word| simulate(&[keeps.clone(), stores(word)]).leads;
    assert_eq!(leads(word), [(ALICE.create(0), vault)]);
    let packed = (word << 88) | U256::ONE;
    assert_eq!(leads(packed), [(ALICE.create(0), vault)]);
    assert!(leads(word >> 8).is_empty());
}

#[test]
fn who_was_told_of_a_monitored_contract_has_nothing_to_do_with_it() {
    let vault = ADMIN.create(0);
    let hub = MALLORY.create(0);
    // CALL(CALLDATALOAD(0)), and CALL(hub, the word) by who knows whom to name.
    let calls = hex!("695f5f5f5f5f5f355af1005f52600a6016f3");
    let calls = sends(MALLORY, 0, None, 0, calls.into());
    let names = |of: Address| of.into_word().to_vec();
    let direct = sends(ALICE, 0, Some(hub), 0, names(vault));
    assert!(simulate(&[calls.clone(), direct]).leads.is_empty());
    let code = [
        &hex!("73")[..],
        vault.as_slice(),
        &hex!("5f525f5f60205f5f73"),
        hub.as_slice(),
        &hex!("5af100"),
    ]
    .concat();
    // PUSH1 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN.
    let init = [
        &[
            0x60,
            code.len() as u8,
            0x80,
            0x60,
            0x0a,
            0x5f,
            0x39,
            0x5f,
            0xf3,
        ][..],
        &[0],
        &code,
    ]
    .concat();
    let knows = sends(ALICE, 0, None, 0, init);
    let fires = sends(ALICE, 1, Some(ALICE.create(0)), 0, Vec::new());
    let leads = simulate(&[calls, knows, fires]).leads;
    assert_eq!(leads, [(ALICE.create(0), vault)], "and not the hub");
}

#[test]
fn what_is_read_and_written_is_told_with_the_contracts_that_were_called() {
    let attack = simulate(&story(false));
    let deposit = simulate(&story(false)[..2]);
    assert!(
        attack.accesses.hangs_on(&deposit.accesses),
        "the balance that it takes"
    );
    assert_eq!(attack.accesses.contracts, [MALLORY.create(0)]);
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

#[test]
fn behind_a_nonce_that_is_not_known_a_creation_still_has_its_address() {
    let mut story = story(false);
    let attacker = MALLORY.create(5);
    (story[2].nonce, story[3].nonce) = (5, 6);
    story[3].to = Some(attacker);
    let attack = simulate(&story);
    assert!(attack.harm > 0.9, "{attack:?}");
    assert_eq!(attack.losses[0].amount, U256::from(10 * ETHER));
    assert!(!attack.complete, "what comes before is not known");
}

/// The last of them, after the others.
fn executed(sequence: &[PendingTransaction]) -> Execution {
    let (state, mut simulator) = (rich(), simulator());
    let bounds = Bounds {
        deadline: soon(),
        frames: 1_000,
        bytes: 1 << 20,
        accesses: 1_000,
    };
    let all = sequence.iter();
    let all: Vec<_> = all.map(|tx| from_pending(tx, Extras::default())).collect();
    let (run, _) = simulator
        .run(&Local(&state), &environment(), &all, bounds)
        .expect("comes to its end");
    run.execution
}

#[test]
fn what_is_not_judged_in_time_has_no_verdict_instead_of_half_a_one() {
    let execution = executed(&story(false));
    let (transfers, stands) = (execution.trace.movements(), execution.trace.stands());
    let judged = |deadline| {
        simulator()
            .check(&execution, &transfers, &stands, MALLORY, &NoViews, deadline)
            .map(|found| found.violations)
    };
    assert!(!judged(soon()).expect("in time").is_empty());
    assert_eq!(judged(Instant::now()), None);
}

/// Init code that attacks the vault where `condition` leaves anything but zero, and else does nothing.
fn attacks_where(condition: &[u8]) -> Vec<u8> {
    let attacker = init_code("Attacker", ADMIN.create(0));
    let word = |n: usize| hex::encode(u16::try_from(n).expect("short").to_be_bytes());
    let (head, length) = (condition.len() + 5, word(attacker.len()));
    // PUSH2 head, JUMPI, STOP; JUMPDEST; CODECOPY and CREATE of what follows; MSTORE of the selector; CALL with the value.
    let body = |at: usize| {
        let (head, at) = (word(head), word(at));
        let selector = hex::encode(calls("attack()"));
        let create = format!("61{length}61{at}5f3961{length}5f5ff0");
        let call = format!("63{selector}60e01b5f525f5f60045f34855af100");
        hex::decode(format!("61{head}57005b{create}{call}")).expect("hex")
    };
    let at = condition.len() + body(0).len();
    [condition, &body(at), &attacker].concat()
}

/// The vault with Alice's ten ether, then what Mallory creates.
fn trap(condition: &str) -> Simulation {
    let condition = hex::decode(condition).expect("hex");
    let mut story = story(false);
    story.truncate(2);
    story.push(sends(
        MALLORY,
        0,
        None,
        2 * ETHER,
        attacks_where(&condition),
    ));
    simulate(&story)
}

#[test]
fn code_that_behaves_while_it_is_watched_is_watched_from_several_sides() {
    let always = trap("6001");
    assert!(
        always.harm > 0.9 && always.variations.is_empty(),
        "{always:?}"
    );
    for (of, condition) in [
        // COINBASE == …
        ("coinbase", "7395222290dd7278aa3ddd389cc1e1d165cc4bafe54114"),
        // TIMESTAMP > 1,800,000,001
        ("time", "636b49d2014211"),
        // NUMBER > 100
        ("time", "60644311"),
        // BASEFEE < 4
        ("price", "60044810"),
        // GASLIMIT > 60,000,001
        ("gas limit", "63039387014511"),
        // COINBASE == … and TIMESTAMP > 1,800,000,001
        (
            "all",
            "7395222290dd7278aa3ddd389cc1e1d165cc4bafe54114636b49d201421116",
        ),
    ] {
        let trap = trap(condition);
        assert_eq!((trap.harm, &*trap.outcome), (0.0, "succeeded"), "{of}");
        let found: Vec<_> = trap.variations.iter().map(|v| v.of).collect();
        assert_eq!(found, [of]);
        assert!(trap.verdict(0.0) > 0.9, "{of}");
    }
    let honest = trap("5f");
    assert_eq!((honest.harm, honest.variations.len()), (0.0, 0));
}
