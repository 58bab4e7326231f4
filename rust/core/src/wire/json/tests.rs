use super::*;
use crate::wire::nesting::{MAX_NESTING, nests_within};

#[test]
fn the_deepest_that_passes_is_parsed_without_harm() {
    let deep = format!(
        "{{\"id\":1,\"result\":{}1{}}}",
        "[".repeat(MAX_NESTING - 1),
        "]".repeat(MAX_NESTING - 1)
    );
    assert!(nests_within(deep.as_bytes(), MAX_NESTING));
    assert_eq!(Envelope::parse(&deep).unwrap().id, Some("1"));
}

#[test]
fn an_envelope_is_its_raw_members() {
    let text = r#" {"jsonrpc":"2.0", "result": {"a" : [1]} ,"id":7} "#;
    let envelope = Envelope::parse(text).unwrap();
    assert_eq!(
        (envelope.id, envelope.result, envelope.error),
        (Some("7"), Some(r#"{"a" : [1]}"#), None)
    );
    for garbage in ["", "7", "[1]", "{", r#"{"id":}"#, r#"{"id":1"#, "\"x\""] {
        assert_eq!(Envelope::parse(garbage), None, "{garbage}");
    }
}

#[test]
fn quantities_are_hex_with_prefix() {
    assert_eq!(quantity("0x0"), Some(0));
    assert_eq!(quantity("0xffffffffffffffff"), Some(u64::MAX));
    for bad in [
        "",
        "0x",
        "12",
        "0x10000000000000000",
        "0x-1",
        "0x+1",
        "0xg",
        "0X1",
    ] {
        assert_eq!(quantity(bad), None, "{bad}");
    }
}

#[test]
fn a_header_needs_its_fields() {
    let zero = B256::ZERO;
    let text = format!(
        r#"{{"number":"0x10","hash":"{zero}","parentHash":"{zero}","timestamp":"0x5","gasUsed":"0x1","gasLimit":"0x2","baseFeePerGas":"0x7","logsBloom":"0x00"}}"#
    );
    let head = head(&text, 9).unwrap();
    assert_eq!((head.number, head.base_fee, head.seen_ms), (16, Some(7), 9));
    for (field, broken) in [("0x10", "16"), ("0x5", ""), ("0x2", "0xzz"), ("0x7", "7")] {
        let text = text.replace(&format!("\"{field}\""), &format!("\"{broken}\""));
        assert_eq!(super::head(&text, 0), None, "{text}");
    }
}

#[test]
fn one_unreadable_transaction_does_not_lose_the_block() {
    let hash = B256::repeat_byte(1);
    let from = Address::repeat_byte(2);
    let good = format!(r#"{{"hash":"{hash}","from":"{from}","nonce":"0x3","to":null}}"#);
    let text =
        format!(r#"{{"hash":"{hash}","number":"0x1","transactions":[{good},{{"hash":7}}]}}"#);
    let block = full_block(&text).unwrap();
    assert_eq!(
        (
            block.contents.transactions.len(),
            block.objects.len(),
            block.unreadable
        ),
        (1, 2, 1)
    );
    assert!(block.contents.transactions[0].creates);
    assert_eq!(block_objects(&text).unwrap().len(), 2);
    assert!(full_block(r#"{"hash":"0x","number":"0x1"}"#).is_none());
}

#[test]
fn a_list_longer_than_any_blocks_is_no_block() {
    let block = |transactions: usize| {
        let list = vec!["1"; transactions].join(",");
        format!(r#"{{"transactions":[{list}]}}"#)
    };
    assert!(block_objects(&block(MAX_TRANSACTIONS)).is_some());
    assert!(block_objects(&block(MAX_TRANSACTIONS + 1)).is_none());
}
