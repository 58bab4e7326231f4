use super::*;
use alloy_primitives::{Address, B256, U256, address, b256, hex as reference};
use proptest::prelude::*;

/// As geth announces it: EIP-1559, to a contract.
const DYNAMIC_FEE: &str = r#"{"blockHash":null,"blockNumber":null,
"from":"0x1Be9ab2B4e01E5C3bD9ce3F3e13D03F8cB8c7B25","gas":"0x2dc6c0","gasPrice":"0x77359400","maxFeePerGas":"0x77359400",
"maxPriorityFeePerGas":"0x3b9aca00","hash":"0xd21dd9b0ba1a8ec2e9a07b3ea5b2dbb7a1fa6a1a40ab6d0fb2d07a1d0a3f7f6a",
"input":"0xa9059cbb00ff","nonce":"0x1f","to":"0xdac17f958d2ee523a2206206994597c13d831ec7","transactionIndex":null,
"value":"0xde0b6b3a7640000","type":"0x2","accessList":[{"address":"0xdac17f958d2ee523a2206206994597c13d831ec7","storageKeys":[]}],
"chainId":"0x1","v":"0x0","r":"0x1","s":"0x2","yParity":"0x0"}"#;

fn dynamic_fee() -> PendingTransaction {
    PendingTransaction {
        hash: b256!("d21dd9b0ba1a8ec2e9a07b3ea5b2dbb7a1fa6a1a40ab6d0fb2d07a1d0a3f7f6a"),
        from: address!("1be9ab2b4e01e5c3bd9ce3f3e13d03f8cb8c7b25"),
        to: Some(address!("dac17f958d2ee523a2206206994597c13d831ec7")),
        value: U256::from(1_000_000_000_000_000_000u64),
        nonce: 31,
        gas: 3_000_000,
        tx_type: 2,
        chain_id: Some(1),
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        input: vec![0xa9, 0x05, 0x9c, 0xbb, 0x00, 0xff],
        seen_ms: 1234,
    }
}

fn notification_of(object: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"0xcd","result":{object}}}}}"#
    )
}

/// `DYNAMIC_FEE` with one key set to `value`, or without it.
fn with(key: &str, value: Option<&str>) -> String {
    let mut object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(DYNAMIC_FEE).unwrap();
    match value {
        Some(json) => object.insert(key.into(), serde_json::from_str(json).unwrap()),
        None => object.remove(key),
    };
    serde_json::to_string(&object).unwrap()
}

fn error_of(object: &str) -> (AnomalyKind, String) {
    let error = parse_object(object.as_bytes(), 1).unwrap_err();
    // The same object inside a notification gets the same answer.
    if error.kind != AnomalyKind::MalformedFrame {
        assert_eq!(
            parse_notification(notification_of(object).as_bytes(), 1),
            Err(error.clone())
        );
    }
    (error.kind, error.reason.into_owned())
}

#[test]
fn reads_every_field_of_an_object_and_of_a_notification() {
    assert_eq!(
        parse_object(DYNAMIC_FEE.as_bytes(), 1234).unwrap(),
        dynamic_fee()
    );
    assert_eq!(
        parse_notification(notification_of(DYNAMIC_FEE).as_bytes(), 1234).unwrap(),
        dynamic_fee()
    );
}

#[test]
fn key_order_and_unknown_keys_do_not_matter() {
    let frame = format!(
        r#"{{"params":{{"extra":[1,{{}}],"result":{{"zz":{{"hash":"0x00"}},"extra":[[null]],{},"subscription":1}},"method":"eth_subscription"}}"#,
        &DYNAMIC_FEE[1..]
    );
    assert_eq!(
        parse_notification(frame.as_bytes(), 1234).unwrap(),
        dynamic_fee()
    );
}

#[test]
fn escapes_in_keys_and_values_are_resolved() {
    let object = DYNAMIC_FEE.replace(r#""nonce":"0x1f""#, r#""no\u006ece":"\u0030x1\u0066""#);
    assert_eq!(
        parse_object(object.as_bytes(), 1234).unwrap(),
        dynamic_fee()
    );
}

#[test]
fn the_first_of_a_repeated_key_counts() {
    let object = format!(
        r#"{},"nonce":"0x5","value":[]}}"#,
        DYNAMIC_FEE.trim_end_matches('}')
    );
    assert_eq!(
        parse_object(object.as_bytes(), 1234).unwrap(),
        dynamic_fee()
    );
    let twice = notification_of(DYNAMIC_FEE).replacen('{', r#"{"params":{"result":7},"#, 1);
    assert_eq!(
        parse_notification(twice.as_bytes(), 1).unwrap_err().kind,
        AnomalyKind::MalformedFrame
    );
}

#[test]
fn legacy_and_access_list_transactions_pay_their_gas_price() {
    for (tx_type, expected) in [(r#""0x0""#, 0), (r#""0x1""#, 1)] {
        let tx = parse_object(with("type", Some(tx_type)).as_bytes(), 1).unwrap();
        assert_eq!(
            (tx.tx_type, tx.max_fee_per_gas, tx.max_priority_fee_per_gas),
            (expected, 2_000_000_000, 2_000_000_000)
        );
    }
}

#[test]
fn an_absent_type_is_inferred_from_the_fields_that_only_one_type_has() {
    let without = |keys: &[&str]| {
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(DYNAMIC_FEE).unwrap();
        for key in ["type"].iter().chain(keys) {
            object.remove(*key);
        }
        object
    };
    let type_of = |object: &serde_json::Map<String, serde_json::Value>| {
        parse_object(serde_json::to_string(object).unwrap().as_bytes(), 1)
            .unwrap()
            .tx_type
    };
    assert_eq!(type_of(&without(&[])), 2);
    assert_eq!(type_of(&without(&["maxFeePerGas"])), 1);
    assert_eq!(type_of(&without(&["maxFeePerGas", "accessList"])), 0);
    let mut object = without(&[]);
    object.insert("blobVersionedHashes".into(), serde_json::json!(["0x01"]));
    assert_eq!(type_of(&object), 3);
    object.insert("authorizationList".into(), serde_json::json!([]));
    assert_eq!(type_of(&object), 4);
    object.insert("authorizationList".into(), serde_json::Value::Null);
    assert_eq!(type_of(&object), 3);
}

#[test]
fn unknown_types_say_so() {
    for tx_type in ["0x5", "0x7e", "0xffffffffffffffff"] {
        let object = with("type", Some(&format!("\"{tx_type}\"")));
        assert_eq!(
            error_of(&object),
            (
                AnomalyKind::UnknownTransactionType,
                format!("type {tx_type}")
            )
        );
    }
}

#[test]
fn a_null_target_is_a_creation_and_a_missing_one_only_with_init_code() {
    assert_eq!(
        parse_object(with("to", Some("null")).as_bytes(), 1)
            .unwrap()
            .to,
        None
    );
    assert_eq!(
        parse_object(with("to", None).as_bytes(), 1).unwrap().to,
        None
    );
    let empty = with("to", None).replace("0xa9059cbb00ff", "0x");
    assert_eq!(
        error_of(&empty),
        (AnomalyKind::MalformedTransaction, "to: missing".into())
    );
}

#[test]
fn data_stands_in_for_input() {
    let object = DYNAMIC_FEE.replace("\"input\"", "\"data\"");
    assert_eq!(
        parse_object(object.as_bytes(), 1234).unwrap(),
        dynamic_fee()
    );
    let both = with("data", Some("\"0x01\""));
    assert_eq!(parse_object(both.as_bytes(), 1234).unwrap(), dynamic_fee());
}

#[test]
fn a_legacy_chain_id_comes_from_v_where_the_node_omits_it() {
    let legacy = |v: &str| {
        let object =
            with("type", Some("\"0x0\"")).replace(r#""v":"0x0""#, &format!(r#""v":"{v}""#));
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&object).unwrap();
        object.remove("chainId");
        parse_object(serde_json::to_string(&object).unwrap().as_bytes(), 1).map(|tx| tx.chain_id)
    };
    assert_eq!(legacy("0x1b"), Ok(None));
    assert_eq!(legacy("0x25"), Ok(Some(1)));
    assert_eq!(legacy("0x26"), Ok(Some(1)));
    assert_eq!(legacy("0x136"), Ok(Some(137)));
    assert!(legacy("0xffffffffffffffffffffffff").is_err());
}

#[test]
fn recorded_time_counts_only_without_a_clock_reading() {
    let object = with("timestamp_ms", Some("1700000000123"));
    assert_eq!(
        parse_object(object.as_bytes(), 0).unwrap().seen_ms,
        1_700_000_000_123
    );
    assert_eq!(parse_object(object.as_bytes(), 5).unwrap().seen_ms, 5);
    assert_eq!(parse_object(DYNAMIC_FEE.as_bytes(), 0).unwrap().seen_ms, 0);
    // Not a number, and microseconds where milliseconds belong.
    for wrong in ["\"now\"", "1700000000123000"] {
        let wrong = with("timestamp_ms", Some(wrong));
        assert_eq!(
            parse_object(wrong.as_bytes(), 0).unwrap_err().kind,
            AnomalyKind::MalformedTransaction
        );
    }
}

#[test]
fn each_bad_field_is_named() {
    let required = [
        "hash",
        "from",
        "value",
        "nonce",
        "gas",
        "maxFeePerGas",
        "maxPriorityFeePerGas",
        "input",
        "chainId",
    ];
    for key in required {
        assert_eq!(error_of(&with(key, None)).1, format!("{key}: missing"));
        assert_eq!(
            error_of(&with(key, Some("null"))).1,
            format!("{key}: missing")
        );
        for mistyped in ["7", "-7", "7.5", "true", "[]", r#"{"a":1}"#] {
            assert_eq!(
                error_of(&with(key, Some(mistyped))).1,
                format!("{key}: not a hex string"),
                "{mistyped}"
            );
        }
        for garbage in [r#""""#, r#""1f""#, r#""0X1f""#] {
            assert_eq!(
                error_of(&with(key, Some(garbage))).1,
                format!("{key}: no 0x prefix"),
                "{garbage}"
            );
        }
    }
    let cases = [
        ("hash", "0x12", "wrong length"),
        (
            "from",
            "0x1be9ab2b4e01e5c3bd9ce3f3e13d03f8cb8c7b2g",
            "not a hex digit",
        ),
        (
            "from",
            "0x1be9ab2b4e01e5c3bd9ce3f3e13d03f8cb8c7b2500",
            "wrong length",
        ),
        ("to", "0x", "wrong length"),
        ("input", "0xabc", "odd number of digits"),
        ("input", "0xzz", "not a hex digit"),
        ("input", "0x0x12", "not a hex digit"),
        ("nonce", "0x", "no digits"),
        ("nonce", "0x-1", "not a hex digit"),
        ("nonce", "0x 1", "not a hex digit"),
        ("gas", "0x10000000000000000", "above 64 bits"),
        (
            "maxFeePerGas",
            "0x100000000000000000000000000000000",
            "above 128 bits",
        ),
        (
            "value",
            "0x10000000000000000000000000000000000000000000000000000000000000000",
            "above 256 bits",
        ),
        ("value", "0x00é", "not a hex digit"),
    ];
    for (key, text, problem) in cases {
        let (kind, reason) = error_of(&with(key, Some(&format!("\"{text}\""))));
        assert_eq!(
            (kind, reason),
            (
                AnomalyKind::MalformedTransaction,
                format!("{key}: {problem}")
            )
        );
    }
}

#[test]
fn extremes_that_fit_are_exact() {
    let max = with("value", Some(&format!("\"0x{}\"", "f".repeat(64))));
    assert_eq!(parse_object(max.as_bytes(), 1).unwrap().value, U256::MAX);
    let padded = with(
        "gas",
        Some(&format!("\"0x{}ffffffffffffffff\"", "0".repeat(5_000))),
    );
    assert_eq!(parse_object(padded.as_bytes(), 1).unwrap().gas, u64::MAX);
    let fee = with(
        "maxFeePerGas",
        Some("\"0xffffffffffffffffffffffffffffffff\""),
    );
    assert_eq!(
        parse_object(fee.as_bytes(), 1).unwrap().max_fee_per_gas,
        u128::MAX
    );
}

#[test]
fn what_is_no_notification_is_a_malformed_frame() {
    let whole = notification_of(DYNAMIC_FEE);
    let mut frames: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "[]",
        "\"x\"",
        "{}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}",
        "{\"method\":\"eth_subscription\"}",
        "{\"method\":\"eth_subscription\",\"params\":[]}",
        "{\"method\":\"eth_subscription\",\"params\":{}}",
        "{\"method\":\"eth_subscription\",\"params\":{\"result\":\"0x12\"}}",
        "{\"method\":7,\"params\":{\"result\":{}}}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    frames.push(whole.replace("eth_subscription", "eth_other").into());
    frames.push(format!("{whole}x").into());
    frames.push(format!("{whole}{whole}").into());
    for end in 0..whole.len() {
        frames.push(whole.as_bytes()[..end].to_vec());
    }
    for frame in frames {
        let error = parse_notification(&frame, 1).unwrap_err();
        assert_eq!(
            error.kind,
            AnomalyKind::MalformedFrame,
            "{}",
            String::from_utf8_lossy(&frame)
        );
        assert!(error.reason.len() < 100);
    }
}

#[test]
fn invalid_utf8_is_refused_wherever_it_stands() {
    let whole = notification_of(&with("note", Some("\"padding\"")));
    for at in 0..whole.len() {
        let mut frame = whole.clone().into_bytes();
        frame[at] = 0xff;
        assert!(parse_notification(&frame, 1).is_err(), "byte {at}");
    }
}

#[test]
fn deep_nesting_needs_no_stack() {
    let depth = 1_000_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nest = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let unknown = format!(r#"{{"deep":{nest},{}"#, &DYNAMIC_FEE[1..]);
        // Far below the default stack: what grows with depth would be seen.
        let parsed = std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(move || {
                let _ = parse_object(nest.as_bytes(), 1).unwrap_err();
                let _ = parse_object(format!(r#"{{"hash":{nest}}}"#).as_bytes(), 1).unwrap_err();
                let _ = parse_notification(nest.as_bytes(), 1).unwrap_err();
                let _ = parse_notification(open.repeat(depth).as_bytes(), 1).unwrap_err();
                let _ = parse_notification(notification_of(&nest).as_bytes(), 1).unwrap_err();
                parse_object(unknown.as_bytes(), 1234)
            })
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(parsed.unwrap_err().kind, AnomalyKind::MalformedFrame);
    }
    let shallow = format!(
        r#"{{"deep":{}1{},{}"#,
        "[".repeat(30),
        "]".repeat(30),
        &DYNAMIC_FEE[1..]
    );
    assert_eq!(parse_object(shallow.as_bytes(), 1234), Ok(dynamic_fee()));
}

#[test]
fn ten_megabyte_frames_get_an_answer() {
    let data = vec![0xab; 5 << 20];
    let object = with(
        "input",
        Some(&format!("\"0x{}\"", reference::encode(&data))),
    );
    assert_eq!(
        parse_notification(notification_of(&object).as_bytes(), 1)
            .unwrap()
            .input,
        data
    );
    let note = with("note", Some(&format!("\"{}\"", "x".repeat(10 << 20))));
    assert_eq!(parse_object(note.as_bytes(), 1234).unwrap(), dynamic_fee());
    assert!(parse_notification(&vec![b'['; 10 << 20], 1).is_err());
    assert!(parse_notification(&vec![b'"'; 10 << 20], 1).is_err());
}

#[test]
fn a_capture_keeps_the_object_as_it_was_sent() {
    let object = notification_object(notification_of(DYNAMIC_FEE).as_bytes()).unwrap();
    assert_eq!(object, DYNAMIC_FEE.as_bytes());
}

proptest! {
    #[test]
    fn quantities_are_what_the_reference_says(limbs: [u64; 4], zeros in 0usize..80, upper: bool) {
        let value = U256::from_limbs(limbs);
        let mut digits = format!("{value:x}");
        if upper {
            digits = digits.to_uppercase();
        }
        let text = format!("0x{}{digits}", "0".repeat(zeros));
        prop_assert_eq!(hex::quantity_u256(&text), Ok(value));
        prop_assert_eq!(hex::quantity_u128(&text).ok(), u128::try_from(value).ok());
        prop_assert_eq!(hex::quantity_u64(&text).ok(), u64::try_from(value).ok());
        let small = format!("{:#x}", limbs[0] as u128 * limbs[1] as u128);
        prop_assert_eq!(hex::quantity_u128(&small), Ok(limbs[0] as u128 * limbs[1] as u128));
    }

    #[test]
    fn quantities_accept_nothing_but_digits(text in "0x[0-9a-g:@`/G]{1,20}") {
        let valid = text[2..].bytes().all(|b| b.is_ascii_hexdigit());
        prop_assert_eq!(hex::quantity_u256(&text).is_ok(), valid);
    }

    #[test]
    fn byte_strings_survive_hex(data: Vec<u8>) {
        prop_assert_eq!(hex::bytes(&format!("0x{}", reference::encode(&data))), Ok(data.clone()));
        prop_assert_eq!(hex::bytes(&format!("0x{}", reference::encode_upper(&data))), Ok(data));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = parse_notification(&bytes, 1);
        let _ = parse_object(&bytes, 0);
    }

    #[test]
    fn a_damaged_frame_never_panics_and_never_yields_another_hash(at in 0usize..2_000, byte: u8) {
        let mut frame = notification_of(DYNAMIC_FEE).into_bytes();
        let at = at % frame.len();
        frame[at] = byte;
        if let Ok(tx) = parse_notification(&frame, 1) {
            let digits: String = format!("{:x}", tx.hash);
            prop_assert!(String::from_utf8(frame).unwrap().to_lowercase().contains(&digits));
        }
    }
}

#[test]
fn defaults_do_not_leak_into_results() {
    // A parsed transaction never keeps the zero hash or sender unless the object says zero.
    let tx = parse_object(DYNAMIC_FEE.as_bytes(), 1).unwrap();
    assert_ne!(tx.hash, B256::ZERO);
    assert_ne!(tx.from, Address::ZERO);
}
