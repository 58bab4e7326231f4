//! Code that misbehaves, and sequences.

use super::*;
use crate::evidence::trace::call_tracer::to_json;
use crate::simulate::state::RecordedState;
use alloy_primitives::{Address, hex, keccak256};
use revm::bytecode::Bytecode;
use revm::context::BlockEnv;
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::hardfork::SpecId;
use std::time::{Duration, Instant};

const SENDER: Address = Address::repeat_byte(0x5e);
const CONTRACT: Address = Address::repeat_byte(0xc0);
const MINER: Address = Address::repeat_byte(0x31);
const ETHER: u64 = 1_000_000_000_000_000_000;
const MILLION: u64 = 1_000_000;

fn state(code: &[u8]) -> RecordedState {
    let mut state = RecordedState::default();
    let sender = state.accounts.entry(SENDER).or_default();
    sender.info.balance = U256::from(10 * ETHER);
    let contract = state.accounts.entry(CONTRACT).or_default();
    contract.info.nonce = 1;
    contract.info.code = None;
    contract.info.code_hash = keccak256(code);
    let code = Bytecode::new_raw(code.to_vec().into());
    state.codes.insert(contract.info.code_hash, code);
    state
}

fn environment() -> Environment {
    Environment {
        chain_id: 1,
        fork: SpecId::CANCUN,
        block: BlockEnv {
            number: U256::from(20_000_000),
            beneficiary: MINER,
            timestamp: U256::from(1_720_000_000),
            gas_limit: 1 << 40,
            basefee: 7,
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new(0, 3_338_477)),
            ..BlockEnv::default()
        },
        blob_base_fee_update_fraction: None,
    }
}

fn call(gas_limit: u64) -> TxEnv {
    TxEnv {
        caller: SENDER,
        kind: TxKind::Call(CONTRACT),
        gas_limit,
        gas_price: 7,
        chain_id: Some(1),
        ..TxEnv::default()
    }
}

fn bounds() -> Bounds {
    Bounds {
        deadline: Instant::now() + Duration::from_secs(30),
        frames: 100_000,
        bytes: 1 << 20,
        accesses: 1_000,
    }
}

fn run(code: &[u8], transaction: TxEnv, bounds: Bounds) -> Execution {
    let (state, environment) = (state(code), environment());
    Sandbox::new(&state, &environment).execute(transaction, Checks::Consensus, bounds)
}

/// JUMPDEST PUSH0 JUMP.
const LOOP: [u8; 3] = [0x5b, 0x5f, 0x56];
/// Calls itself with all its gas, and what that returns is dropped: PUSH0 ×5 ADDRESS GAS CALL STOP.
const DEEPER: [u8; 9] = [0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x30, 0x5a, 0xf1, 0x00];

#[test]
fn code_that_loops_ends_with_its_gas_or_at_the_deadline() {
    let execution = run(&LOOP, call(MILLION), bounds());
    assert_eq!(execution.exit, Exit::Halted("out of gas".into()));
    assert_eq!(execution.gas_used, MILLION);
    let late = Bounds {
        deadline: Instant::now(),
        ..bounds()
    };
    let execution = run(&LOOP, call(1 << 38), late);
    assert_eq!(execution.exit, Exit::Stopped(Stop::Deadline));
    assert!(execution.diff.0.is_empty());
}

#[test]
fn calls_nest_as_deep_as_the_evm_allows_and_the_trace_can_be_read_back() {
    let execution = run(&DEEPER, call(1 << 38), bounds());
    assert_eq!(execution.exit, Exit::Succeeded);
    let deepest = execution.trace.frames.last().expect("frames");
    assert_eq!(deepest.depth, 1_025);
    assert_eq!(deepest.error.as_deref(), Some("max call depth exceeded"));
    let text = to_json(&execution.trace, true);
    let read = Trace::from_json(&text).expect("a trace");
    assert_eq!(read, execution.trace);
}

#[test]
fn a_flood_of_calls_is_stopped_and_what_was_seen_is_kept() {
    // JUMPDEST, a call of account 4 without input, POP, PUSH0 JUMP.
    let flood = [
        0x5b, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x60, 0x04, 0x5a, 0xf1, 0x50, 0x5f, 0x56,
    ];
    let few = Bounds {
        frames: 100,
        ..bounds()
    };
    let execution = run(&flood, call(1 << 38), few);
    assert_eq!(execution.exit, Exit::Stopped(Stop::Frames));
    assert_eq!(execution.trace.frames.len(), 101);
}

#[test]
fn what_a_trace_keeps_of_inputs_is_bounded_and_said_to_be_cut() {
    // Calls account 4 with a hundred kilobytes of its memory, again and again.
    let feeder = [
        0x5b, 0x5f, 0x5f, 0x62, 0x01, 0x86, 0xa0, 0x5f, 0x5f, 0x60, 0x04, 0x5a, 0xf1, 0x50, 0x5f,
        0x56,
    ];
    let execution = run(&feeder, call(30 * MILLION), bounds());
    let kept: usize = execution
        .trace
        .frames
        .iter()
        .map(|frame| frame.input.len() + frame.output.len())
        .sum();
    let frames = execution.trace.frames.len();
    // And the beginning of each, so that noise hides nothing.
    assert!(
        execution.cut && kept <= bounds().bytes + frames * 2 * 128,
        "{kept} bytes"
    );
    let last = execution.trace.frames.last().map(|frame| frame.input.len());
    assert_eq!((frames > 20, last), (true, Some(128)));
}

#[test]
fn storage_accesses_beyond_the_bound_are_cut() {
    // JUMPDEST GAS SLOAD POP PUSH0 JUMP: another slot each time.
    let reader = [0x5b, 0x5a, 0x54, 0x50, 0x5f, 0x56];
    let execution = run(&reader, call(10 * MILLION), bounds());
    assert_eq!(execution.accesses.len(), bounds().accesses);
    assert!(execution.cut);
}

#[test]
fn a_hash_that_runs_out_of_gas_does_not_get_the_next_ones_answer() {
    // With calldata: KECCAK256 of 64 bytes. Else calls itself so with 56 gas, of which 36 are gone before it hashes, and
    // then hashes 160 bytes, which are too many to keep.
    let code = hex!(
        "36601a57" "5f5f60015f5f306038f150" "6007608052" "60a05f205000" "5b6001602052" "60405f2000"
    );
    let run = |code: &[u8]| run(code, call(MILLION), bounds());
    let ran_out = run(&code);
    assert_eq!(ran_out.trace.frames[1].error.as_deref(), Some("out of gas"));
    assert_eq!(ran_out.hashed.iter().count(), 0);
    // With gas enough it is kept, with its own.
    let mut paid = code;
    paid[12] = 0xff;
    let paid = run(&paid);
    let kept: Vec<_> = paid.hashed.iter().collect();
    let input = [U256::ZERO, U256::ONE].map(|word| word.to_be_bytes::<32>());
    assert_eq!(
        kept,
        [(
            keccak256(input.concat()).into(),
            CONTRACT,
            &input.concat()[..]
        )]
    );
}

#[test]
fn memory_that_cannot_be_paid_for_ends_the_frame() {
    // MSTORE at 2^40.
    let hog = [0x5f, 0x65, 0x01, 0, 0, 0, 0, 0, 0x52];
    let execution = run(&hog, call(30 * MILLION), bounds());
    assert_eq!(execution.exit, Exit::Halted("out of gas".into()));
}

#[test]
fn garbage_for_a_precompile_fails_that_call_alone() {
    // ecPairing of ten bytes, then STOP.
    let garbage = [
        0x5f, 0x5f, 0x60, 0x0a, 0x5f, 0x5f, 0x60, 0x08, 0x5a, 0xf1, 0x00,
    ];
    let execution = run(&garbage, call(MILLION), bounds());
    assert_eq!(execution.exit, Exit::Succeeded);
    assert!(execution.trace.frames[1].error.is_some());
}

#[test]
fn what_self_destructs_pays_its_heir() {
    // SELFDESTRUCT to the caller, with an ether that came along.
    let transaction = TxEnv {
        value: U256::from(ETHER),
        ..call(MILLION)
    };
    let execution = run(&[0x33, 0xff], transaction, bounds());
    let last = execution.trace.frames.last().expect("frames");
    assert_eq!((last.kind, last.to), (CallKind::SelfDestruct, Some(SENDER)));
    assert_eq!(last.value, Some(U256::from(ETHER)));
    // Since Cancun the account stays, and only its ether goes.
    assert_eq!(execution.diff.0[&CONTRACT].balance_after(), U256::ZERO);
}

#[test]
fn what_no_block_can_hold_is_invalid_and_changes_nothing() {
    let poor = TxEnv {
        value: U256::from(11 * ETHER),
        ..call(MILLION)
    };
    let cheap = TxEnv {
        gas_price: 6,
        ..call(MILLION)
    };
    let later = TxEnv {
        nonce: 5,
        ..call(MILLION)
    };
    let large = call(1 << 41);
    let foreign = TxEnv {
        chain_id: Some(2),
        ..call(MILLION)
    };
    for transaction in [&poor, &cheap, &later, &large, &foreign] {
        let execution = run(&[0x00], transaction.clone(), bounds());
        assert!(
            matches!(execution.exit, Exit::Invalid(_)),
            "{transaction:?}"
        );
        assert!(execution.diff.0.is_empty() && execution.trace.frames.is_empty());
    }
    // What may be included later is executed when asked; what can never be is not.
    let pending = |transaction| {
        let (state, environment) = (state(&[0x00]), environment());
        let mut sandbox = Sandbox::new(&state, &environment);
        sandbox.execute(transaction, Checks::Pending, bounds()).exit
    };
    assert_eq!(pending(cheap), Exit::Succeeded);
    assert_eq!(pending(later), Exit::Succeeded);
    assert!(matches!(pending(poor), Exit::Invalid(_)));
}

fn exit_on(state: &RecordedState) -> Exit {
    let environment = environment();
    let mut sandbox = Sandbox::new(state, &environment);
    let execution = sandbox.execute(call(MILLION), Checks::Consensus, bounds());
    execution.exit
}

#[test]
fn a_state_that_cannot_be_had_ends_it_without_a_verdict() {
    // SLOAD of slot 1.
    let mut state = state(&[0x60, 0x01, 0x54, 0x00]);
    state.accounts.entry(MINER).or_default();
    state.strict = true;
    let missing = StateError::NoSlot(CONTRACT, U256::ONE);
    assert_eq!(exit_on(&state), Exit::NoState(missing));
    let contract = state.accounts.get_mut(&CONTRACT).expect("there");
    contract.storage.insert(U256::ONE, U256::ZERO);
    assert_eq!(exit_on(&state), Exit::Succeeded);
}

#[test]
fn a_block_hash_that_was_not_recorded_is_not_taken_for_zero() {
    // BLOCKHASH of NUMBER - 1.
    let mut state = state(&[0x60, 0x01, 0x43, 0x03, 0x40, 0x00]);
    let missing = StateError::NoBlockHash(19_999_999);
    assert_eq!(exit_on(&state), Exit::NoState(missing));
    state.block_hashes.insert(19_999_999, [7; 32].into());
    assert_eq!(exit_on(&state), Exit::Succeeded);
}

/// With calldata: sets slot 0. Without: reverts where slot 0 is set, else gives away all its ether.
fn pausable() -> Vec<u8> {
    let mut code = vec![
        0x36, 0x60, 0x13, 0x57, // CALLDATASIZE, to 0x13
        0x5f, 0x54, 0x60, 0x18, 0x57, // SLOAD(0), to 0x18
        0x5f, 0x5f, 0x5f, 0x5f, 0x47, 0x33, 0x5a, 0xf1, 0x00, // CALL(caller, all its ether)
        0x00,
    ];
    assert_eq!(code.len(), 0x13);
    code.extend([0x5b, 0x36, 0x5f, 0x55, 0x00]); // slot 0 = CALLDATASIZE
    assert_eq!(code.len(), 0x18);
    code.extend([0x5b, 0x5f, 0x5f, 0xfd]);
    code
}

#[test]
fn each_of_a_sequence_stands_on_what_the_former_left() {
    let mut state = state(&pausable());
    let contract = state.accounts.get_mut(&CONTRACT).expect("there");
    contract.info.balance = U256::from(ETHER);
    let pause = TxEnv {
        data: Bytes::from_static(&[1]),
        ..call(MILLION)
    };
    let attack = |nonce| TxEnv {
        nonce,
        ..call(MILLION)
    };
    let environment = environment();
    let run = |transactions: &[TxEnv]| -> Vec<Execution> {
        let mut sandbox = Sandbox::new(&state, &environment);
        let transactions = transactions.iter().cloned();
        let executed = transactions.map(|one| sandbox.execute(one, Checks::Consensus, bounds()));
        executed.collect()
    };
    let alone = run(&[attack(0)]);
    assert_eq!(alone[0].exit, Exit::Succeeded);
    assert_eq!(alone[0].diff.0[&CONTRACT].loss(), U256::from(ETHER));
    let paused = run(&[pause.clone(), attack(1)]);
    assert_eq!(paused[0].exit, Exit::Succeeded);
    assert_eq!(paused[1].exit, Exit::Reverted);
    assert_eq!(paused[1].diff.0[&CONTRACT].loss(), U256::ZERO);
    // The state itself is as it was.
    assert_eq!(run(&[attack(0)])[0].exit, Exit::Succeeded);
    // An invalid one in between changes nothing, and the rest is executed.
    let skipped = run(&[pause, attack(9), attack(1)]);
    assert!(matches!(skipped[1].exit, Exit::Invalid(_)));
    assert_eq!(skipped[2].exit, Exit::Reverted);
}

#[test]
fn tips_and_bribes_are_what_the_beneficiary_gains() {
    // CALL(coinbase, one ether).
    let bribe = [
        &[0x5f, 0x5f, 0x5f, 0x5f, 0x67][..],
        &ETHER.to_be_bytes(),
        &[0x41, 0x5a, 0xf1, 0x00],
    ]
    .concat();
    let transaction = TxEnv {
        value: U256::from(ETHER),
        gas_price: 10,
        ..call(MILLION)
    };
    let execution = run(&bribe, transaction, bounds());
    let tips = 3 * execution.gas_used;
    assert_eq!(execution.coinbase_payment, U256::from(ETHER + tips));
}

#[test]
fn a_view_answers_from_the_present_and_changes_nothing() {
    // Returns slot 0 plus one, and stores it.
    let counter = [
        0x5f, 0x54, 0x60, 0x01, 0x01, 0x80, 0x5f, 0x55, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3,
    ];
    let (state, environment) = (state(&counter), environment());
    let mut sandbox = Sandbox::new(&state, &environment);
    let view = |sandbox: &Sandbox<_>| {
        let answer = sandbox.view(CONTRACT, Bytes::new(), bounds());
        U256::from_be_slice(&answer.expect("an answer"))
    };
    assert_eq!((view(&sandbox), view(&sandbox)), (U256::ONE, U256::ONE));
    sandbox.execute(call(MILLION), Checks::Consensus, bounds());
    assert_eq!(view(&sandbox), U256::from(2));
    let reverts = self::state(&[0x5f, 0x5f, 0xfd]);
    let sandbox = Sandbox::new(&reverts, &environment);
    let answer = sandbox.view(CONTRACT, Bytes::new(), bounds());
    assert_eq!(answer, Err(Exit::Reverted));
}

#[test]
fn a_view_may_use_more_gas_than_a_transaction() {
    // ADDRESS PUSH0 MSTORE PUSH1 32 PUSH0 RETURN.
    let state = state(&[0x30, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
    let mut environment = environment();
    environment.fork = SpecId::OSAKA;
    let sandbox = Sandbox::new(&state, &environment);
    let answer = sandbox.view(CONTRACT, Bytes::new(), bounds()).unwrap();
    assert_eq!(answer[12..], CONTRACT[..]);
}

/// Hands its calldata to the point evaluation of EIP-4844 and returns the answer: CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY,
/// PUSH0 PUSH0 CALLDATASIZE PUSH0 PUSH1 10 GAS STATICCALL POP, RETURNDATASIZE PUSH0 PUSH0 RETURNDATACOPY, RETURNDATASIZE
/// PUSH0 RETURN.
const EVALUATE: [u8; 20] = hex!("365f5f375f5f365f600a5afa503d5f5f3e3d5ff3");

/// Of c-kzg-4844's `verify_kzg_proof_case_correct_proof_4_4`.
const COMMITMENT: [u8; 48] = hex!(
    "8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7"
);
const Z: [u8; 32] = hex!("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000");
const Y: [u8; 32] = hex!("1522a4a7f34e1ea350ae07c29c96c7e79655aa926122e95fe69fcbd932ca49e9");
const PROOF: [u8; 48] = hex!(
    "a62ad71d14c5719385c0686f1871430475bf3a00f0aa3f7b8dd99a9abc2160744faf0070725e00b60ad9a026a15b1a8c"
);

fn evaluated(y: [u8; 32], proof: [u8; 48]) -> Execution {
    use sha2::Digest;
    let mut versioned: [u8; 32] = sha2::Sha256::digest(COMMITMENT).into();
    versioned[0] = 1;
    let input = [&versioned[..], &Z, &y, &COMMITMENT, &proof].concat();
    let verify = TxEnv {
        data: input.into(),
        ..call(MILLION)
    };
    run(&EVALUATE, verify, bounds())
}

#[test]
fn the_first_blob_that_is_verified_is_verified_in_time() {
    let begun = Instant::now();
    let execution = evaluated(Y, PROOF);
    // A simulation's deadline is 250 ms, and a trusted setup that is loaded for it takes seconds.
    assert!(begun.elapsed() < Duration::from_millis(250));
    assert_eq!(execution.exit, Exit::Succeeded);
    assert_eq!(execution.trace.frames[1].error, None);
    let field = hex!(
        "000000000000000000000000000000000000000000000000000000000000100073eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001"
    );
    assert_eq!(execution.output[..], field);
}

#[test]
fn a_blob_that_is_another_than_its_proof_says_is_none() {
    let mut other = Y;
    other[31] ^= 1;
    let infinity = {
        let mut point = [0; 48];
        point[0] = 0xc0;
        point
    };
    for (y, proof) in [(other, PROOF), (Y, infinity), (Y, [0; 48]), (Y, COMMITMENT)] {
        let execution = evaluated(y, proof);
        assert_eq!(execution.exit, Exit::Succeeded);
        assert!(execution.trace.frames[1].error.is_some());
        assert!(execution.output.is_empty());
    }
}
