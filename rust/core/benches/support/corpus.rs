//! Transactions to measure on: real ones where the data folder is there, else a few made by this project.

#![allow(dead_code)] // Each bench uses a part of it.

use alloy_dyn_abi::{DynSolValue, JsonAbiExt};
use alloy_json_abi::Function;
use alloy_primitives::{Address, U256, address, hex};
use mempool_ids_core::tx::PendingTransaction;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

pub const ALICE: Address = address!("a11ce00000000000000000000000000000000001");

/// Folder of the real data: `MEMPOOL_IDS_DATA`, else `../shared/data` beside the repository.
pub fn data() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    std::env::var_os("MEMPOOL_IDS_DATA").map_or_else(|| beside.into(), PathBuf::from)
}

/// What is measured on, and its name for the report.
pub fn load() -> (&'static str, Vec<PendingTransaction>) {
    let path = data().join("transactions/train.parquet");
    match File::open(&path) {
        Ok(file) => {
            let reader = SerializedFileReader::new(file).expect("a Parquet file");
            let rows = reader.get_row_iter(None).expect("rows");
            let transactions: Vec<_> = rows
                .enumerate()
                .map(|(i, row)| transaction(i, &row.expect("a row")))
                .collect();
            eprintln!("{} transactions of {}", transactions.len(), path.display());
            ("real", transactions)
        }
        Err(reason) => {
            eprintln!("made-up transactions: {}: {reason}", path.display());
            ("made_up", made_up())
        }
    }
}

fn transaction(position: usize, row: &Row) -> PendingTransaction {
    // Arrivals 80 ms apart, as on mainnet.
    let mut tx = PendingTransaction {
        seen_ms: 1_700_000_000_000 + position as u64 * 80,
        ..Default::default()
    };
    let mut gas_price = 0;
    for (name, field) in row.get_column_iter() {
        match (name.as_str(), field) {
            ("to", Field::Str(text)) => tx.to = text.parse().ok(),
            ("from", Field::Str(text)) => tx.from = text.parse().unwrap_or_default(),
            ("value", Field::Str(text)) => tx.value = text.parse().unwrap_or_default(),
            ("nonce", Field::Long(v)) => tx.nonce = *v as u64,
            ("gas", Field::Long(v)) => tx.gas = *v as u64,
            ("gas_price", Field::Long(v)) => gas_price = *v as u128,
            ("max_fee_per_gas", Field::Long(v)) => tx.max_fee_per_gas = *v as u128,
            ("max_priority_fee_per_gas", Field::Long(v)) => {
                tx.max_priority_fee_per_gas = *v as u128
            }
            ("input", Field::Bytes(bytes)) => tx.input = bytes.data().to_vec(),
            _ => {}
        }
    }
    if tx.max_fee_per_gas == 0 {
        tx.max_fee_per_gas = gas_price;
        tx.max_priority_fee_per_gas = gas_price;
    }
    tx
}

fn encode(signature: &str, values: &[DynSolValue]) -> Vec<u8> {
    Function::parse(signature)
        .expect("a signature")
        .abi_encode_input(values)
        .expect("arguments that fit")
}

fn call(input: Vec<u8>) -> PendingTransaction {
    let to = address!("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48");
    PendingTransaction {
        to: Some(to),
        gas: 100_000,
        nonce: 9,
        input,
        ..Default::default()
    }
}

fn uint(v: u64) -> DynSolValue {
    DynSolValue::Uint(U256::from(v), 256)
}

pub fn transfer() -> PendingTransaction {
    call(encode(
        "transfer(address,uint256)",
        &[ALICE.into(), uint(5)],
    ))
}

/// As benches/peers.py has it.
pub fn swap() -> PendingTransaction {
    let hop = |n: u8| DynSolValue::Address(Address::with_last_byte(n));
    let signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)";
    let arguments = [
        uint(10_u64.pow(18)),
        uint(10_u64.pow(17)),
        DynSolValue::Array(vec![hop(1), hop(2), hop(3)]),
        hop(9),
        uint(1_700_000_000),
    ];
    call(encode(signature, &arguments))
}

fn made_up() -> Vec<PendingTransaction> {
    let swap = swap().input;
    let calls = [transfer().input, swap.clone()]
        .map(DynSolValue::Bytes)
        .to_vec();
    let unknown = [&[0xde, 0xad, 0xbe, 0xef], &swap[4..]].concat();
    vec![
        call(vec![]),
        transfer(),
        call(swap),
        call(encode("multicall(bytes[])", &[DynSolValue::Array(calls)])),
        call(unknown),
    ]
}

/// Calldata made to cost the most: one 64 KiB blob given as each of 2,000 calls, a function of the table that its
/// arguments do not fit after all of them were read, and words that each could begin a call.
pub fn hostile() -> [(&'static str, PendingTransaction); 3] {
    let word = |v: usize| U256::from(v).to_be_bytes::<32>();
    let multicall = [0xac, 0x96, 0x50, 0xd8];
    let mut one_blob = [multicall.as_slice(), &word(32), &word(2000)].concat();
    (0..2000).for_each(|_| one_blob.extend(word(2000 * 32)));
    one_blob.extend(word(65_536));
    one_blob.extend(ALICE.into_word().repeat(2048));
    // batchTransfer(address[],uint256) whose last address has a bit too many.
    let mut airdrop = [
        hex::decode("83f12fec").expect("hex").as_slice(),
        &word(64),
        &word(1),
        &word(4000),
    ]
    .concat();
    (1..=4000).for_each(|i| airdrop.extend(word(i << 48 | i)));
    let at = airdrop.len() - 32;
    airdrop[at] = 1;
    let mut lengths = vec![0xde, 0xad, 0xbe, 0xef];
    (0..4096).for_each(|_| lengths.extend(word(36)));
    [
        ("one_blob", call(one_blob)),
        ("airdrop", call(airdrop)),
        ("lengths", call(lengths)),
    ]
}

/// Prints p50, p90 and p99 of the time of one of them, in nanoseconds: each is the mean of a few runs in a row, so
/// that the clock's own cost does not count.
pub fn print_percentiles<T>(name: &str, items: &[T], mut run: impl FnMut(&T)) {
    const RUNS: u32 = 16;
    let mut nanoseconds: Vec<u128> = items
        .iter()
        .map(|item| {
            let start = Instant::now();
            (0..RUNS).for_each(|_| run(item));
            start.elapsed().as_nanos() / u128::from(RUNS)
        })
        .collect();
    nanoseconds.sort_unstable();
    let at = |q: usize| nanoseconds[(nanoseconds.len() - 1) * q / 100];
    eprintln!(
        "{name}: each p50 {} ns, p90 {} ns, p99 {} ns, max {} ns",
        at(50),
        at(90),
        at(99),
        at(100)
    );
}
