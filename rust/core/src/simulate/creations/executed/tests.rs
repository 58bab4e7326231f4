use super::*;
use crate::evidence::Sighting;
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::execute::{Checks, Sandbox};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::state::RecordedState;
use alloy_primitives::{Address, B256, TxKind, U256, hex};
use revm::context::TxEnv;
use revm::context_interface::either::Either;
use revm::context_interface::transaction::{
    Authorization, RecoveredAuthority, RecoveredAuthorization,
};
use revm::primitives::hardfork::SpecId;
use std::time::{Duration, Instant};

const SENDER: Address = Address::repeat_byte(0x5e);
const VAULT: Address = Address::repeat_byte(0xc0);

fn origin() -> Origin {
    Origin {
        deployer: SENDER,
        tx: B256::repeat_byte(7),
        to: None,
        value: alloy_primitives::U256::ZERO,
        nonce: 0,
        seen: Sighting::Simulated,
    }
}

fn execute(transaction: TxEnv) -> Execution {
    let mut state = RecordedState::default();
    let sender = state.accounts.entry(SENDER).or_default();
    sender.info.balance = U256::from(u64::MAX);
    let mut environment = Environment::unknown(1);
    environment.fork = SpecId::PRAGUE;
    environment.block.gas_limit = 30_000_000;
    let bounds = Bounds {
        deadline: Instant::now() + Duration::from_secs(30),
        frames: 1_000,
        bytes: 1 << 20,
        accesses: 1_000,
    };
    let transaction = TxEnv {
        caller: SENDER,
        gas_limit: 2_000_000,
        chain_id: Some(1),
        ..transaction
    };
    Sandbox::new(&state, &environment).execute(transaction, Checks::Pending, bounds)
}

/// Stores the vault's address and calls it, and returns 64 bytes of itself as code; `end`: RETURN or REVERT.
fn init_code(end: u8) -> Vec<u8> {
    let stores = [&[0x73][..], VAULT.as_slice(), &hex!("5f55")].concat();
    let calls = [&hex!("5f5f5f5f73")[..], VAULT.as_slice(), &hex!("5afa50")].concat();
    let returns = [&hex!("60405f5f3960405f")[..], &[end]].concat();
    [stores, calls, returns].concat()
}

fn create(data: Vec<u8>) -> TxEnv {
    TxEnv {
        kind: TxKind::Create,
        data: data.into(),
        ..TxEnv::default()
    }
}

#[test]
fn what_a_simulation_creates_comes_with_its_code_and_its_storage() {
    let execution = execute(create(init_code(0xf3)));
    let creations = in_execution(&execution, &origin());
    let [one] = creations.deployments.as_slice() else {
        panic!("one: {:?}", execution.exit)
    };
    let mut code = init_code(0xf3);
    code.resize(64, 0);
    assert_eq!(one.address, SENDER.create(0));
    assert_eq!(one.code, code);
    assert_eq!(one.init_code, init_code(0xf3));
    assert_eq!(
        one.stored,
        [(U256::ZERO, U256::from_be_slice(VAULT.as_slice()))]
    );
    assert_eq!(one.called, [VAULT]);
    assert_eq!(
        (one.deployer, one.creator, one.seen),
        (SENDER, SENDER, Sighting::Simulated)
    );
}

#[test]
fn what_fails_creates_nothing() {
    let execution = execute(create(init_code(0xfd)));
    assert_eq!(execution.exit, Exit::Reverted);
    assert!(in_execution(&execution, &origin()).deployments.is_empty());
}

#[test]
fn a_delegation_is_a_deployment_that_runs_anothers_code() {
    let account = Address::repeat_byte(0xa1);
    let authorization = Authorization {
        chain_id: U256::from(1),
        address: VAULT,
        nonce: 0,
    };
    let authority = RecoveredAuthority::Valid(account);
    let signed = RecoveredAuthorization::new_unchecked(authorization, authority);
    let execution = execute(TxEnv {
        tx_type: 4,
        kind: TxKind::Call(SENDER),
        authorization_list: vec![Either::Right(signed)],
        ..TxEnv::default()
    });
    let creations = in_execution(&execution, &origin());
    let [one] = creations.deployments.as_slice() else {
        panic!("one: {:?}", execution.exit)
    };
    assert_eq!(
        (one.address, one.creator, one.deployer),
        (account, account, SENDER)
    );
    assert_eq!(one.code, [&hex!("ef0100")[..], VAULT.as_slice()].concat());
}
