use super::*;
use crate::chain::MinedTransaction;
use crate::evidence::{
    Deployment, Detonation, Funding, FundingGrade, Guard, Implementation, PastAttacker, Sighting,
    Trial,
};
use alloy_primitives::{Address, B256, Bytes, U256};

fn found(seen: Sighting) -> FoundContract {
    let deployer = Address::repeat_byte(0xd0);
    FoundContract {
        deployment: Deployment {
            address: Address::repeat_byte(1),
            deployer,
            creator: Address::repeat_byte(2),
            tx: B256::repeat_byte(3),
            to: Some(Address::repeat_byte(2)),
            nonce: u64::MAX,
            value: U256::MAX,
            seen,
            init_code: Bytes::from(vec![0x60, 0xff]),
            code: Bytes::from(vec![0xfe; 60]),
            runs: Some(Implementation {
                address: Address::repeat_byte(4),
                code: Bytes::from(vec![0]),
            }),
            called: vec![Address::repeat_byte(5)],
            stored: vec![(U256::MAX, U256::from(6))],
            twins: vec![Address::repeat_byte(7)],
            more_twins: 8,
        },
        funding: vec![Funding {
            service: "Mixer".into(),
            grade: FundingGrade::High,
            source: Address::repeat_byte(9),
            hops: 2,
            via: Some(Address::repeat_byte(10)),
            token: None,
            amount: U256::MAX,
            block: 11,
            timestamp: 1_700_000_000,
            tx: B256::repeat_byte(12),
        }],
        past_attacker: Some(PastAttacker {
            address: deployer,
            incident: "An \"incident\"".into(),
        }),
        at_ms: 1_700_000_000_123,
    }
}

fn called() -> RecordedDetonation {
    RecordedDetonation {
        address: Address::repeat_byte(1),
        detonation: Detonation {
            block: 7,
            entries: 8,
            calls: 9,
            entered: 3,
            guarded: 2,
            touched: 1,
            missing: 0,
            guards: vec![Guard::Caller, Guard::Secret],
            gas: u64::MAX,
            took_us: 1_234.5,
            cut: true,
            hides: true,
            proof: None,
        },
        creation: None,
        calls: vec![Trial {
            from: Address::repeat_byte(0xd0),
            to: Address::repeat_byte(1),
            value: U256::MAX,
            input: Bytes::from(vec![0x9e, 0x5f, 0xaa, 0xfc]),
        }],
        executed: None,
    }
}

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
        ContextEntry::Deployment(Box::new(found(Sighting::Pending))),
        ContextEntry::Deployment(Box::new(found(Sighting::Mined {
            block: u64::MAX,
            timestamp: 1,
        }))),
        ContextEntry::Detonation(Box::new(called())),
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
    assert!(ContextEntry::from_parts("deployment", b"{}").is_err());
    assert!(ContextEntry::from_parts("detonation", b"{\"address\":1}").is_err());
    assert!(ContextEntry::from_parts("weather", b"{}").is_err());
    assert_eq!(ContextEntry::of(&Item::Ready), None);
}
