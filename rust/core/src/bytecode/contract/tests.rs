//! What the anatomy finds, and that every code has a row.

use super::{Anatomy, Extractor, MOST_BYTES, NAMES, WIDTH};
use crate::bytecode::op;
use crate::decode::KnownSelectors;
use proptest::prelude::*;
use std::sync::Arc;

fn row(code: &[u8]) -> Vec<f32> {
    let known = KnownSelectors::from_bytes(&[0xa9, 0x05, 0x9c, 0xbb]).unwrap();
    let mut out = Vec::new();
    Extractor::new(Arc::new(known)).extract(&Anatomy::of(code), &mut out);
    out
}

fn named(code: &[u8], name: &str) -> f32 {
    let place = NAMES.iter().position(|other| *other == name).unwrap();
    row(code)[WIDTH - NAMES.len() + place]
}

fn push4(selector: u32) -> Vec<u8> {
    [&[op::PUSH4][..], &selector.to_be_bytes()].concat()
}

#[test]
fn selectors_are_parted_into_those_offered_and_those_called() {
    let mut code = Vec::new();
    // A search in halves, then solc's two ways to compare, and that of the new pipeline.
    code.extend(
        [
            &[op::DUP1][..],
            &push4(0x8000_0000),
            &[op::GT, 0x61, 0, 0, op::JUMPI],
        ]
        .concat(),
    );
    code.extend(
        [
            &[op::DUP1][..],
            &push4(0x1111_1111),
            &[op::EQ, 0x61, 0, 0, op::JUMPI],
        ]
        .concat(),
    );
    code.extend(
        [
            &push4(0x2222_2222)[..],
            &[op::DUP2, op::EQ, 0x61, 0, 0, op::JUMPI],
        ]
        .concat(),
    );
    code.extend([&push4(0x3333_3333)[..], &[op::SUB, 0x61, 0, 0, op::JUMPI]].concat());
    code.extend([0x80, 0x62, 0x44, 0x44, 0x44, op::EQ, 0x60, 0, op::JUMPI]);
    // getReserves() without its zeros, a transfer, an error, a number of three bytes.
    code.extend([0x63, 0x02, 0x40, 0xbc, 0x6b, 0x60, 0xe2, 0x1b]);
    code.extend([&push4(0xa905_9cbb)[..], &[0x60, 0xe0, 0x1b]].concat());
    code.extend([0x62, 0x46, 0x1b, 0xcd, 0x60, 0xe5, 0x1b]);
    code.extend([0x62, 0x01, 0x51, 0x80]);
    let anatomy = Anatomy::of(&code);
    let offered = [0x1111_1111, 0x2222_2222, 0x3333_3333, 0x0044_4444_u32];
    assert_eq!(anatomy.offered, offered.map(u32::to_be_bytes));
    assert_eq!(
        anatomy.called,
        [0x0902_f1ac, 0xa905_9cbb_u32].map(u32::to_be_bytes)
    );
    assert_eq!((anatomy.call_sites, anatomy.error_sites), (2, 1));
    assert!(named(&code, "functions_called_unknown") > 0.0);
}

#[test]
fn gates_amounts_and_addresses_are_told_apart() {
    let owner = [&[op::PUSH20][..], &[0x11; 20]].concat();
    let fixed = [&[op::CALLER][..], &owner, &[op::EQ]].concat();
    assert_eq!(Anatomy::of(&fixed).gates.fixed, 1);
    assert_eq!(Anatomy::of(&fixed).addresses.len(), 1);
    let stored = [0x60, 0, op::SLOAD, op::CALLER, op::EQ];
    assert_eq!(Anatomy::of(&stored).gates.stored, 1);
    assert_eq!(
        Anatomy::of(&[op::ORIGIN, op::CALLER, op::EQ]).gates.signer,
        1
    );
    // 1000 ether and 1 ether.
    let amounts = [
        &[0x68][..],
        &1_000_000_000_000_000_000_000_u128.to_be_bytes()[7..],
        &[0x67],
        &1_000_000_000_000_000_000_u64.to_be_bytes(),
    ];
    let amounts = Anatomy::of(&amounts.concat()).amounts;
    assert_eq!((amounts.whole, amounts.one), (1, 1));
}

#[test]
fn stack_operations_change_no_gram() {
    let plain = [op::CALLER, op::SLOAD, op::ISZERO, op::JUMPI, op::CALL];
    let mut noisy = Vec::new();
    for opcode in plain {
        noisy.extend([0x60, 0x5b, op::DUP2, op::SWAP1, op::POP, opcode]);
    }
    assert_eq!(Anatomy::of(&plain).grams, Anatomy::of(&noisy).grams);
    assert_eq!(Anatomy::of(&plain).effects, Anatomy::of(&noisy).effects);
}

#[test]
fn arithmetic_and_memory_change_no_effect() {
    let plain = [op::CALLER, op::SLOAD, op::ISZERO, op::JUMPI, op::CALL];
    let noisy = plain.map(|opcode| [op::MUL, op::MLOAD, op::GAS, op::JUMPDEST, opcode]);
    let (plain, noisy) = (Anatomy::of(&plain), Anatomy::of(noisy.as_flattened()));
    assert_eq!(plain.effects.iter().sum::<u16>(), 3);
    assert_eq!(plain.effects, noisy.effects);
    assert_ne!(plain.grams, noisy.grams);
}

#[test]
fn steps_are_calls_and_what_they_change_without_the_dispatcher() {
    let steps = [
        &push4(0xa905_9cbb)[..],
        &[op::CALL],
        &push4(0x08c3_79a0),
        &[op::SSTORE],
    ]
    .concat();
    let entry = [
        &push4(0x1111_1111)[..],
        &[op::DUP2, op::EQ, 0x61, 0, 0, op::JUMPI],
    ]
    .concat();
    let both = Anatomy::of(&[&entry[..], &steps].concat());
    assert_eq!(both.steps.iter().sum::<u16>(), 2);
    assert_eq!(both.steps, Anatomy::of(&steps).steps);
}

#[test]
fn long_code_is_cut_and_says_so() {
    let long = vec![op::JUMPDEST; MOST_BYTES + 1];
    let anatomy = Anatomy::of(&long);
    assert!(anatomy.cut);
    assert_eq!(anatomy.count(op::JUMPDEST) as usize, MOST_BYTES);
    assert!(!Anatomy::of(&long[1..]).cut);
}

#[test]
fn a_dispatcher_of_ten_thousand_selectors_is_bounded() {
    let entry = |selector: u32| {
        [
            &[op::DUP1][..],
            &push4(selector),
            &[op::EQ, 0x60, 0, op::JUMPI],
        ]
        .concat()
    };
    let code: Vec<u8> = (1..10_000).flat_map(entry).collect();
    let anatomy = Anatomy::of(&code);
    assert_eq!(anatomy.offered.len(), 1024);
    assert!(anatomy.cut);
}

proptest! {
    #[test]
    fn every_code_has_a_row_of_finite_numbers(code in prop::collection::vec(any::<u8>(), 0..4096)) {
        let row = row(&code);
        prop_assert_eq!(row.len(), WIDTH);
        prop_assert!(row.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn junk_that_nothing_reaches_moves_nothing(junk in prop::collection::vec(0..op::JUMPDEST, 0..64)) {
        let code = [&[op::DUP1][..], &push4(0x1111_1111), &[op::EQ, 0x61, 0, 0, op::JUMPI, op::STOP]].concat();
        prop_assert_eq!(row(&[&code[..], &junk].concat()), row(&code));
    }
}

/// Codes of 64 KiB that make the most of each part: ways through jumps, selectors, addresses, and what looks like metadata.
#[test]
fn hostile_code_of_64_kib_is_done_in_bounded_time() {
    let jump = |at: usize| {
        let [high, low] = (at as u16).to_be_bytes();
        [op::JUMPDEST, 0x5f, 0x35, 0x61, high, low, op::JUMPI]
    };
    let maze = (0..MOST_BYTES / 7).flat_map(|n| jump((n * 7919) % (MOST_BYTES / 7) * 7));
    let selectors = (0..MOST_BYTES as u32 / 11).flat_map(|n| {
        let compared = [op::EQ, 0x61, 0x5b, 0x5b, op::JUMPI];
        [
            &[op::DUP1][..],
            &push4(n.wrapping_mul(0x9e37_79b9)),
            &compared,
        ]
        .concat()
    });
    let addresses = (0..MOST_BYTES as u32 / 21).flat_map(|n| {
        let mut pushed = vec![0x73];
        pushed.extend([n.wrapping_mul(0x9e37_79b9).to_be_bytes(); 5].as_flattened());
        pushed
    });
    let metadata = [0xa2, 0x64, b'i', b'p', b'f', b's', 0x58, 0x22].repeat(MOST_BYTES / 8);
    for code in [
        maze.collect(),
        selectors.collect(),
        addresses.collect(),
        metadata,
        vec![op::JUMPDEST; 1 << 20],
    ] {
        let begun = std::time::Instant::now();
        assert!(row(&code).iter().all(|value| value.is_finite()));
        // Of a build that is not optimised, on a machine that does other things.
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }
}
