use super::*;
use crate::capture::samples::{Dice, signed};
use alloy_primitives::U512;
use proptest::prelude::*;
use std::time::Instant;

const TO: &str = "0x5fbdb2315678afecb367f032d93f642f64180aa3";

fn draft() -> Value {
    json!({"chain_id": 1, "nonce": 9, "to": TO, "value": "1000000000000000000", "data": "0x8456cb59", "gas": "0xea60",
           "max_fee_per_gas": "30000000000", "max_priority_fee_per_gas": 2_000_000_000})
}

fn unsigned(draft: &Value) -> Result<Unsigned, WireError> {
    Unsigned::of_json(draft.to_string().as_bytes())
}

fn legacy() -> Value {
    let mut legacy = draft();
    let fields = legacy.as_object_mut().unwrap();
    fields.remove("max_fee_per_gas");
    fields.remove("max_priority_fee_per_gas");
    fields.insert("gas_price".into(), "20000000000".into());
    legacy
}

/// EIP-155's own example.
#[test]
fn the_example_of_eip_155_comes_out_as_it_stands_there() {
    let example = json!({"chain_id": 1, "nonce": 9, "to": "0x3535353535353535353535353535353535353535",
        "value": "1000000000000000000", "data": "0x", "gas": 21000, "gas_price": 20_000_000_000_u64});
    let tx = unsigned(&example).unwrap();
    let encoded = "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080";
    assert_eq!(hex::encode(tx.encoded()), encoded);
    let hash = "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53";
    assert_eq!(hex::encode(tx.signing_hash()), hash);
    let r =
        hex::decode("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276").unwrap();
    let s =
        hex::decode("67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83").unwrap();
    let signer = recover(tx.signing_hash().as_slice(), 0, &r, &s).unwrap();
    assert_eq!(
        hex::encode(signer),
        "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"
    );
    let (raw, hash) = tx.signed(0, &r, &s).unwrap();
    let whole = "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080\
                 25a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276\
                 a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";
    assert_eq!(hex::encode(&raw), whole);
    let fields = decode(&raw).unwrap();
    assert_eq!(fields["from"], hex::encode_prefixed(signer));
    assert_eq!(fields["hash"], json!(hash));
}

#[test]
fn what_is_signed_comes_back_with_the_same_fields() {
    for (draft, kind) in [(draft(), 2), (legacy(), 0)] {
        let tx = unsigned(&draft).unwrap();
        assert_eq!(keccak256(tx.encoded()), tx.signing_hash());
        let (raw, hash) = tx.signed(1, &[7; 32], &[5; 32]).unwrap();
        assert_eq!(hash, keccak256(&raw));
        let fields = match decode(&raw) {
            Ok(fields) => fields,
            // Not every number is a point of the curve.
            Err(error) => panic!("{error}"),
        };
        assert_eq!(fields["type"], kind);
        assert_eq!(fields["chain_id"], 1);
        assert_eq!(
            (&fields["nonce"], &fields["gas"]),
            (&json!(9), &json!(60_000))
        );
        assert_eq!(
            (&fields["to"], &fields["data"]),
            (&json!(TO), &json!("0x8456cb59"))
        );
        assert_eq!(fields["value"], "1000000000000000000");
        assert_eq!(fields["y_parity"], 1);
        assert_eq!(fields["r"], json!(B256::repeat_byte(7)));
        for fee in ["gas_price", "max_fee_per_gas", "max_priority_fee_per_gas"] {
            let told = draft
                .get(fee)
                .map(|fee| fee.as_str().map_or(fee.to_string(), str::to_owned));
            assert_eq!(
                fields.get(fee).and_then(Value::as_str),
                told.as_deref(),
                "{fee}"
            );
        }
    }
}

#[test]
fn a_draft_that_is_not_whole_or_says_two_things_is_refused() {
    type Change = fn(&mut Map<String, Value>);
    let changes: [(Change, &str); 9] = [
        (|tx| _ = tx.remove("nonce"), "missing field `nonce`"),
        (
            |tx| _ = tx.insert("gasPrice".into(), 1.into()),
            "unknown field `gasPrice`",
        ),
        (
            |tx| _ = tx.insert("gas_price".into(), 1.into()),
            "fees: either",
        ),
        (|tx| _ = tx.remove("max_fee_per_gas"), "fees: either"),
        (
            |tx| _ = tx.insert("chain_id".into(), 0.into()),
            "chain_id: 0",
        ),
        (
            |tx| _ = tx.insert("nonce".into(), "0x10000000000000000".into()),
            "nonce: too large",
        ),
        (
            |tx| _ = tx.insert("value".into(), (-1).into()),
            "not a transaction",
        ),
        (
            |tx| _ = tx.insert("max_priority_fee_per_gas".into(), "30000000001".into()),
            "above",
        ),
        (
            |tx| _ = tx.insert("to".into(), "0x12".into()),
            "not a transaction",
        ),
    ];
    for (change, said) in changes {
        let mut draft = draft();
        change(draft.as_object_mut().unwrap());
        let error = unsigned(&draft).unwrap_err();
        assert!(error.reason.contains(said), "{said}: {error}");
    }
}

#[test]
fn of_two_signatures_the_low_one_alone_is_taken() {
    let high: U256 = ORDER - U256::from(5);
    let (r, low) = ([7; 32], U256::from(5).to_be_bytes::<32>());
    let tx = || unsigned(&draft()).unwrap();
    assert!(tx().signed(0, &r, &low).is_ok());
    let error = tx().signed(0, &r, &high.to_be_bytes::<32>()).unwrap_err();
    assert!(error.reason.contains("EIP-2"), "{error}");
    for (parity, r, s) in [
        (2, &r[..], &low[..]),
        (0, &[0; 32], &low),
        (0, &r, &[]),
        (0, &ORDER.to_be_bytes::<32>(), &low),
        (0, &[1; 33], &low),
        (0, &U512::MAX.to_be_bytes::<64>(), &low),
    ] {
        assert!(tx().signed(parity, r, s).is_err());
        assert!(recover(&[1; 32], parity, r, s).is_err());
    }
    assert!(recover(&[1; 31], 0, &r, &low).is_err());
}

#[test]
fn every_type_is_read_from_its_bytes_and_encoded_from_its_json() {
    let mut dice = Dice(3);
    for n in 0..60 {
        let sample = signed(&mut dice, (n % 6) as u8);
        let fields = decode(&sample.raw).unwrap();
        assert_eq!(fields["hash"], json!(sample.hash));
        assert_eq!(fields["from"], hex::encode_prefixed(sample.from));
        assert_eq!(
            fields.get("authorization_list").is_some(),
            fields["type"] == 4
        );
        assert_eq!(
            fields.get("blob_versioned_hashes").is_some(),
            fields["type"] == 3
        );
        let object = sample.object.to_string();
        assert_eq!(encode_object(object.as_bytes()).unwrap(), sample.raw);
    }
}

#[test]
fn json_that_is_not_what_its_hash_or_sender_says_is_refused() {
    let sample = signed(&mut Dice(1), 2);
    for (field, lie) in [
        ("hash", json!(B256::ZERO)),
        ("from", json!(Address::ZERO)),
        ("value", json!("0x7")),
        ("nonce", json!("0xffffffff")),
        ("input", json!("0xdeadbeef")),
    ] {
        let mut object = sample.object.clone();
        object[field] = lie;
        assert!(
            encode_object(object.to_string().as_bytes()).is_err(),
            "{field}"
        );
    }
}

#[test]
fn encoding_takes_microseconds() {
    let json = draft().to_string();
    let begun = Instant::now();
    for _ in 0..1_000 {
        let tx = Unsigned::of_json(json.as_bytes()).unwrap();
        std::hint::black_box((tx.encoded(), tx.signing_hash()));
        std::hint::black_box(tx.signed(0, &[7; 32], &[5; 32]).unwrap());
    }
    // Some 5 µs each on a machine that nobody else uses.
    let each = begun.elapsed() / 1_000;
    println!("{each:?} to encode, hash and put together");
    assert!(each.as_millis() < 5, "{each:?}");
}

proptest! {
    #[test]
    fn whatever_comes_is_an_answer(mut bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..6_u8) {
        let _ = (decode(&bytes), encode_object(&bytes), Unsigned::of_json(&bytes));
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        let _ = decode(&bytes);
    }

    #[test]
    fn a_transaction_with_a_byte_changed_is_another_one_or_none(n in any::<u64>(), at in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let sample = signed(&mut Dice(n), (n % 6) as u8);
        let mut raw = sample.raw.clone();
        let at = at.index(raw.len());
        raw[at] ^= by;
        if let Ok(fields) = decode(&raw) {
            prop_assert_ne!(&fields["hash"], &json!(sample.hash));
        }
    }
}
