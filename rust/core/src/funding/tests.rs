use super::*;
use crate::config::{FundingConfig, FundingLimits};
use crate::error::Error;
use crate::evidence::{Funding, FundingGrade};
use std::path::Path;
use tempfile::TempDir;

mod disk;
mod flow;
mod properties;

/// Of Tornado Cash, FixedFloat and Binance on Ethereum.
const POOL: Address = address!("910cbd523d972eb0a6f4cae4618ad62622b39dbf");
const SWAP: Address = address!("4e5b2e1dc63f6b91cb6cd759936495434c7e972f");
const EXCHANGE: Address = address!("28c6c06298d514db089934071355e5743bf21d60");
const WETH: Address = address!("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2");
const DAY: u64 = 86_400;
/// When block 0 is.
const BEGIN: u64 = 1_700_000_000;

use alloy_primitives::address;

fn account(n: u8) -> Address {
    Address::repeat_byte(n)
}

/// Thousandths of an ether.
fn milli(n: u64) -> U256 {
    U256::from(n) * U256::from(10).pow(U256::from(15))
}

/// A transaction that `signer` signs, and what it moves.
fn signed(signer: Address, moves: &[(Address, Address, u64)]) -> Vec<Transfer> {
    let moves = moves.iter().map(|(from, to, value)| Transfer {
        tx: B256::ZERO,
        signer,
        from: *from,
        to: *to,
        value: milli(*value),
        token: None,
    });
    moves.collect()
}

/// What an account sends itself.
fn sends(from: Address, to: Address, value: u64) -> Vec<Transfer> {
    signed(from, &[(from, to, value)])
}

/// Each transaction gets a hash of its own.
fn block(number: u64, transactions: Vec<Vec<Transfer>>) -> Block {
    let mut transactions = transactions;
    for (n, transaction) in transactions.iter_mut().enumerate() {
        let tx = B256::from(U256::from(number) << 64 | U256::from(n + 1));
        transaction.iter_mut().for_each(|transfer| transfer.tx = tx);
    }
    Block {
        number,
        hash: hash(number, 0),
        parent: hash(number.wrapping_sub(1), 0),
        timestamp: BEGIN + 12 * number,
        transfers: transactions.concat(),
    }
}

fn hash(number: u64, branch: u8) -> B256 {
    B256::from(U256::from(number) << 8 | U256::from(branch))
}

fn config(folder: &Path) -> FundingConfig {
    FundingConfig {
        chain_id: 1,
        path: folder.join("funding.db"),
        sources: None,
        windows: [].into(),
        wrapped: None,
        least: None,
        limits: FundingLimits::default(),
    }
}

fn opened() -> (TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(config(folder.path())).unwrap();
    (folder, index)
}

/// An index that has blocks of these transactions, from 0 on.
fn fed(blocks: Vec<Vec<Vec<Transfer>>>) -> (TempDir, Index) {
    let (folder, mut index) = opened();
    for (number, transactions) in (0..).zip(blocks) {
        index.feed(&block(number, transactions)).unwrap();
    }
    (folder, index)
}

fn funding_of(index: &Index, of: Address) -> Vec<Funding> {
    index.funding_of(&of, None).unwrap()
}

/// Service, hops and amount in thousandths of an ether of each.
fn told(index: &Index, of: Address) -> Vec<(String, u8, u64)> {
    let thousandth = milli(1);
    let funding = funding_of(index, of).into_iter();
    let told = funding.map(|one| {
        let amount: U256 = one.amount / thousandth;
        (one.service.to_string(), one.hops, amount.to::<u64>())
    });
    told.collect()
}
