//! What the question whether a pause would help adds to the simulation of an attack, the state being at hand: the demo's
//! vault, drained in few and in many re-entries, with a pause configured and without.

use crate::figures::{figures, histogram};
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use mempool_ids_core::chain::ChainSpec;
use mempool_ids_core::config::{MonitoredContract, Pause, PauseCheck, SimulationConfig};
use mempool_ids_core::evidence::{Response, Simulation};
use mempool_ids_core::simulate::evm::backend::Local;
use mempool_ids_core::simulate::evm::environment::Environment;
use mempool_ids_core::simulate::evm::execute::{Checks, Exit, Sandbox};
use mempool_ids_core::simulate::evm::told::ToldAccount;
use mempool_ids_core::simulate::evm::tracer::Bounds;
use mempool_ids_core::simulate::evm::transaction::from_pending;
use mempool_ids_core::simulate::judge::simulator::{Simulator, Step};
use mempool_ids_core::simulate::state::head::{Changes, HeadBlock, HeadState};
use mempool_ids_core::simulate::state::{RecordedState, Recording, Snapshot};
use mempool_ids_core::tx::{Extras, PendingTransaction};
use revm::primitives::hardfork::SpecId;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ADMIN: Address = Address::repeat_byte(0xad);
const ALICE: Address = Address::repeat_byte(0xa1);
/// Their contract is there already: it obeys its creator alone.
const MALLORY: Address = Address::repeat_byte(0x3a);
/// Theirs is still to be created: anybody can do as much.
const NADIR: Address = Address::repeat_byte(0x4a);
const ETHER: u128 = 1_000_000_000_000_000_000;
/// How often the vault is entered.
const ENTRIES: [u128; 3] = [5, 20, 100];

fn environment() -> Environment {
    let mut environment = Environment::unknown(1);
    environment.fork = SpecId::OSAKA;
    environment.block.gas_limit = 60_000_000;
    environment.block.beneficiary = Address::repeat_byte(0x31);
    environment.block.basefee = 8;
    environment
}

fn init_code(artifact: &str, argument: Address) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../python/mempool_ids/demo/artifacts"
    );
    let text = std::fs::read(format!("{folder}/{artifact}.json")).expect("an artifact");
    let artifact: Value = serde_json::from_slice(&text).expect("JSON");
    let code = artifact["bytecode"].as_str().expect("bytecode");
    [
        hex::decode(code).expect("hex"),
        argument.into_word().to_vec(),
    ]
    .concat()
}

fn calls(function: &str) -> Bytes {
    Bytes::copy_from_slice(&keccak256(function)[..4])
}

fn sends(
    from: Address,
    nonce: u64,
    to: Option<Address>,
    wei: u128,
    input: Vec<u8>,
) -> PendingTransaction {
    PendingTransaction {
        hash: B256::left_padding_from(&[from[0], nonce as u8]),
        from,
        nonce,
        to,
        value: U256::from(wei),
        gas: 15_000_000,
        max_fee_per_gas: 30,
        max_priority_fee_per_gas: 2,
        tx_type: 2,
        chain_id: Some(1),
        input,
        ..PendingTransaction::default()
    }
}

fn bounds() -> Bounds {
    Bounds {
        deadline: Instant::now() + Duration::from_secs(60),
        frames: 16_384,
        bytes: 8 << 20,
        accesses: 1 << 16,
    }
}

/// Vault, deposit and the attacker's contract, on a head whose state is known.
fn head(block: &HeadBlock) -> HeadState {
    let mut start = RecordedState::default();
    for person in [ADMIN, ALICE, MALLORY, NADIR] {
        let account = start.accounts.entry(person).or_default();
        account.info.balance = U256::from(ETHER) * U256::from(1_000);
    }
    let vault = ADMIN.create(0);
    let all = [
        sends(ADMIN, 0, None, 0, init_code("Vault", ADMIN)),
        sends(
            ALICE,
            0,
            Some(vault),
            10 * ETHER,
            calls("deposit()").to_vec(),
        ),
        sends(MALLORY, 0, None, 0, init_code("Attacker", vault)),
    ];
    let mut sandbox = Sandbox::new(&start, &block.next);
    let mut known: BTreeMap<Address, ToldAccount> = BTreeMap::new();
    for tx in &all {
        let done = sandbox.execute(
            from_pending(tx, Extras::default()),
            Checks::Pending,
            bounds(),
        );
        assert_eq!(done.exit, Exit::Succeeded);
        for (address, account) in done.diff.0 {
            let told = known.entry(address).or_default();
            let slots = account.storage.into_iter();
            told.storage
                .extend(slots.map(|(slot, (_, after))| (B256::from(slot), B256::from(after))));
            let Some(info) = account.after else { continue };
            (told.balance, told.nonce) = (Some(info.balance), Some(info.nonce));
            told.code = info
                .code
                .map(|code| code.original_bytes())
                .or(told.code.take());
        }
    }
    // What the attack reads beside, and who asks views.
    for account in [block.next.block.beneficiary, Address::ZERO] {
        known.entry(account).or_default();
    }
    for thief in [MALLORY, NADIR] {
        let contract = thief.create(0);
        let attacker = known.entry(contract).or_default();
        attacker.storage.entry(B256::ZERO).or_default();
        let deposit = keccak256([contract.into_word(), B256::with_last_byte(2)].concat());
        let vault = known.entry(vault).or_default();
        vault.storage.entry(deposit).or_default();
    }
    let nadir = &start.accounts[&NADIR].info;
    known.entry(NADIR).or_default().balance = Some(nadir.balance);
    let state = HeadState::new(1 << 18);
    state.advance(block.clone(), Changes::Unknown);
    state.learn_all(&block.hash, known).expect("the head");
    state
}

fn simulator(pause: Option<Pause>) -> Simulator {
    let contract = MonitoredContract {
        name: "Vault".into(),
        address: ADMIN.create(0),
        pause,
        ..MonitoredContract::default()
    };
    let chain = Arc::new(ChainSpec::of(1));
    Simulator::new(
        &[contract],
        &SimulationConfig::default(),
        chain,
        None,
        Arc::default(),
        0.7,
    )
    .expect("a simulator")
}

fn simulate(
    simulator: &mut Simulator,
    state: &HeadState,
    block: &HeadBlock,
    sequence: &[PendingTransaction],
) -> Simulation {
    // As the pool does it: nobody is asked, and what is read is written down.
    let view = Recording::new(Snapshot::new(state, block, None));
    let extras = Extras::default();
    let step = |tx| Step {
        tx,
        extras: &extras,
    };
    let steps: Vec<_> = sequence.iter().map(step).collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    simulator
        .simulate(&Local(&view), &block.next, &steps, 0.0, deadline)
        .expect("its state is at hand")
}

/// Microseconds of an attack's simulation without the question, with it, and what it adds, pair by pair.
pub fn measure(quick: bool) -> Value {
    let block = HeadBlock {
        number: 1,
        hash: B256::repeat_byte(1),
        parent: B256::ZERO,
        timestamp: 0,
        next: environment(),
    };
    let (state, vault) = (head(&block), ADMIN.create(0));
    let pause = Pause {
        from: ADMIN,
        to: vault,
        input: calls("pause()"),
        value: U256::ZERO,
        gas: None,
        check: Some(PauseCheck {
            to: vault,
            input: calls("paused()"),
        }),
    };
    let (mut plain, mut asking) = (simulator(None), simulator(Some(pause)));
    let rounds = if quick { 200 } else { 5_000 };
    let attacks = ENTRIES.iter().flat_map(|entries| {
        let stake = 10 * ETHER / entries;
        let attack = |thief: Address| {
            let calldata = calls("attack()").to_vec();
            sends(thief, 1, Some(thief.create(0)), stake, calldata)
        };
        let creation = sends(NADIR, 0, None, 0, init_code("Attacker", vault));
        [
            (entries, false, vec![attack(MALLORY)]),
            (entries, true, vec![creation, attack(NADIR)]),
        ]
    });
    let told = attacks.map(|(entries, copyable, attack)| {
        let [mut without, mut with, mut added] = std::array::from_fn(|_| histogram());
        let (mut gas, mut frames) = (0, 0);
        for _ in 0..rounds {
            let start = Instant::now();
            let alone = simulate(&mut plain, &state, &block, &attack);
            let first = start.elapsed();
            let start = Instant::now();
            let asked = simulate(&mut asking, &state, &block, &attack);
            let second = start.elapsed();
            let Some(Response::Answered(answer)) = &asked.response else {
                panic!("{:?}", asked.response);
            };
            assert!(answer.pause_succeeds && answer.obstacle.is_none());
            assert_eq!(answer.copyable, copyable);
            assert_eq!((answer.harm_left, alone.response), (0.0, None));
            assert_eq!(asked.losses[0].amount, U256::from(10 * ETHER));
            assert_eq!(asked.gas_used, alone.gas_used);
            (gas, frames) = (asked.gas_used, asked.frames);
            without.saturating_record(first.as_nanos() as u64);
            with.saturating_record(second.as_nanos() as u64);
            added.saturating_record(second.saturating_sub(first).as_nanos() as u64);
        }
        json!({
            "entries": entries.to_string(), "copyable": copyable, "gas": gas, "frames": frames, "rounds": rounds,
            "without_us": figures(&without), "with_us": figures(&with), "added_us": figures(&added),
        })
    });
    Value::Array(told.collect())
}
