use super::*;
use crate::chain::MinedTransaction;
use alloy_primitives::{Address, B256, Bytes};

fn every_kind() -> Vec<ContextEntry> {
    let head = Head {
        number: u64::MAX,
        hash: B256::repeat_byte(1),
        parent: B256::repeat_byte(2),
        timestamp: 1_700_000_000,
        base_fee: Some(u128::MAX),
        gas_used: 1,
        gas_limit: 30_000_000,
        seen_ms: 1_700_000_000_123,
    };
    let mined = MinedTransaction {
        hash: B256::repeat_byte(3),
        from: Address::repeat_byte(4),
        nonce: 5,
        to: None,
        creates: true,
    };
    vec![
        ContextEntry::Head(Head {
            base_fee: None,
            ..head.clone()
        }),
        ContextEntry::Head(head),
        ContextEntry::Block(BlockContents {
            number: 7,
            hash: B256::ZERO,
            transactions: vec![mined],
        }),
        ContextEntry::Reorg(Reorg {
            at_ms: 1,
            depth: 2,
            old_head: B256::ZERO,
            new_head: B256::repeat_byte(9),
            number: 3,
        }),
        ContextEntry::Code(CodeAnswer {
            address: Address::repeat_byte(8),
            code: Bytes::from(vec![0, 0xff]),
            inside: Default::default(),
            created_at: Some(9),
            dating: false,
        }),
        ContextEntry::Code(CodeAnswer {
            address: Address::ZERO,
            code: Bytes::new(),
            inside: Default::default(),
            created_at: None,
            dating: false,
        }),
    ]
}

#[test]
fn every_kind_survives_its_columns_and_its_item() {
    for entry in every_kind() {
        assert_eq!(
            ContextEntry::from_parts(entry.kind(), entry.body().as_bytes()),
            Ok(entry.clone())
        );
        assert_eq!(ContextEntry::of(&Item::from(entry.clone())), Some(entry));
    }
}

#[test]
fn what_is_no_context_is_an_error() {
    assert!(ContextEntry::from_parts("head", b"{}").is_err());
    assert!(ContextEntry::from_parts("head", b"\xff").is_err());
    assert!(ContextEntry::from_parts("weather", b"{}").is_err());
    assert_eq!(ContextEntry::of(&Item::Ready), None);
}
