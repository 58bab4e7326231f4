//! Expected values are written out or come from alloy's encoder, never from the code under test.

use super::*;
use crate::error::Error;
use alloy_dyn_abi::{DynSolValue, JsonAbiExt};
use alloy_json_abi::Function;
use alloy_primitives::{U256, address, hex};
use proptest::prelude::*;
use std::sync::LazyLock;

static DECODER: LazyLock<Decoder> = LazyLock::new(|| Decoder::new(&[]));
const ALICE: Address = address!("a11ce00000000000000000000000000000000001");
const TOKEN: Address = address!("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48");
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const UNKNOWN: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];

fn call_of(input: Vec<u8>) -> PendingTransaction {
    PendingTransaction {
        to: Some(TOKEN),
        input,
        ..Default::default()
    }
}

fn decode(input: Vec<u8>) -> Decoded {
    let mut out = Decoded::default();
    DECODER.decode(&call_of(input), &mut out);
    out
}

fn encode(signature: &str, values: &[DynSolValue]) -> Vec<u8> {
    Function::parse(signature)
        .unwrap()
        .abi_encode_input(values)
        .unwrap()
}

fn uint(v: u64) -> DynSolValue {
    DynSolValue::Uint(U256::from(v), 256)
}

fn transfer(to: Address) -> Vec<u8> {
    encode("transfer(address,uint256)", &[to.into(), uint(5)])
}

fn multicall(calls: Vec<Vec<u8>>) -> Vec<u8> {
    let calls = calls.into_iter().map(DynSolValue::Bytes).collect();
    encode("multicall(bytes[])", &[DynSolValue::Array(calls)])
}

#[test]
fn a_transfer_is_read_by_the_table() {
    let decoded = decode(
        hex!(
            "a9059cbb"
            "000000000000000000000000a11ce00000000000000000000000000000000001"
            "00000000000000000000000000000000000000000000000000000000000f4240"
        )
        .to_vec(),
    );
    let expected = Decoded {
        method: Method::Builtin,
        addresses: vec![ALICE],
        selectors: vec![TRANSFER],
        ..Default::default()
    };
    assert_eq!(decoded, expected);
}

#[test]
fn without_calldata_or_callee_there_is_nothing_to_read() {
    assert_eq!(decode(vec![]).method, Method::Empty);
    let mut out = decode(transfer(ALICE));
    DECODER.decode(
        &PendingTransaction {
            to: None,
            input: transfer(ALICE),
            ..Default::default()
        },
        &mut out,
    );
    assert_eq!(
        out,
        Decoded {
            method: Method::Creation,
            ..Default::default()
        }
    );
    assert_eq!(
        decode(vec![0xa9, 0x05, 0x9c]),
        Decoded {
            method: Method::WordScan,
            ..Default::default()
        }
    );
}

#[test]
fn arguments_that_do_not_fit_are_scanned_and_say_why() {
    let reason_of = |input: Vec<u8>| {
        let decoded = decode(input);
        assert_eq!(decoded.method, Method::WordScan);
        decoded.anomaly
    };
    let mut dirty = transfer(ALICE);
    dirty[4] = 1;
    assert_eq!(
        reason_of(dirty),
        Some("address argument is longer than 160 bits")
    );
    let mut short = transfer(ALICE);
    short.pop();
    assert_eq!(
        reason_of(short),
        Some("calldata is shorter than its arguments")
    );
    let mut two = encode(
        "setApprovalForAll(address,bool)",
        &[ALICE.into(), true.into()],
    );
    *two.last_mut().unwrap() = 2;
    assert_eq!(reason_of(two), Some("bool argument is neither 0 nor 1"));
    let mut far = multicall(vec![transfer(ALICE)]);
    far[4 + 28] = 0x7f;
    assert_eq!(
        reason_of(far),
        Some("offset or length points outside the calldata")
    );
    let permit = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)";
    let word = DynSolValue::FixedBytes(Default::default(), 32);
    let v = DynSolValue::Uint(U256::from(27), 8);
    let mut v_too_large = encode(
        permit,
        &[
            ALICE.into(),
            TOKEN.into(),
            uint(1),
            uint(1),
            v,
            word.clone(),
            word,
        ],
    );
    v_too_large[4 + 4 * 32 + 30] = 1;
    assert_eq!(
        reason_of(v_too_large),
        Some("integer argument exceeds its type")
    );
}

#[test]
fn zero_is_seen_in_typed_addresses_only_where_types_are_known() {
    assert!(decode(transfer(Address::ZERO)).zero_address);
    let zero_amount = encode("transfer(address,uint256)", &[ALICE.into(), uint(0)]);
    assert!(!decode(zero_amount.clone()).zero_address);
    let mut unknown = zero_amount;
    unknown[..4].copy_from_slice(&UNKNOWN);
    assert!(decode(unknown).zero_address);
    assert!(!decode([UNKNOWN.to_vec(), vec![1; 32]].concat()).zero_address);
}

#[test]
fn calls_embedded_in_calls_are_followed_outermost_first() {
    let inner = multicall(vec![transfer(ALICE)]);
    let decoded = decode(multicall(vec![inner, encode("sync()", &[])]));
    let multicall = [0xac, 0x96, 0x50, 0xd8];
    let sync = [0xff, 0xf6, 0xca, 0xe9];
    assert_eq!(decoded.selectors, [multicall, multicall, TRANSFER, sync]);
    assert_eq!(
        (decoded.depth, decoded.method, decoded.anomaly),
        (2, Method::Builtin, None)
    );
    assert_eq!(decoded.addresses, [ALICE]);
}

#[test]
fn a_safe_executing_a_packed_batch_is_followed_into_the_batch() {
    let mut packed = vec![];
    for to in [TOKEN, ALICE] {
        let data = transfer(to);
        packed.push(0);
        packed.extend(to.as_slice());
        packed.extend(U256::from(7).to_be_bytes::<32>());
        packed.extend(U256::from(data.len()).to_be_bytes::<32>());
        packed.extend(data);
    }
    let safe = |packed: Vec<u8>| {
        let batch = encode("multiSend(bytes)", &[DynSolValue::Bytes(packed)]);
        let zero = || DynSolValue::Address(Address::ZERO);
        encode(
            "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            &[
                address!("40a2accbd92bca938b02010e17a5b8929b49130d").into(),
                uint(0),
                DynSolValue::Bytes(batch),
                DynSolValue::Uint(U256::from(1), 8),
                uint(0),
                uint(0),
                uint(0),
                zero(),
                zero(),
                DynSolValue::Bytes(vec![0x1b; 65]),
            ],
        )
    };
    let decoded = decode(safe(packed.clone()));
    assert_eq!(
        decoded.selectors,
        [
            [0x6a, 0x76, 0x12, 0x02],
            [0x8d, 0x80, 0xff, 0x0a],
            TRANSFER,
            TRANSFER
        ]
    );
    assert_eq!(
        (decoded.depth, decoded.method, decoded.anomaly),
        (2, Method::Builtin, None)
    );
    assert_eq!(decoded.addresses[1..], [TOKEN, ALICE]);
    packed.pop();
    let truncated = decode(encode("multiSend(bytes)", &[DynSolValue::Bytes(packed)]));
    assert_eq!(truncated.anomaly, Some("packed transactions are truncated"));
}

#[test]
fn an_unknown_function_is_scanned_for_addresses_and_calls() {
    let mut input = encode(
        "f(address,uint256,bytes)",
        &[
            ALICE.into(),
            uint(1_000_000_000_000_000_000),
            DynSolValue::Bytes(transfer(TOKEN)),
        ],
    );
    input[..4].copy_from_slice(&UNKNOWN);
    let decoded = decode(input);
    assert_eq!(decoded.method, Method::WordScan);
    assert_eq!(decoded.selectors, [UNKNOWN, TRANSFER]);
    assert_eq!(decoded.addresses, [ALICE, TOKEN]);
    assert_eq!((decoded.depth, decoded.anomaly), (1, None));
}

#[test]
fn numbers_are_not_taken_for_addresses() {
    let words = [
        U256::from(10).pow(U256::from(27)),
        U256::MAX >> 96,
        U256::MAX >> 128,
        U256::from(1) << 159,
        U256::MAX,
        U256::from(1),
    ];
    let input = words.iter().fold(UNKNOWN.to_vec(), |mut v, w| {
        v.extend(w.to_be_bytes::<32>());
        v
    });
    assert_eq!(decode(input).addresses, [] as [Address; 0]);
}

#[test]
fn nesting_stops_at_its_limit() {
    let nested = (0..20).fold(transfer(ALICE), |inner, _| multicall(vec![inner]));
    let decoded = decode(nested);
    assert_eq!(usize::from(decoded.depth), MAX_DEPTH);
    assert_eq!(decoded.anomaly, Some("embedded calls nest too deeply"));
}

#[test]
fn a_batch_larger_than_the_limit_keeps_its_first_calls() {
    let decoded = decode(multicall(vec![transfer(ALICE); 100]));
    assert_eq!(decoded.selectors.len(), 1 + MAX_NESTED);
    assert_eq!(decoded.addresses, [ALICE]);
    assert_eq!(decoded.anomaly, Some("too many embedded calls"));
}

#[test]
fn one_blob_given_as_every_element_exhausts_the_budget_not_the_machine() {
    // 2,000 offsets, all to the same 64 KiB of bytes.
    let word = |v: usize| U256::from(v).to_be_bytes::<32>();
    let mut input = [[0xac, 0x96, 0x50, 0xd8].as_slice(), &word(32), &word(2000)].concat();
    (0..2000).for_each(|_| input.extend(word(2000 * 32)));
    input.extend(word(65_536));
    input.extend(vec![0x11; 65_536]);
    let decoded = decode(input.clone());
    assert_eq!(decoded.anomaly, Some("decoding budget exhausted"));
    assert_eq!(decoded.method, Method::WordScan);
    assert_eq!(DECODER.describe(&call_of(input)).arguments.len(), 16);
}

#[test]
fn a_large_airdrop_is_within_the_budget() {
    let people: Vec<DynSolValue> = (1..=1900_u64)
        .map(|i| {
            DynSolValue::Address(Address::from_word(
                U256::from(i)
                    .wrapping_mul(U256::MAX / U256::from(7919))
                    .into(),
            ))
        })
        .collect();
    let input = encode(
        "batchTransfer(address[],uint256)",
        &[DynSolValue::Array(people), uint(1)],
    );
    let decoded = decode(input);
    assert_eq!(
        (decoded.method, decoded.anomaly, decoded.addresses.len()),
        (Method::Builtin, None, MAX_ADDRESSES)
    );
}

#[test]
fn the_users_abi_goes_before_the_table() {
    let abi = r#"{"abi":[{"type":"function","name":"transfer","stateMutability":"nonpayable","outputs":[],
        "inputs":[{"name":"dst","type":"address"},{"name":"wad","type":"uint256"}]},
        {"type":"function","name":"drain","stateMutability":"nonpayable","outputs":[],
        "inputs":[{"name":"legs","type":"tuple[]","components":[{"name":"who","type":"address"},{"name":"data","type":"bytes"}]}]}]}"#;
    let contract = MonitoredContract {
        name: "Vault".into(),
        address: TOKEN,
        abi: Some(abi.into()),
        ..MonitoredContract::default()
    };
    let decoder = Decoder::for_contracts(&[contract]).unwrap();
    let mut out = Decoded::default();
    decoder.decode(&call_of(transfer(ALICE)), &mut out);
    assert_eq!(out.method, Method::Abi);
    let leg = DynSolValue::Tuple(vec![ALICE.into(), DynSolValue::Bytes(transfer(TOKEN))]);
    let drain = encode("drain((address,bytes)[])", &[DynSolValue::Array(vec![leg])]);
    let selector = *drain.first_chunk().unwrap();
    decoder.decode(&call_of(drain.clone()), &mut out);
    assert_eq!(
        (out.method, out.depth, out.addresses.clone()),
        (Method::Abi, 1, vec![ALICE, TOKEN])
    );
    assert_eq!(decoder.declares(&TOKEN, selector), Some(true));
    assert_eq!(decoder.declares(&TOKEN, UNKNOWN), Some(false));
    assert_eq!(decoder.declares(&ALICE, selector), None);
    let described = decoder.describe(&call_of(drain));
    assert_eq!(
        described.function.as_deref(),
        Some("drain((address,bytes)[])")
    );
    assert_eq!(
        (
            described.arguments[0].0.as_str(),
            described.arguments[0].1.as_str()
        ),
        ("legs", "(address,bytes)[]")
    );
    assert!(
        described.arguments[0]
            .2
            .starts_with("[(0xa11ce00000000000000000000000000000000001, 0xa9059cbb0000")
    );
}

#[test]
fn an_abi_that_does_not_parse_names_its_contract() {
    for text in [
        "{",
        "{\"a\":1}",
        "5",
        "[{\"type\":\"function\"}]",
        "[{\"type\":\"function\",\"name\":\"f\",\"inputs\":5}]",
    ] {
        let error = parse_abi("Vault", text).unwrap_err();
        assert!(
            matches!(&error, Error::Abi { contract, .. } if contract == "Vault"),
            "{text}: {error}"
        );
        assert!(error.is_config());
    }
}

#[test]
fn a_description_is_text_of_bounded_length() {
    let described = DECODER.describe(&call_of(transfer(ALICE)));
    let texts: Vec<_> = described
        .arguments
        .iter()
        .map(|(n, t, v)| (n.as_str(), t.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        described.function.as_deref(),
        Some("transfer(address,uint256)")
    );
    assert_eq!(
        texts,
        [
            (
                "to",
                "address",
                "0xa11ce00000000000000000000000000000000001"
            ),
            ("amount", "uint256", "5"),
        ]
    );
    let evil = encode(
        "swap(string,address,uint256,bytes)",
        &[
            DynSolValue::String("\u{1b}[2J".into()),
            ALICE.into(),
            uint(1),
            DynSolValue::Bytes(vec![7; 5000]),
        ],
    );
    let described = DECODER.describe(&call_of(evil));
    assert_eq!(described.arguments[0].2, "\\u{1b}[2J");
    assert_eq!(described.arguments[3].2.chars().count(), 257);
    let unknown = DECODER.describe(&call_of([UNKNOWN.to_vec(), vec![0x2a; 40]].concat()));
    assert_eq!(unknown.function, None);
    assert_eq!(unknown.arguments.len(), 2);
    assert_eq!(
        unknown.arguments[1],
        ("1".into(), "bytes32".into(), "0x2a2a2a2a2a2a2a2a".into())
    );
}

#[test]
fn a_warm_record_does_not_grow() {
    let mut out = decode(transfer(ALICE));
    let capacities = (out.addresses.capacity(), out.selectors.capacity());
    DECODER.decode(
        &call_of(multicall(vec![multicall(vec![transfer(TOKEN); 90]); 3])),
        &mut out,
    );
    assert_eq!(
        (out.addresses.capacity(), out.selectors.capacity()),
        capacities
    );
}

/// Words that offsets, lengths and addresses are made of, so that random calldata gets past the first check.
fn any_word() -> impl Strategy<Value = [u8; 32]> {
    prop_oneof![
        4 => (0_u64..64).prop_map(|n| U256::from(n * 32).to_be_bytes()),
        2 => (0_u64..200).prop_map(|n| U256::from(n).to_be_bytes()),
        1 => any::<[u8; 32]>(),
        1 => any::<[u8; 20]>().prop_map(|a| Address::from(a).into_word().0),
        1 => prop::sample::select(vec![
            "ac9650d8", "8d80ff0a", "6a761202", "82ad56cb", "3593564c", "1fad948c", "a67a6a45", "e7acab24",
        ]).prop_map(|s| {
            let mut word = [0; 32];
            hex::decode_to_slice(s, &mut word[..4]).unwrap();
            word
        }),
    ]
}

fn any_calldata() -> impl Strategy<Value = Vec<u8>> {
    let selectors: Vec<[u8; 4]> = {
        let mut all: Vec<_> = DECODER.builtin.keys().copied().collect();
        all.sort_unstable();
        all
    };
    let shaped = (
        prop::sample::select(selectors),
        prop::collection::vec(any_word(), 0..80),
        0_usize..40,
    )
        .prop_map(|(selector, words, cut)| {
            let mut input = [selector.as_slice(), words.as_flattened()].concat();
            input.truncate(input.len().saturating_sub(cut / 4).max(4));
            input
        });
    prop_oneof![3 => shaped, 1 => prop::collection::vec(any::<u8>(), 0..3000)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..Default::default() })]

    #[test]
    fn every_byte_string_has_an_answer_within_its_bounds(input in any_calldata()) {
        let tx = call_of(input);
        let mut out = Decoded::default();
        let left = DECODER.decode_within(&tx, &mut out);
        prop_assert!(left <= calldata::STEPS_AT_MOST);
        prop_assert!(out.addresses.len() <= MAX_ADDRESSES);
        prop_assert!(out.selectors.len() <= 1 + MAX_NESTED);
        prop_assert!(usize::from(out.depth) <= MAX_DEPTH);
        prop_assert!(!out.addresses.contains(&Address::ZERO));
        prop_assert_eq!(out.depth > 0, out.selectors.len() > 1);
        // A record that held another transaction gives the same answer.
        let mut reused = decode(multicall(vec![transfer(ALICE); 3]));
        DECODER.decode(&tx, &mut reused);
        prop_assert_eq!(&out, &reused);
        let description = DECODER.describe(&tx);
        prop_assert!(description.arguments.len() <= 32);
        prop_assert!(description.arguments.iter().all(|(_, _, v)| v.chars().count() <= 257));
    }

    #[test]
    fn what_an_encoder_wrote_is_read_by_its_types(
        targets in prop::collection::vec((any::<[u8; 20]>(), any::<bool>(), any::<[u8; 20]>()), 1..20),
    ) {
        let calls = targets.iter().map(|(target, allow, to)| {
            let data = DynSolValue::Bytes(transfer(Address::from(*to)));
            DynSolValue::Tuple(vec![Address::from(*target).into(), (*allow).into(), data])
        });
        let decoded = decode(encode("aggregate3((address,bool,bytes)[])", &[DynSolValue::Array(calls.collect())]));
        prop_assert_eq!((decoded.method, decoded.anomaly), (Method::Builtin, None));
        prop_assert_eq!(decoded.selectors.len(), 1 + targets.len());
        let mut expected: Vec<Address> = vec![];
        for (target, _, to) in &targets {
            for a in [Address::from(*target), Address::from(*to)] {
                if !a.is_zero() && !expected.contains(&a) {
                    expected.push(a);
                }
            }
        }
        prop_assert_eq!(decoded.addresses, expected);
    }
}
