use super::*;
use crate::bytecode::CodeFacts;
use crate::features::payload::{byte_entropy, selector_entropy};
use alloy_primitives::{B256, hex};
use proptest::prelude::*;

fn isolated(tx: &PendingTransaction) -> FeatureVector {
    extractor(10).extract_isolated(tx, &decode(tx), None, &ChainView::default())
}

fn close(a: f32, b: f64) -> bool {
    (f64::from(a) - b).abs() < 1e-5
}

#[test]
fn entropies_of_known_bytes() {
    // a 9 0 5 9 c b b: four nibbles once, two twice: 4·(1/8·3) + 2·(2/8·2) = 2.5.
    assert!(close(selector_entropy([0xa9, 0x05, 0x9c, 0xbb]), 2.5));
    assert!(close(selector_entropy([0; 4]), 0.0));
    assert!(close(selector_entropy([0x01, 0x23, 0x45, 0x67]), 3.0));
    // Six of one, two of another: 3/4·log₂(4/3) + 1/4·2.
    assert!(close(selector_entropy([0x11, 0x11, 0x11, 0x22]), 0.811_278));
    assert_eq!(byte_entropy(&[7; 100]), 0.0);
    assert_eq!(byte_entropy(&[1, 2, 3, 4]), 2.0);
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(byte_entropy(&all), 8.0);
    assert!((byte_entropy(&all.repeat(20)) - 8.0).abs() < 1e-9);
    // 24 zeros (skipped in eights) and 8 ones: 3/4·log₂(4/3) + 1/4·2.
    assert!((byte_entropy(&[[0; 24].as_slice(), &[1; 8]].concat()) - 0.811_278_124).abs() < 1e-9);
    assert!(
        (byte_entropy(&[[0; 2400].as_slice(), &[1; 800]].concat()) - 0.811_278_124).abs() < 1e-9
    );
}

#[test]
fn a_token_transfer_has_the_row_worked_out_by_hand() {
    let mut tx = call(0xa9059cbb, &[ALICE.into_word().into(), U256::from(5)]);
    tx.value = U256::from(999);
    let row = isolated(&tx);
    // 68 bytes: zero 58 times (12 and 14 in the address, 31 in the amount, …), the rest by counting.
    let mut counts = std::collections::BTreeMap::new();
    tx.input
        .iter()
        .for_each(|b| *counts.entry(b).or_insert(0.0) += 1.0 / 68.0);
    let entropy: f64 = counts.values().map(|p: &f64| -p * p.log2()).sum();
    let expected = [
        2.5,
        0.0,
        0.0,
        0.0,
        0.5,
        0.0,
        3_f64.ln(),
        entropy / 16.0,
        3.0,
        -1.0,
        -1.0,
        14.358_101_7 / 24.0,
        0.0,
        -1.0,
        -1.0,
        -1.0,
        0.0,
        0.0,
        0.0,
        0.0,
        -1.0,
        -1.0,
    ];
    for (i, (got, want)) in row.iter().zip(expected).enumerate() {
        assert!(close(*got, want), "{}: {got} is not {want}", NAMES[i]);
    }
}

#[test]
fn what_cannot_be_known_is_missing() {
    let plain = isolated(&PendingTransaction {
        to: Some(ALICE),
        gas: 21_000,
        ..Default::default()
    });
    let expect = |row: &FeatureVector, values: &[(usize, f32)]| {
        values.iter().for_each(|(number, value)| {
            assert_eq!(row[number - 1], *value, "{}", NAMES[number - 1])
        });
    };
    expect(
        &plain,
        &[
            (1, -1.0),
            (2, 0.0),
            (3, 0.0),
            (4, 0.0),
            (5, -1.0),
            (6, -1.0),
            (7, 0.0),
            (8, -1.0),
            (9, 0.0),
        ],
    );
    let short = isolated(&PendingTransaction {
        to: Some(ALICE),
        input: vec![1, 2, 3],
        ..Default::default()
    });
    expect(
        &short,
        &[(1, -1.0), (2, 0.0), (5, -1.0), (7, 0.0), (12, -1.0)],
    );
    let init = hex!("5f5f5f5f" "5f54" "335af1" "50" "5f5f55" "00").to_vec();
    let creation = isolated(&PendingTransaction {
        to: None,
        input: init,
        ..Default::default()
    });
    expect(
        &creation,
        &[
            (1, -1.0),
            (2, -1.0),
            (3, -1.0),
            (4, -1.0),
            (5, -1.0),
            (6, -1.0),
            (13, 0.0),
            (14, 0.0),
        ],
    );
    expect(&creation, &[(16, 0.5), (21, -1.0), (22, 0.0)]);
    assert!(
        close(creation[14], 2_f64.ln()),
        "one call site in the init code"
    );
    assert!(
        close(creation[16], 0.4),
        "the reentrancy shape in the init code"
    );
    assert!(creation[6] > 0.0 && creation[7] > 0.0);
}

#[test]
fn a_function_is_unknown_if_no_list_has_it() {
    assert_eq!(isolated(&call(0xdeadbeef, &[]))[1], 1.0);
    assert_eq!(isolated(&call(0x12345678, &[]))[1], 0.0, "in the known set");
    assert_eq!(
        isolated(&call(0xa9059cbb, &[]))[1],
        0.0,
        "in the built-in table"
    );
}

#[test]
fn words_are_sorted_into_small_large_and_unlimited() {
    let ratios = |words: &[U256]| {
        let row = isolated(&call(0xdeadbeef, words));
        (row[3], row[4], row[5])
    };
    let one = U256::from(1);
    for bits in [96, 112, 128, 160, 255] {
        assert_eq!(ratios(&[(one << bits) - one]), (1.0, 0.0, 0.0), "{bits}");
    }
    assert_eq!(ratios(&[U256::MAX]), (1.0, 0.0, 0.0));
    for bits in [64, 95, 97, 144, 159, 161, 254] {
        assert_eq!(ratios(&[(one << bits) - one]).0, 0.0, "{bits}");
    }
    assert_eq!(ratios(&[one << 160]), (0.0, 0.0, 1.0));
    assert_eq!(
        ratios(&[(one << 160) - U256::from(2)]),
        (0.0, 0.0, 0.0),
        "160 bits"
    );
    assert_eq!(
        ratios(&[one << 255]),
        (0.0, 0.0, 1.0),
        "a power of two is a number"
    );
    let text = U256::from_be_bytes(B256::right_padding_from(b"USDC").0);
    assert_eq!(ratios(&[text]), (0.0, 0.0, 0.0), "left-aligned bytes");
    assert_eq!(
        ratios(&[U256::ZERO, one, U256::from(9), U256::from(10)]),
        (0.0, 0.5, 0.0)
    );
    // A last word cut short is padded with zeros on the right: 09 becomes 9·2²⁴⁸, no small number.
    let mut cut = call(0xdeadbeef, &[]);
    cut.input.push(9);
    assert_eq!(isolated(&cut)[4], 0.0);
}

#[test]
fn offsets_that_can_be_followed_make_parameters_complex() {
    let offsets = |words: &[u64]| {
        let words: Vec<U256> = words.iter().map(|w| U256::from(*w)).collect();
        let tx = call(0xdeadbeef, &words);
        (f64::from(isolated(&tx)[7]) - byte_entropy(&tx.input) / 16.0) * 16.0
    };
    assert!(
        (offsets(&[64, 96, 0, 0]) - 2.0).abs() < 1e-4,
        "two arguments of length 0"
    );
    assert!(
        (offsets(&[32, 32, 7]) - 1.0).abs() < 1e-4,
        "the length at 32 is the word 32: within 32 bytes; 32 is not after 1"
    );
    assert!(offsets(&[32, 33]).abs() < 1e-4, "longer than what follows");
    assert!(offsets(&[64, 5]).abs() < 1e-4, "outside");
    assert!(offsets(&[33, 5, 1]).abs() < 1e-4, "not a multiple of 32");
    let ten: Vec<u64> = (0..10).map(|i| 320 + 32 * i).chain([0; 10]).collect();
    assert!((offsets(&ten) - 8.0).abs() < 1e-4, "clipped at eight");
}

#[test]
fn code_features_arrive_with_the_code() {
    let code = CodeFacts {
        size: 100,
        delegatecall: true,
        call_sites: 3,
        sload_sites: 3,
        sstore_sites: 1,
        created_at: Some(90),
        ..CodeFacts::default()
    };
    let chain = ChainView {
        next_base_fee: None,
        block_number: Some(100),
    };
    // The argument is USDC, a known address.
    let tx = call(0xa9059cbb, &[TOKEN.into_word().into(), U256::from(5)]);
    let decoded = decode(&tx);
    let with_code = extractor(10).extract(&tx, &decoded, Some(&code), &chain);
    assert_eq!((with_code[13], with_code[15]), (1.0, 0.25));
    assert!(close(with_code[14], 5_f64.ln()) && close(with_code[21], 11_f64.ln()));
    let mut later = extractor(10).extract(&tx, &decoded, None, &chain);
    assert_eq!(
        (later[13], later[14], later[15], later[21]),
        (-1.0, -1.0, -1.0, -1.0)
    );
    extractor(10).refresh_code(&mut later, &tx, &decoded, &code, &chain);
    assert_eq!(later, with_code);
    let proxy = CodeFacts {
        known_proxy: true,
        ..code
    };
    assert_eq!(
        extractor(10).extract(&tx, &decoded, Some(&proxy), &chain)[13],
        0.0
    );
    let none = extractor(10).extract(&tx, &decoded, Some(&CodeFacts::default()), &chain);
    assert_eq!((none[13], none[15], none[21]), (0.0, 0.0, -1.0));
}

#[test]
fn pattern_scores_combine_their_evidence() {
    let scores = |tx: &PendingTransaction, code: Option<&CodeFacts>| {
        let row = extractor(10).extract_isolated(tx, &decode(tx), code, &ChainView::default());
        (row[16], row[17], row[18])
    };
    let withdraw = call(0x2e1a7d4d, &[U256::from(5)]);
    let (reentrancy, flash, price) = scores(&withdraw, None);
    assert!(close(reentrancy, 0.1) && flash == 0.0 && price == 0.0);
    let vulnerable = CodeFacts {
        value_call_before_sstore: true,
        ..CodeFacts::default()
    };
    assert!(close(
        scores(&withdraw, Some(&vulnerable)).0,
        1.0 - 0.9 * 0.6
    ));
    // Attack contract: names uniswapV2Call, swap, borrow and the Balancer vault.
    let attack =
        hex!("6310d1e85c" "63022c0d9f" "63c5ebeaec" "73ba12222222228d8ba445958a75a0704d566bf2c8");
    let attack = CodeFacts::scan(&attack, None);
    let (_, flash, price) = scores(&call(0xdeadbeef, &[]), Some(&attack));
    assert!(close(flash, 1.0 - 0.4 * 0.8) && price == 0.5);
    // The transaction borrows, the code swaps.
    assert_eq!(
        scores(&call(0xc5ebeaec, &[U256::from(1)]), Some(&attack)).2,
        0.7
    );
    let vault = address!("ba12222222228d8ba445958a75a0704d566bf2c8");
    let loan = PendingTransaction {
        to: Some(vault),
        ..call(0x5c38449e, &[])
    };
    assert!(close(scores(&loan, None).1, 1.0 - 0.3 * 0.7));
}

#[test]
fn fees_are_ranked_by_the_effective_tip() {
    let mut extractor = extractor(100);
    let chain = ChainView {
        next_base_fee: Some(10),
        block_number: None,
    };
    // Tips 0 to 39 wei: the cap less the base fee is below the priority fee.
    let mut rows = (0..40).map(|i| {
        let tx = PendingTransaction {
            max_fee_per_gas: 10 + i,
            max_priority_fee_per_gas: 1000,
            ..call(0xa9059cbb, &[])
        };
        extractor.extract(&tx, &decode(&tx), None, &chain)
    });
    assert!(
        rows.by_ref()
            .take(32)
            .all(|row| row[9] == MISSING && row[10] == MISSING)
    );
    assert!(
        rows.all(|row| row[9] == 1.0),
        "each tip is above all before it"
    );
}

#[test]
fn the_same_stream_gives_the_same_rows() {
    let stream: Vec<PendingTransaction> = (0..3000_u64)
        .map(|i| PendingTransaction {
            from: Address::from_word(U256::from(i * i % 97).into()),
            to: Some(Address::from_word(U256::from(i * 7 % 31).into())),
            nonce: i % 20,
            seen_ms: 1_700_000_000_000 + i * i % 911 + i * 40,
            max_fee_per_gas: u128::from(i * 31 % 1009) * 1_000_000_000,
            max_priority_fee_per_gas: 100_000_000_000,
            ..call(0xa9059cbb, &[])
        })
        .collect();
    let run = || {
        let mut extractor = extractor(16);
        let rows = stream
            .iter()
            .map(|tx| extractor.extract(tx, &decode(&stream[0]), None, &ChainView::default()));
        rows.collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

/// Upper ends of the documented ranges; the lower end is 0, or MISSING.
const HIGHEST: [f64; FEATURES] = [
    3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 8.5, 1.0, 30.0, 1.0, 1.0, 1.0, 16.0, 1.0, 12.0, 1.0, 1.0, 1.0,
    1.0, 1.0, 1.0, 45.0,
];

fn any_transaction() -> impl Strategy<Value = PendingTransaction> {
    let word = prop_oneof![
        any::<[u8; 32]>(),
        (0_u64..300).prop_map(|v| U256::from(v).to_be_bytes()),
        Just([0xff; 32])
    ];
    let input = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (any::<[u8; 4]>(), prop::collection::vec(word, 0..60)).prop_map(|(s, words)| [
            s.as_slice(),
            words.as_flattened()
        ]
        .concat()),
    ];
    let to = prop::option::weighted(0.9, (0_u8..4).prop_map(Address::with_last_byte));
    let fees = (any::<u128>(), any::<u128>());
    (
        input,
        to,
        any::<[u64; 4]>(),
        any::<u64>(),
        prop_oneof![any::<u64>(), 0_u64..9],
        any::<u64>(),
        fees,
    )
        .prop_map(
            |(
                input,
                to,
                value,
                gas,
                nonce,
                seen_ms,
                (max_fee_per_gas, max_priority_fee_per_gas),
            )| PendingTransaction {
                input,
                to,
                value: U256::from_limbs(value),
                gas,
                nonce,
                seen_ms,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                from: Address::with_last_byte(nonce as u8 % 7),
                ..Default::default()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..Default::default() })]

    #[test]
    fn every_feature_is_finite_and_in_its_range(
        stream in prop::collection::vec((any_transaction(), prop::collection::vec(any::<u8>(), 0..300)), 1..80),
        head in any::<u64>(),
        base_fee in prop::option::of(any::<u128>()),
    ) {
        let mut extractor = extractor(4);
        let chain = ChainView { next_base_fee: base_fee, block_number: Some(head) };
        let mut decoded = Decoded::default();
        for (tx, code) in stream {
            DECODER.decode(&tx, &mut decoded);
            let code = CodeFacts::scan(&code, Some(tx.nonce));
            let row = extractor.extract(&tx, &decoded, Some(&code), &chain);
            for i in 0..FEATURES {
                let value = f64::from(row[i]);
                let in_range = (0.0..=HIGHEST[i]).contains(&value) || row[i] == MISSING;
                prop_assert!(in_range, "{} = {}", NAMES[i], value);
            }
        }
    }
}
