//! A small chain: contracts that are there before, and one transaction that is judged.

use super::selector;
use crate::config::MonitoredContract;
use crate::evidence::trace::call_tracer::to_json;
use crate::evidence::{Taken, Unaccounted};
use crate::simulate::evm::environment::Environment;
use crate::simulate::evm::execute::{Checks, Sandbox};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::views::SandboxViews;
use crate::simulate::judge::invariants::*;
use crate::simulate::state::RecordedState;
use alloy_primitives::{Bytes, TxKind, hex, keccak256};
use revm::bytecode::Bytecode;
use revm::context::{BlockEnv, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::hardfork::SpecId;
use std::time::{Duration, Instant};

pub const ALICE: Address = Address::repeat_byte(0xa1);
pub const MALLORY: Address = Address::repeat_byte(0x3a);
pub const ADMIN: Address = Address::repeat_byte(0xad);
pub const ETHER: u64 = 1_000_000_000_000_000_000;

pub struct World {
    pub state: RecordedState,
    environment: Environment,
    /// Transactions that were made before.
    history: Vec<TxEnv>,
    /// Invariants of the user's rules.
    pub written: Vec<Invariant>,
    /// By other transactions.
    pub taken: Vec<Taken>,
}

impl World {
    pub fn new() -> Self {
        let mut state = RecordedState::default();
        for person in [ALICE, MALLORY, ADMIN] {
            let account = state.accounts.entry(person).or_default();
            account.info.balance = U256::from(ETHER) * U256::from(1_000_000);
        }
        let block = BlockEnv {
            number: U256::from(20_000_000),
            beneficiary: Address::repeat_byte(0x31),
            timestamp: U256::from(1_720_000_000),
            gas_limit: 1 << 40,
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new(0, 3_338_477)),
            ..BlockEnv::default()
        };
        let environment = Environment {
            chain_id: 1,
            fork: SpecId::CANCUN,
            block,
            blob_base_fee_update_fraction: None,
        };
        Self {
            state,
            environment,
            history: Vec::new(),
            written: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Puts runtime code at an address.
    pub fn place(&mut self, address: Address, code: Vec<u8>) -> Address {
        let account = self.state.accounts.entry(address).or_default();
        account.info.nonce = 1;
        account.info.code = None;
        account.info.code_hash = keccak256(&code);
        let code = Bytecode::new_raw(code.into());
        self.state.codes.insert(account.info.code_hash, code);
        address
    }

    pub fn fund(&mut self, address: Address, wei: u64) {
        let account = self.state.accounts.entry(address).or_default();
        account.info.balance = U256::from(wei);
    }

    /// Puts a number into storage.
    pub fn store(&mut self, address: Address, slot: U256, value: U256) {
        let account = self.state.accounts.entry(address).or_default();
        account.storage.insert(slot, value);
    }

    /// Deploys one of the demo's compiled contracts.
    pub fn deploy(&mut self, from: Address, artifact: &str, arguments: &[u8]) -> Address {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../python/mempool_ids/demo/artifacts"
        );
        let text = std::fs::read(format!("{folder}/{artifact}.json")).expect("an artifact");
        let artifact: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let code = artifact["bytecode"].as_str().expect("bytecode");
        let mut data = hex::decode(code).expect("hexadecimal");
        data.extend_from_slice(arguments);
        let nonce = self.nonce(from);
        self.history.push(TxEnv {
            kind: TxKind::Create,
            ..transaction(from, from, 0, data.into(), nonce)
        });
        from.create(nonce)
    }

    /// A call made before.
    pub fn call(&mut self, from: Address, to: Address, wei: u64, data: Bytes) {
        let nonce = self.nonce(from);
        self.history.push(transaction(from, to, wei, data, nonce));
    }

    fn nonce(&self, from: Address) -> u64 {
        let own = self.history.iter().filter(|one| one.caller == from);
        own.count() as u64
    }

    fn past(&self) -> Sandbox<'_, RecordedState> {
        let mut sandbox = Sandbox::new(&self.state, &self.environment);
        for one in &self.history {
            let execution = sandbox.execute(one.clone(), Checks::Consensus, bounds());
            assert_eq!(execution.exit, Exit::Succeeded, "{one:?}");
        }
        sandbox
    }

    /// What a transaction breaks of a contract.
    pub fn judge(
        &self,
        from: Address,
        to: Address,
        wei: u64,
        data: Bytes,
        contract: MonitoredContract,
    ) -> Vec<Violation> {
        let check = |effects: &Effects| check_all(effects, &self.written).violations;
        self.look(from, to, wei, data, contract, check)
    }

    /// What a transaction takes of a contract, and nothing accounts for.
    pub fn takes(
        &self,
        from: Address,
        to: Address,
        data: Bytes,
        contract: MonitoredContract,
    ) -> Vec<Unaccounted> {
        let check = |effects: &Effects| check_all(effects, &self.written).unaccounted;
        self.look(from, to, 0, data, contract, check)
    }

    pub fn look<R>(
        &self,
        from: Address,
        to: Address,
        wei: u64,
        data: Bytes,
        contract: MonitoredContract,
        look: impl FnOnce(&Effects) -> R,
    ) -> R {
        let contract = Protected::new(&contract).expect("a contract");
        let (before, mut after) = (self.past(), self.past());
        let transaction = transaction(from, to, wei, data, self.nonce(from));
        let execution = after.execute(transaction, Checks::Consensus, bounds());
        assert_eq!(
            execution.exit,
            Exit::Succeeded,
            "{}",
            to_json(&execution.trace, true)
        );
        let views = SandboxViews::new(&before, &after, bounds(), 100);
        look(&Effects {
            execution: &execution,
            transfers: &execution.trace.transfers(),
            stands: &execution.trace.stands(),
            sender: from,
            contract: &contract,
            native: "ETH",
            monitored: &[contract.address],
            views: &views,
            taken: &self.taken,
            supposed: false,
        })
    }
}

fn transaction(from: Address, to: Address, wei: u64, data: Bytes, nonce: u64) -> TxEnv {
    TxEnv {
        caller: from,
        kind: TxKind::Call(to),
        value: U256::from(wei),
        data,
        nonce,
        gas_limit: 30_000_000,
        gas_price: 0,
        chain_id: Some(1),
        ..TxEnv::default()
    }
}

fn bounds() -> Bounds {
    Bounds {
        deadline: Instant::now() + Duration::from_secs(30),
        frames: 10_000,
        bytes: 1 << 20,
        accesses: 100_000,
    }
}

/// A call with whole words as arguments.
pub fn encode(signature: &str, words: &[U256]) -> Bytes {
    let words = words.iter().flat_map(U256::to_be_bytes::<32>);
    selector(signature).into_iter().chain(words).collect()
}
