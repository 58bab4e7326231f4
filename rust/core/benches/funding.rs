//! Who was funded: a look-up, and a block taken in, on an index that is as full as it gets: `cargo bench --bench funding`.

use alloy_primitives::{Address, B256, U256, address};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mempool_ids_core::config::FundingConfig;
use mempool_ids_core::funding::{Block, Fed, Index, Transfer};
use std::hint::black_box;

const POOL: Address = address!("910cbd523d972eb0a6f4cae4618ad62622b39dbf");
/// Of a block: so many by a service, so many by accounts that it paid before, the rest by others.
const TRANSFERS: u64 = 300;
const PAID: u64 = 10;
const PASSED_ON: u64 = 10;
const FULL: u64 = 500_000;

fn account(n: u64) -> Address {
    let spread = U256::from(n).wrapping_mul(U256::from(0x9e37_79b9_7f4a_7c15_u64));
    Address::from_word(B256::from((spread << 64) | U256::from(n)))
}

/// A service pays the first `paid` accounts of the block's own; then some of block `earlier` pass on what they had.
fn block(number: u64, paid: u64, transfers: u64, earlier: u64) -> Block {
    let transfer = |n: u64| {
        let had = paid <= n && n < paid + PASSED_ON;
        let signer = if had {
            account(earlier << 20 | n)
        } else {
            account(1 << 60 | number << 20 | n)
        };
        Transfer {
            tx: B256::from(U256::from(number << 32 | n)),
            signer,
            from: if n < paid { POOL } else { signer },
            to: account(number << 20 | n),
            value: U256::from(10_u64.pow(if had { 16 } else { 17 })),
            token: None,
        }
    };
    Block {
        number,
        hash: B256::from(U256::from(number + 1)),
        parent: B256::from(U256::from(number)),
        timestamp: 1_700_000_000 + 12 * number,
        transfers: (0..transfers).map(transfer).collect(),
    }
}

fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = FundingConfig {
        chain_id: 1,
        path: folder.path().join("funding.db"),
        sources: None,
        windows: [].into(),
        wrapped: None,
        least: None,
        limits: Default::default(),
    };
    let path = config.path.clone();
    let mut index = Index::open(config).expect("opens");
    let mut number = 0;
    while index.state().expect("readable").records < FULL {
        index.feed(&block(number, 5_000, 5_000, 0)).expect("fed");
        number += 1;
    }
    let filled = number;
    let bytes = std::fs::metadata(&path).expect("there").len();
    eprintln!("funding: {FULL} records, {} MB on disk", bytes >> 20);
    let mut group = criterion.benchmark_group("funding");
    let known = account((number - 1) << 20 | 7);
    assert_eq!(index.funding_of(&known, None).expect("readable").len(), 1);
    group.bench_function("look-up, funded", |bencher| {
        bencher.iter(|| index.funding_of(black_box(&known), None).expect("readable"));
    });
    let unknown = Address::repeat_byte(1);
    assert_eq!(index.funding_of(&unknown, None).expect("readable"), []);
    group.bench_function("look-up, unknown", |bencher| {
        bencher.iter(|| {
            index
                .funding_of(black_box(&unknown), None)
                .expect("readable")
        });
    });
    group.bench_function("a block of 300 transfers", |bencher| {
        let next = || {
            number += 1;
            block(number, PAID, TRANSFERS, filled - 1 - number % (filled / 2))
        };
        let feed = |block: Block| {
            let fed = index.feed(&block).expect("fed");
            assert!(matches!(fed, Fed::Added { records, .. } if records >= 10));
        };
        bencher.iter_batched(next, feed, BatchSize::PerIteration);
    });
    group.finish();
    let state = index.state().expect("readable");
    assert!(state.records == FULL && state.evicted > 0);
}

criterion_group!(funding, bench);
criterion_main!(funding);
