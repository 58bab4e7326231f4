//! The whole built-in pack on typical transactions. Each case checks its answer before it is timed.

use alloy_primitives::{Address, U256};
use criterion::{Criterion, Throughput};
use mempool_ids_core::bytecode::CodeFacts;
use mempool_ids_core::decode::{Decoded, Method};
use mempool_ids_core::signatures::{Matcher, RuleSet, Subject};
use mempool_ids_core::tx::PendingTransaction;
use std::hint::black_box;
use std::sync::Arc;

const VAULT: Address = Address::repeat_byte(0x11);

struct Case {
    name: &'static str,
    tx: PendingTransaction,
    decoded: Decoded,
    code: Option<CodeFacts>,
    touches: Vec<u16>,
    detected: bool,
}

fn call(name: &'static str, selector: u32, method: Method, words: usize, nested: &[u32]) -> Case {
    let own = selector.to_be_bytes();
    let mut input = own.to_vec();
    for n in 0..words {
        input.extend_from_slice(&U256::from(n as u64 * 1_000_003).to_be_bytes::<32>());
    }
    let tx = PendingTransaction {
        from: Address::repeat_byte(0xaa),
        to: Some(Address::repeat_byte(0x22)),
        nonce: 500,
        gas: 250_000,
        input,
        ..Default::default()
    };
    let selectors = std::iter::once(own)
        .chain(nested.iter().map(|s| s.to_be_bytes()))
        .collect();
    let decoded = Decoded {
        method,
        selectors,
        depth: u8::from(!nested.is_empty()),
        ..Default::default()
    };
    Case {
        name,
        tx,
        decoded,
        code: None,
        touches: vec![],
        detected: false,
    }
}

/// A contract of usual size: 60 functions and constants, 12 addresses.
fn code(extra: &[u32], addresses: &[Address]) -> CodeFacts {
    let mut selectors: Vec<[u8; 4]> = (1_u32..=60)
        .map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes())
        .collect();
    selectors.extend(extra.iter().map(|s| s.to_be_bytes()));
    selectors.sort_unstable();
    let mut all: Vec<Address> = (0x40..0x4c).map(Address::repeat_byte).collect();
    all.extend_from_slice(addresses);
    all.sort_unstable();
    CodeFacts {
        size: 9_000,
        call_sites: 12,
        sload_sites: 30,
        sstore_sites: 14,
        selectors,
        addresses: all,
        ..Default::default()
    }
}

fn cases() -> Vec<Case> {
    let transfer = call("token transfer", 0xa905_9cbb, Method::Builtin, 2, &[]);
    let mut payment = call("ether payment", 0, Method::Empty, 0, &[]);
    payment.tx.input.clear();
    payment.decoded = Decoded::default();
    let mut swap = call(
        "swap by a known router",
        0x38ed_1739,
        Method::Builtin,
        8,
        &[],
    );
    swap.code = Some(code(&[0x38ed_1739, 0x022c_0d9f, 0xa905_9cbb], &[]));
    let multicall = call(
        "multicall of five",
        0xac96_50d8,
        Method::Builtin,
        40,
        &[
            0xdf2a_b5bb,
            0x4a3b_1c2d,
            0x12ab_34cd,
            0x0001_0203,
            0x9999_0000,
        ],
    );
    let mut unknown = call(
        "unknown function, known code",
        0x1234_5678,
        Method::WordScan,
        6,
        &[],
    );
    unknown.code = Some(code(&[], &[]));
    let mut deposit = call(
        "deposit in the monitored vault",
        0xd0e3_0db0,
        Method::Abi,
        0,
        &[],
    );
    (deposit.tx.to, deposit.touches) = (Some(VAULT), vec![0]);
    deposit.code = Some(code(&[0xd0e3_0db0, 0x2e1a_7d4d], &[]));
    let mut attack = call("reentrancy attack", 0x9e5f_aafc, Method::WordScan, 0, &[]);
    attack.touches = vec![0];
    let mut facts = code(&[0xd0e3_0db0, 0x2e1a_7d4d], &[VAULT]);
    (facts.size, facts.sstore_sites) = (700, 1);
    // Ten blocks before: what no node tells the age of is not young.
    facts.created_at = Some(19_999_990);
    attack.code = Some(facts);
    attack.detected = true;
    vec![payment, transfer, swap, multicall, unknown, deposit, attack]
}

pub fn bench(c: &mut Criterion) {
    let rules = Arc::new(RuleSet::load(&["builtin".to_owned()]).expect("the built-in pack loads"));
    let monitored = [VAULT];
    let mut out = Vec::with_capacity(64);
    let mut group = c.benchmark_group("signatures");
    group.throughput(Throughput::Elements(1));
    for case in cases() {
        let subject = Subject {
            tx: &case.tx,
            decoded: &case.decoded,
            code: case.code.as_ref(),
            touches: &case.touches,
            code_touches: &[],
            monitored: &monitored,
            block_number: Some(20_000_000),
        };
        let mut matcher = Matcher::new(rules.clone());
        let score = matcher.evaluate(&subject, &mut out);
        assert_eq!(
            score >= 0.7,
            case.detected,
            "{}: {score} by {out:?}",
            case.name
        );
        group.bench_function(case.name, |b| {
            b.iter(|| matcher.evaluate(black_box(&subject), &mut out))
        });
    }
    group.finish();
    c.bench_function("signatures/load the built-in pack", |b| {
        b.iter(|| RuleSet::load(black_box(&["builtin".to_owned()])).expect("loads"));
    });
}
