//! Whole blocks of mainnet, from its first year to 2024, with the state before them.

use super::recorded::{Number, archive, shared};
use alloy_consensus::TxEnvelope;
use alloy_primitives::map::B256Map;
use alloy_primitives::{Address, B256, Bloom, U256, address, hex, keccak256};
use flate2::read::GzDecoder;
use mempool_ids_core::chain::{ChainSpec, forks::HeaderFields};
use mempool_ids_core::simulate::evm::StateError;
use mempool_ids_core::simulate::evm::diff::StateDiff;
use mempool_ids_core::simulate::evm::environment::Environment;
use mempool_ids_core::simulate::evm::tracer::Bounds;
use mempool_ids_core::simulate::evm::transaction::from_envelope;
use mempool_ids_core::simulate::state::{RecordedAccount, RecordedState};
use revm::bytecode::Bytecode;
use revm::context::{BlockEnv, TxEnv};
use revm::state::AccountInfo;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

/// EIP-4788.
const BEACON_ROOTS: Address = address!("000f3df6d732807ef1319fb7b8bb8522d0beac02");
const BEACON_ROOTS_LENGTH: u64 = 8_191;
/// The codes were recorded as an interpreter keeps them: with zeros behind, so that it never reads beyond.
const PADDING: usize = 33;

/// One block, and the state before its first transaction.
pub struct RecordedBlock {
    pub header: Header,
    /// Each with its hash.
    pub transactions: Vec<(B256, TxEnvelope, TxEnv)>,
    pub environment: Environment,
    pub state: RecordedState,
    /// Accounts whose code was not recorded.
    pub without_code: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    pub number: Number,
    pub parent_hash: B256,
    pub miner: Address,
    pub timestamp: Number,
    pub gas_limit: Number,
    pub gas_used: Number,
    pub difficulty: Number,
    pub mix_hash: B256,
    pub receipts_root: B256,
    pub logs_bloom: Bloom,
    pub base_fee_per_gas: Option<Number>,
    pub excess_blob_gas: Option<Number>,
    pub parent_beacon_block_root: Option<B256>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(flatten)]
    header: Header,
    transactions: Vec<Value>,
}

#[derive(Deserialize)]
struct Account {
    balance: Number,
    nonce: u64,
    code_hash: Option<B256>,
    storage: BTreeMap<String, Number>,
}

#[derive(Deserialize)]
struct Code {
    code: Option<String>,
}

/// All of them, by number; none where the shared data is not there.
pub fn blocks() -> Vec<RecordedBlock> {
    let (Some(path), Some(codes)) = (shared("mainnet-blocks-prestate.tar.gz"), codes()) else {
        return Vec::new();
    };
    let files = archive(&path, ".json");
    // In each folder block.json, then pre_state.json.
    let pairs = files.chunks_exact(2);
    let mut blocks: Vec<_> = pairs
        .map(|pair| {
            let [(block, block_json), (pre_state, pre_state_json)] = pair else {
                unreachable!("pairs");
            };
            assert!(block.ends_with("/block.json") && pre_state.ends_with("/pre_state.json"));
            RecordedBlock::read(block_json, pre_state_json, &codes)
        })
        .collect();
    blocks.sort_by_key(|block| block.header.number.u64());
    blocks
}

fn codes() -> Option<B256Map<Bytecode>> {
    let file = File::open(shared("mainnet-blocks-codes.jsonl.gz")?).unwrap();
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let codes = lines.filter_map(|line| {
        let Code { code } = serde_json::from_str(&line.unwrap()).unwrap();
        let mut code = hex::decode(code?).unwrap();
        let padding = code.split_off(code.len() - PADDING);
        assert_eq!(padding, [0; PADDING]);
        Some((keccak256(&code), Bytecode::new_raw(code.into())))
    });
    Some(codes.collect())
}

impl RecordedBlock {
    fn read(block: &str, pre_state: &str, codes: &B256Map<Bytecode>) -> Self {
        let Block {
            header,
            transactions,
        } = serde_json::from_str(block).unwrap();
        let accounts: BTreeMap<Address, Account> = serde_json::from_str(pre_state).unwrap();
        let mut state = RecordedState::default();
        let mut without_code = 0;
        for (address, account) in accounts {
            let mut info = AccountInfo {
                balance: account.balance.0,
                nonce: account.nonce,
                // Among the state's, by its hash.
                code: None,
                ..AccountInfo::default()
            };
            if let Some(hash) = account.code_hash {
                info.code_hash = hash;
                match codes.get(&hash) {
                    Some(code) => _ = state.codes.insert(hash, code.clone()),
                    None => without_code += 1,
                }
            }
            // Without leading zeros, thus sometimes with half a byte.
            let slot = |text: &str| text.parse::<U256>().unwrap();
            let storage = account.storage.iter();
            let storage = storage.map(|(at, value)| (slot(at), value.0)).collect();
            let account = RecordedAccount { info, storage };
            state.accounts.insert(address, account);
        }
        let number = header.number.u64();
        state.block_hashes.insert(number - 1, header.parent_hash);
        begin(&header, &mut state);
        Self {
            environment: environment(&header),
            transactions: transactions.iter().map(transaction).collect(),
            header,
            state,
            without_code,
        }
    }

    /// Whether this is missing in the record, rather than not being found there.
    pub fn lacks(&self, reason: &StateError) -> bool {
        match reason {
            StateError::NoCode(hash) => !self.state.codes.contains_key(hash),
            // Only its parent's is recorded.
            StateError::NoBlockHash(number) => *number != self.header.number.u64() - 1,
            _ => false,
        }
    }
}

/// Wide enough that nothing of what was recorded is cut.
pub fn bounds() -> Bounds {
    Bounds {
        deadline: Instant::now() + Duration::from_secs(60),
        frames: 1 << 20,
        bytes: 1 << 30,
        accesses: 1 << 20,
    }
}

/// Makes the state what an execution on it left.
pub fn apply(state: &mut RecordedState, diff: &StateDiff) {
    for (address, account) in diff.0.iter().filter(|(_, account)| account.changed()) {
        let Some(after) = &account.after else {
            state.accounts.remove(address);
            continue;
        };
        if let Some(code) = &after.code {
            state
                .codes
                .entry(after.code_hash)
                .or_insert_with(|| code.clone());
        }
        let known = state.accounts.entry(*address).or_default();
        known.info = AccountInfo {
            code: None,
            ..after.clone()
        };
        let slots = account.storage.iter();
        known
            .storage
            .extend(slots.map(|(slot, (_, after))| (*slot, *after)));
    }
}

/// What the block's system call writes before its transactions.
fn begin(header: &Header, state: &mut RecordedState) {
    let Some(root) = header.parent_beacon_block_root else {
        return;
    };
    if let Some(beacon) = state.accounts.get_mut(&BEACON_ROOTS) {
        let at = header.timestamp.u64() % BEACON_ROOTS_LENGTH;
        beacon.storage.insert(U256::from(at), header.timestamp.0);
        let root_at = U256::from(at + BEACON_ROOTS_LENGTH);
        beacon.storage.insert(root_at, root.into());
    }
}

fn environment(header: &Header) -> Environment {
    let rules = ChainSpec::of(1).rules(
        header.number.u64(),
        header.timestamp.u64(),
        HeaderFields::default(),
    );
    let fraction = rules.blobs.update_fraction as u64;
    let mut block = BlockEnv {
        number: header.number.0,
        beneficiary: header.miner,
        timestamp: header.timestamp.0,
        gas_limit: header.gas_limit.u64(),
        basefee: header.base_fee_per_gas.map_or(0, Number::u64),
        difficulty: header.difficulty.0,
        prevrandao: Some(header.mix_hash),
        ..BlockEnv::default()
    };
    if let Some(excess) = header.excess_blob_gas {
        block.set_blob_excess_gas_and_price(excess.u64(), fraction);
    }
    Environment {
        chain_id: 1,
        fork: rules.fork,
        block,
        blob_base_fee_update_fraction: Some(fraction),
    }
}

fn transaction(json: &Value) -> (B256, TxEnvelope, TxEnv) {
    let field = |name: &str| json[name].as_str().expect("a string");
    let hash = field("hash").parse().unwrap();
    let sender: Address = field("from").parse().unwrap();
    let envelope: TxEnvelope =
        serde_json::from_value(json.clone()).unwrap_or_else(|e| panic!("{hash}: {e}"));
    let transaction = from_envelope(&envelope, sender);
    (hash, envelope, transaction)
}
