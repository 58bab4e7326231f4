//! A node at a recorded block of mainnet: it has the state before it, and that of every transaction of it.

use crate::mainnet::{RecordedBlock, blocks, bounds};
use crate::support::feed::Node;
use crate::told::{changes, prestate};
use alloy_consensus::TxEnvelope;
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use mempool_ids_core::simulate::evm::execute::{Checks, Exit, Sandbox};
use mempool_ids_core::simulate::state::{RecordedState, Recording};
use revm::context::TxEnv;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Seconds between blocks.
const INTERVAL: u64 = 12;
/// The first block of Shanghai: from then on all nodes still know the rules.
const SHANGHAI: u64 = 17_034_870;

/// A transaction of the block that runs code, alone on the state before it.
pub struct Suspect {
    pub to: Address,
    /// As `eth_getTransactionByHash` returns it.
    pub object: String,
}

pub struct Chain {
    block: RecordedBlock,
    pub suspects: Vec<Suspect>,
    /// `prestateTracer` of each suspect, by what [`key`] makes of the request.
    prestates: HashMap<B256, String>,
    /// What each head changes, as `debug_traceBlockByHash` tells it, and the number of its transactions.
    changes: (String, usize),
    /// Heads made so far.
    heads: AtomicU64,
}

impl Chain {
    /// The block with the most suspects; nothing where the recorded blocks are not there.
    pub fn load() -> Option<Self> {
        let recent = blocks().into_iter();
        let recent = recent.filter(|block| block.header.number.u64() >= SHANGHAI);
        let mut chain = recent
            .map(Self::of)
            .max_by_key(|chain| chain.suspects.len())?;
        let changes = changes(&chain.block);
        chain.changes = (
            Value::from_iter(changes.iter().cloned()).to_string(),
            changes.len(),
        );
        Some(chain)
    }

    fn of(block: RecordedBlock) -> Self {
        let (mut suspects, mut prestates) = (Vec::new(), HashMap::new());
        for (hash, envelope, transaction) in &block.transactions {
            let Some(to) = transaction.kind.to().copied() else {
                continue;
            };
            if let Some(read) = alone(&block, transaction) {
                let key = key(transaction.caller, to, &transaction.data);
                prestates.insert(key, prestate(&read).to_string());
                let object = object(hash, envelope, transaction.caller);
                suspects.push(Suspect { to, object });
            }
        }
        Self {
            block,
            suspects,
            prestates,
            changes: Default::default(),
            heads: AtomicU64::new(0),
        }
    }

    /// The code at an address, where the block's record has it.
    pub fn code(&self, address: &Address) -> Option<Bytes> {
        let state = &self.block.state;
        let code = state
            .codes
            .get(&state.accounts.get(address)?.info.code_hash)?;
        Some(Bytes::copy_from_slice(code.original_byte_slice()))
    }

    pub fn number(&self) -> u64 {
        self.block.header.number.u64()
    }

    /// Bytes of what a head changes, and the number of its transactions.
    pub fn changes(&self) -> (usize, usize) {
        (self.changes.0.len(), self.changes.1)
    }

    /// Of the head with this number, at the earliest the block's parent: half full, so that fees stay.
    fn header(&self, number: u64) -> Value {
        let header = &self.block.header;
        // Not the suspects', which stay pending.
        let transaction = |n: usize| keccak256(format!("{number} {n}"));
        let parent = self.number() - 1;
        let age = number - parent;
        let (limit, excess) = (header.gas_limit.u64(), header.excess_blob_gas);
        json!({
            "number": format!("{number:#x}"),
            "hash": self.hash(number),
            "parentHash": self.hash(number - 1),
            "timestamp": format!("{:#x}", header.timestamp.u64() + (age * INTERVAL) - INTERVAL),
            "gasLimit": format!("{limit:#x}"),
            "gasUsed": format!("{:#x}", limit / 2),
            "miner": header.miner,
            "mixHash": header.mix_hash,
            "difficulty": "0x0",
            "baseFeePerGas": header.base_fee_per_gas.map(|fee| fee.0),
            "excessBlobGas": excess.map(|gas| gas.0),
            "blobGasUsed": excess.map(|_| "0x60000"),
            "withdrawalsRoot": B256::ZERO,
            "withdrawals": [],
            "transactions": (0..self.changes.1).map(transaction).collect::<Vec<_>>(),
        })
    }

    fn hash(&self, number: u64) -> B256 {
        match number + 1 == self.number() {
            true => self.block.header.parent_hash,
            false => B256::from(U256::from(number)),
        }
    }

    fn latest(&self) -> u64 {
        self.number() - 1 + self.heads.load(SeqCst)
    }

    fn by_hash(&self, hash: &str) -> Option<Value> {
        let mut numbers = self.number() - 1..=self.latest();
        let number = numbers.find(|number| self.hash(*number).to_string() == hash)?;
        Some(self.header(number))
    }

    fn account(&self, address: &Value, of: impl Fn(&Self, Address) -> String) -> Option<String> {
        let address = address.as_str()?.parse().ok()?;
        Some(format!("\"{}\"", of(self, address)))
    }

    fn prestate(&self, call: &Value) -> Option<String> {
        let address = |name: &str| call[name].as_str()?.parse().ok();
        let data = hex::decode(call["data"].as_str()?).ok()?;
        let key = key(address("from")?, address("to")?, &data);
        self.prestates.get(&key).cloned()
    }
}

impl Node for Chain {
    fn answer(&self, method: &str, params: &Value) -> Option<String> {
        let accounts = &self.block.state.accounts;
        match method {
            "eth_getBlockByNumber" => Some(self.header(self.latest()).to_string()),
            "eth_getBlockByHash" => Some(self.by_hash(params[0].as_str()?)?.to_string()),
            "debug_traceBlockByHash" => {
                assert_eq!(params[1]["tracerConfig"]["disableCode"], true, "{params}");
                Some(self.changes.0.clone())
            }
            "debug_traceCall" => self.prestate(&params[0]),
            "eth_getCode" => self.account(&params[0], |chain, address| {
                hex::encode_prefixed(chain.code(&address).unwrap_or_default())
            }),
            "eth_getBalance" => self.account(&params[0], |_, address| {
                let account = accounts.get(&address);
                format!(
                    "{:#x}",
                    account.map_or(U256::ZERO, |account| account.info.balance)
                )
            }),
            "eth_getTransactionCount" => self.account(&params[0], |_, address| {
                let account = accounts.get(&address);
                format!("{:#x}", account.map_or(0, |account| account.info.nonce))
            }),
            "eth_getStorageAt" => self.account(&params[0], |_, address| {
                let slot = params[1]
                    .as_str()
                    .and_then(|slot| slot.parse::<U256>().ok());
                let value = accounts
                    .get(&address)
                    .zip(slot)
                    .and_then(|(account, slot)| account.storage.get(&slot));
                B256::from(value.copied().unwrap_or_default()).to_string()
            }),
            _ => None,
        }
    }

    fn next_head(&self) -> Option<String> {
        self.heads.fetch_add(1, SeqCst);
        Some(self.header(self.latest()).to_string())
    }
}

/// What it reads, where it runs code and is valid.
fn alone(block: &RecordedBlock, transaction: &TxEnv) -> Option<RecordedState> {
    let recording = Recording::new(&block.state);
    let mut sandbox = Sandbox::new(&recording, &block.environment);
    let execution = sandbox.execute(transaction.clone(), Checks::Pending, bounds());
    let ran = matches!(execution.exit, Exit::Succeeded | Exit::Reverted);
    let calls = !transaction.data.is_empty() && execution.gas_used > 25_000;
    drop(sandbox);
    (ran && calls).then(|| recording.into_read())
}

fn key(from: Address, to: Address, data: &[u8]) -> B256 {
    keccak256([from.as_slice(), to.as_slice(), data].concat())
}

fn object(hash: &B256, envelope: &TxEnvelope, from: Address) -> String {
    let mut object = serde_json::to_value(envelope).expect("serializes");
    object["from"] = json!(from);
    object["hash"] = json!(hash);
    object.to_string()
}
