//! A small chain in memory on which the project's own contracts are: victims, and new contracts that nobody has called.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use mempool_ids_core::chain::ChainSpec;
use mempool_ids_core::config::{ContractViews, MonitoredContract, SimulationConfig};
use mempool_ids_core::detonate::{Creation, Subject};
use mempool_ids_core::evidence::{Deployment, Sighting};
use mempool_ids_core::simulate::evm::environment::Environment;
use mempool_ids_core::simulate::evm::execute::{Checks, Exit, Sandbox};
use mempool_ids_core::simulate::evm::tracer::Bounds;
use mempool_ids_core::simulate::judge::simulator::Simulator;
use mempool_ids_core::simulate::state::RecordedState;
use mempool_ids_core::tx::{Extras, PendingTransaction};
use revm::context::{BlockEnv, TxEnv};
use revm::primitives::hardfork::SpecId;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const ADMIN: Address = Address::repeat_byte(0xad);
pub const ALICE: Address = Address::repeat_byte(0xa1);
pub const BOB: Address = Address::repeat_byte(0xb0);
pub const MALLORY: Address = Address::repeat_byte(0x3a);
pub const ETHER: u128 = 1_000_000_000_000_000_000;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const FOLDERS: [&str; 4] = [
    "tests/early/artifacts",
    "tests/scenarios/artifacts",
    "python/mempool_ids/demo/artifacts",
    "benches/quality/artifacts",
];

pub struct World {
    pub state: RecordedState,
    pub environment: Environment,
    pub monitored: Vec<MonitoredContract>,
}

/// A new contract: where it is, who made it, and of what.
pub struct New {
    pub address: Address,
    pub deployer: Address,
    pub nonce: u64,
    pub init_code: Bytes,
}

impl World {
    pub fn new() -> Self {
        let mut state = RecordedState::default();
        for (person, ether) in [(ADMIN, 100), (ALICE, 100), (BOB, 100), (MALLORY, 5)] {
            let account = state.accounts.entry(person).or_default();
            account.info.balance = U256::from(ETHER) * U256::from(ether);
        }
        let block = BlockEnv {
            number: U256::from(20_000_000),
            beneficiary: Address::repeat_byte(0x31),
            timestamp: U256::from(1_720_000_000),
            gas_limit: 60_000_000,
            basefee: 1_000_000_000,
            ..Environment::unknown(1).block
        };
        let environment = Environment {
            fork: SpecId::PRAGUE,
            block,
            ..Environment::unknown(1)
        };
        Self {
            state,
            environment,
            monitored: Vec::new(),
        }
    }

    /// Creates a contract and keeps it.
    pub fn deploy(&mut self, from: Address, name: &str, arguments: &[U256]) -> Address {
        self.create(from, init_code(name, arguments)).address
    }

    pub fn create(&mut self, from: Address, init_code: Bytes) -> New {
        let nonce = self.nonce(from);
        self.execute(from, TxKind::Create, 0, init_code.clone());
        New {
            address: from.create(nonce),
            deployer: from,
            nonce,
            init_code,
        }
    }

    /// As it will be once its creation is mined.
    pub fn pending(&self, from: Address, init_code: Bytes) -> New {
        let nonce = self.nonce(from);
        New {
            address: from.create(nonce),
            deployer: from,
            nonce,
            init_code,
        }
    }

    pub fn call(&mut self, from: Address, to: Address, wei: u128, signature: &str, words: &[U256]) {
        self.execute(from, TxKind::Call(to), wei, encode(signature, words));
    }

    /// So much more ether than it has.
    pub fn give(&mut self, account: Address, wei: U256) {
        let account = self.state.accounts.entry(account).or_default();
        account.info.balance += wei;
    }

    pub fn monitor(&mut self, name: &str, address: Address) -> &mut MonitoredContract {
        self.monitored.push(MonitoredContract {
            name: name.into(),
            address,
            ..MonitoredContract::default()
        });
        self.monitored.last_mut().expect("it was just put there")
    }

    /// Without a model: invariants alone judge.
    pub fn simulator(&self) -> Simulator {
        let (limits, chain) = (SimulationConfig::default(), Arc::new(ChainSpec::of(1)));
        Simulator::new(&self.monitored, &limits, chain, None, Arc::default(), 0.7)
            .expect("contracts")
    }

    fn nonce(&self, account: Address) -> u64 {
        self.state
            .accounts
            .get(&account)
            .map_or(0, |known| known.info.nonce)
    }

    fn execute(&mut self, from: Address, kind: TxKind, wei: u128, data: Bytes) {
        let transaction = TxEnv {
            caller: from,
            kind,
            value: U256::from(wei),
            data,
            nonce: self.nonce(from),
            gas_limit: 16_000_000,
            gas_price: 0,
            chain_id: None,
            ..TxEnv::default()
        };
        let bounds = Bounds {
            deadline: Instant::now() + Duration::from_secs(30),
            frames: 10_000,
            bytes: 1 << 20,
            accesses: 100_000,
        };
        let mut sandbox = Sandbox::new(&self.state, &self.environment);
        let execution = sandbox.execute(transaction, Checks::Pending, bounds);
        assert_eq!(execution.exit, Exit::Succeeded, "{:?}", execution.trace);
        for (address, change) in execution.diff.0 {
            let Some(mut info) = change.after else {
                continue;
            };
            if let Some(code) = info.code.take() {
                self.state.codes.insert(info.code_hash, code);
            }
            let account = self.state.accounts.entry(address).or_default();
            account.info = info;
            let slots = change.storage.into_iter();
            account
                .storage
                .extend(slots.map(|(slot, (_, after))| (slot, after)));
        }
    }
}

impl New {
    /// As it is told of once it is mined.
    pub fn subject(&self) -> Subject {
        Subject::new(Arc::new(self.deployment()), None)
    }

    /// As it is told of while its creation is pending.
    pub fn pending_subject(&self) -> Subject {
        let tx = PendingTransaction {
            hash: B256::repeat_byte(0xcc),
            from: self.deployer,
            nonce: self.nonce,
            gas: 8_000_000,
            max_fee_per_gas: 3_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            tx_type: 2,
            chain_id: Some(1),
            input: self.init_code.to_vec(),
            ..PendingTransaction::default()
        };
        let creation = Creation {
            tx: Arc::new(tx),
            extras: Extras::default(),
            fails: false,
        };
        Subject::new(Arc::new(self.deployment()), Some(creation))
    }

    fn deployment(&self) -> Deployment {
        Deployment {
            address: self.address,
            deployer: self.deployer,
            creator: self.deployer,
            tx: B256::repeat_byte(0xcc),
            to: None,
            nonce: self.nonce,
            value: U256::ZERO,
            seen: Sighting::Pending,
            init_code: self.init_code.clone(),
            code: Bytes::new(),
            runs: None,
            called: Vec::new(),
            stored: Vec::new(),
            twins: Vec::new(),
            more_twins: 0,
        }
    }
}

/// Init code of a compiled contract with its constructor's arguments.
pub fn init_code(name: &str, arguments: &[U256]) -> Bytes {
    let paths = FOLDERS
        .iter()
        .map(|folder| format!("{REPOSITORY}/{folder}/{name}.json"));
    let text = paths.into_iter().find_map(|path| std::fs::read(path).ok());
    let artifact: serde_json::Value =
        serde_json::from_slice(&text.expect("an artifact")).expect("JSON");
    let mut code = hex::decode(artifact["bytecode"].as_str().expect("bytecode")).expect("hex");
    arguments
        .iter()
        .for_each(|word| code.extend(word.to_be_bytes::<32>()));
    code.into()
}

/// A call with whole words as arguments.
pub fn encode(signature: &str, words: &[U256]) -> Bytes {
    let mut data = keccak256(signature)[..4].to_vec();
    words
        .iter()
        .for_each(|word| data.extend(word.to_be_bytes::<32>()));
    data.into()
}

pub fn word(address: Address) -> U256 {
    U256::from_be_bytes(address.into_word().0)
}

pub fn ether(count: u128) -> U256 {
    U256::from(ETHER) * U256::from(count)
}

/// A vault that pays before it books, with twenty ether of its users.
pub fn vault() -> (World, Address) {
    let mut world = World::new();
    let vault = world.deploy(ADMIN, "Vault", &[word(ADMIN)]);
    for user in [ALICE, BOB] {
        world.call(user, vault, 10 * ETHER, "deposit()", &[]);
    }
    world.monitor("Vault", vault);
    (world, vault)
}

/// Of a pair's collateral and currency, a market that believes its price, and a lender of flash loans.
pub struct Market {
    pub collateral: Address,
    pub currency: Address,
    pub pair: Address,
    pub market: Address,
    pub lender: Address,
}

pub fn market() -> (World, Market) {
    let mut world = World::new();
    let supply = ether(1_000_000_000);
    let [collateral, currency] = [0; 2].map(|_| world.deploy(ADMIN, "Token", &[supply]));
    let pair = world.deploy(ADMIN, "Pair", &[word(collateral), word(currency)]);
    let market = world.deploy(ADMIN, "LendingMarket", &[word(pair)]);
    let lender = world.deploy(ADMIN, "FlashLender", &[]);
    for (token, to, amount) in [
        (collateral, pair, 1_000),
        (currency, pair, 1_000_000),
        (currency, market, 500_000),
        (currency, lender, 5_000_000),
        (collateral, ALICE, 100),
    ] {
        transfer(&mut world, token, ADMIN, to, ether(amount));
    }
    world.call(ADMIN, pair, 0, "sync()", &[]);
    world.call(
        ALICE,
        collateral,
        0,
        "approve(address,uint256)",
        &[word(market), U256::MAX],
    );
    world.call(ALICE, market, 0, "deposit(uint256)", &[ether(100)]);
    world.call(ALICE, market, 0, "borrow(uint256)", &[ether(70_000)]);
    world.monitor("Market", market);
    let all = Market {
        collateral,
        currency,
        pair,
        market,
        lender,
    };
    (world, all)
}

/// A vault behind a proxy that anybody may initialize again.
pub fn upgradeable() -> (World, Address, Address) {
    let mut world = World::new();
    let token = world.deploy(ADMIN, "Token", &[ether(1_000_000)]);
    let logic = world.deploy(ADMIN, "UpgradeableVault", &[]);
    let vault = world.deploy(ADMIN, "Proxy", &[word(logic)]);
    world.call(
        ADMIN,
        vault,
        0,
        "initialize(address,address)",
        &[word(token), word(ADMIN)],
    );
    for user in [ALICE, BOB] {
        transfer(&mut world, token, ADMIN, user, ether(10_000));
        world.call(
            user,
            token,
            0,
            "approve(address,uint256)",
            &[word(vault), U256::MAX],
        );
        world.call(user, vault, 0, "deposit(uint256)", &[ether(10_000)]);
    }
    world.monitor("Vault", vault).admins.push(ADMIN);
    (world, vault, token)
}

/// A router that calls what it is told, and whose users let it spend a token.
pub fn router() -> (World, Address, Address) {
    let mut world = World::new();
    let token = world.deploy(ADMIN, "Token", &[ether(1_000_000)]);
    let router = world.deploy(ADMIN, "SwapRouter", &[]);
    for user in [ALICE, BOB] {
        transfer(&mut world, token, ADMIN, user, ether(5_000));
        world.call(
            user,
            token,
            0,
            "approve(address,uint256)",
            &[word(router), U256::MAX],
        );
    }
    world.monitor("Router", router);
    (world, router, token)
}

/// An empty vault of shares, and a queue of deposits for it.
pub struct Shares {
    pub token: Address,
    pub vault: Address,
    pub queue: Address,
}

pub fn shares() -> (World, Shares) {
    let mut world = World::new();
    let token = world.deploy(ADMIN, "Token", &[ether(1_000_000)]);
    let vault = world.deploy(ADMIN, "ShareVault", &[word(token)]);
    let queue = world.deploy(ADMIN, "DepositQueue", &[word(vault)]);
    transfer(&mut world, token, ADMIN, MALLORY, ether(2_000));
    for user in [ALICE, BOB] {
        transfer(&mut world, token, ADMIN, user, ether(1_000));
        world.call(
            user,
            token,
            0,
            "approve(address,uint256)",
            &[word(queue), U256::MAX],
        );
        world.call(user, queue, 0, "enqueue(uint256)", &[ether(1_000)]);
    }
    world.monitor("Shares", vault).views = ContractViews {
        share_price: Some("sharePrice()".into()),
        total_supply: Some("totalSupply()".into()),
        ..ContractViews::default()
    };
    world.monitor("Queue", queue).receivers.push(vault);
    (
        world,
        Shares {
            token,
            vault,
            queue,
        },
    )
}

pub fn transfer(world: &mut World, token: Address, from: Address, to: Address, amount: U256) {
    world.call(
        from,
        token,
        0,
        "transfer(address,uint256)",
        &[word(to), amount],
    );
}
