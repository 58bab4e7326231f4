use super::*;
use crate::simulate::evm::told::block_diffs;
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use serde_json::{Value, json};

const ALICE: Address = Address::repeat_byte(0xa1);
const VAULT: Address = Address::repeat_byte(0xc0);

fn block(number: u64) -> HeadBlock {
    HeadBlock {
        number,
        hash: B256::with_last_byte(number as u8),
        parent: B256::with_last_byte(number as u8 - 1),
        timestamp: 0,
        next: Environment {
            chain_id: 1,
            fork: SpecId::CANCUN,
            block: BlockEnv::default(),
            blob_base_fee_update_fraction: None,
        },
    }
}

fn word(n: u64) -> B256 {
    U256::from(n).into()
}

/// A vault with slots 1 → 10 and 2 → 20, and Alice.
fn state() -> (HeadState, B256) {
    let state = HeadState::new(100);
    let first = block(1);
    let head = first.hash;
    state.advance(first, Changes::Unknown);
    let told = json!({
        VAULT.to_string(): {"balance": "0x64", "nonce": 1, "code": "0x6001", "storage": {word(1).to_string(): word(10), word(2).to_string(): word(20)}},
        ALICE.to_string(): {"balance": "0x5", "nonce": 3},
    });
    let told: crate::simulate::evm::told::Prestate = serde_json::from_value(told).unwrap();
    state.learn_all(&head, told).unwrap();
    (state, head)
}

fn next(state: &HeadState, number: u64, diffs: Value, paid: Vec<Address>) -> B256 {
    let diffs = block_diffs(diffs.to_string().as_bytes()).unwrap();
    let block = block(number);
    let head = block.hash;
    state.advance(block, Changes::Told(diffs, paid));
    head
}

fn slot(state: &HeadState, head: &B256, slot: u64) -> Option<u64> {
    let value = state.slot(head, &VAULT, &U256::from(slot)).unwrap();
    value.map(|value| value.to())
}

#[test]
fn a_new_head_changes_what_it_changed_and_keeps_the_rest() {
    let (state, old) = state();
    let diffs = json!([{"txHash": word(7), "result": {
        "pre": {VAULT.to_string(): {"balance": "0x64", "nonce": 1, "storage": {word(1).to_string(): word(10), word(3).to_string(): word(30)}}},
        "post": {VAULT.to_string(): {"balance": "0x65", "storage": {word(1).to_string(): word(11)}}},
    }}]);
    let head = next(&state, 2, diffs, vec![]);
    let vault = state.account(&head, &VAULT).unwrap().unwrap();
    assert_eq!((vault.balance, vault.nonce), (U256::from(0x65), 1));
    assert_eq!(slot(&state, &head, 1), Some(11));
    assert_eq!(slot(&state, &head, 2), Some(20), "untouched");
    assert_eq!(
        slot(&state, &head, 3),
        Some(0),
        "told of before alone: zero now"
    );
    assert_eq!(slot(&state, &head, 4), None, "never heard of");
    assert_eq!(
        state.code(&vault.code_hash).unwrap().original_byte_slice(),
        [0x60, 0x01]
    );
    assert_eq!(state.account(&old, &VAULT), Err(Moved));
}

#[test]
fn what_was_destroyed_or_made_anew_keeps_nothing() {
    let (state, _) = state();
    let gone = json!([{"result": {"pre": {VAULT.to_string(): {"balance": "0x64"}}, "post": {}}}]);
    let head = next(&state, 2, gone, vec![]);
    assert_eq!(state.account(&head, &VAULT), Ok(None));
    assert_eq!(slot(&state, &head, 1), None);
    let created = json!([{"result": {"pre": {}, "post": {VAULT.to_string(): {"balance": "0x1", "nonce": "0x1", "code": "0x00"}}}}]);
    let head = next(&state, 3, created, vec![]);
    let vault = state.account(&head, &VAULT).unwrap().unwrap();
    assert_eq!((vault.balance, vault.nonce), (U256::ONE, 1));
    assert_eq!(slot(&state, &head, 1), None);
}

#[test]
fn where_nothing_was_there_may_be_code_now() {
    let (state, head) = state();
    let (nobody, precompile) = (Address::repeat_byte(9), Address::with_last_byte(1));
    for address in [nobody, precompile] {
        state
            .learn(&head, address, AccountInfo::default(), None)
            .unwrap();
    }
    let head = next(&state, 2, json!([]), vec![]);
    assert_eq!(state.account(&head, &nobody), Ok(None));
    assert!(state.account(&head, &precompile).unwrap().is_some());
    assert!(state.account(&head, &VAULT).unwrap().is_some());
}

/// Both leave the code out, as they were asked to.
#[test]
fn what_may_have_got_other_code_is_asked_for_again() {
    let (state, _) = state();
    let diffs = json!([{"result": {
        "pre": {
            ALICE.to_string(): {"balance": "0x5", "nonce": 3},
            VAULT.to_string(): {"balance": "0x64", "nonce": 1},
        },
        "post": {
            ALICE.to_string(): {"nonce": 4},
            VAULT.to_string(): {"nonce": 2},
        },
    }}]);
    let head = next(&state, 2, diffs, vec![]);
    assert_eq!(state.account(&head, &ALICE), Ok(None), "may have delegated");
    let vault = state.account(&head, &VAULT).unwrap().unwrap();
    assert_eq!(
        (vault.nonce, vault.code_hash),
        (2, keccak(&[0x60, 0x01])),
        "created something"
    );
    let paid = json!([{"result": {
        "pre": {VAULT.to_string(): {"balance": "0x64", "nonce": 2}},
        "post": {VAULT.to_string(): {"balance": "0x63"}, ALICE.to_string(): {"balance": "0x6"}},
    }}]);
    let head = next(&state, 3, paid, vec![]);
    assert_eq!(
        state.account(&head, &ALICE),
        Ok(None),
        "with code or without"
    );
}

#[test]
fn who_was_paid_without_a_transaction_is_asked_for_again() {
    let (state, _) = state();
    let head = next(&state, 2, json!([]), vec![ALICE]);
    assert_eq!(state.account(&head, &ALICE), Ok(None));
    assert!(state.account(&head, &VAULT).unwrap().is_some());
}

#[test]
fn without_word_of_the_changes_code_alone_is_kept() {
    let (state, _) = state();
    let hash = keccak(&[0x60, 0x01]);
    let second = block(2);
    let head = second.hash;
    state.advance(second, Changes::Unknown);
    assert_eq!(state.account(&head, &VAULT), Ok(None));
    assert!(state.code(&hash).is_some());
    assert!(state.is_empty());
}

#[test]
fn memory_is_bounded() {
    let (state, mut head) = state();
    for number in 2..100 {
        for n in 0..50 {
            let slot = U256::from(number * 100 + n);
            state.learn_slot(&head, VAULT, slot, slot).unwrap();
        }
        head = next(&state, number, json!([]), vec![]);
        assert!(state.len() <= 100, "{}", state.len());
    }
}

#[test]
fn what_is_learnt_of_another_head_is_refused() {
    let (state, old) = state();
    next(&state, 2, json!([]), vec![]);
    assert_eq!(
        state.learn_slot(&old, VAULT, U256::ONE, U256::ONE),
        Err(Moved)
    );
}

#[test]
fn before_the_head_what_it_changed_is_asked_for_and_the_rest_is_known() {
    let (state, first) = state();
    let diffs = json!([{"txHash": word(7), "result": {
        "pre": {VAULT.to_string(): {"balance": "0x64", "storage": {word(1).to_string(): word(10)}}},
        "post": {VAULT.to_string(): {"balance": "0x65", "storage": {word(1).to_string(): word(11)}}},
    }}]);
    let second = next(&state, 2, diffs, vec![]);
    assert_eq!(state.parent(&second).unwrap().hash, first);
    let before = Place {
        hash: &first,
        is_parent: true,
    };
    assert_eq!(state.account(before, &ALICE).unwrap().unwrap().nonce, 3);
    assert_eq!(state.account(before, &VAULT), Ok(None));
    assert_eq!(state.slot(before, &VAULT, &U256::from(2)), Ok(None));
    // What is learnt of it says nothing of the head.
    let (one, ten) = (U256::ONE, U256::from(10));
    state.learn_slot(before, VAULT, one, ten).unwrap();
    assert_eq!(state.slot(before, &VAULT, &one), Ok(Some(ten)));
    assert_eq!(slot(&state, &second, 1), Some(11));
    let known = state.len();
    next(&state, 3, json!([]), vec![]);
    assert_eq!(state.slot(before, &VAULT, &one), Err(Moved));
    assert_eq!(state.len(), known - 1);
    let fourth = block(4);
    let head = fourth.hash;
    state.advance(fourth, Changes::Unknown);
    assert!(state.parent(&head).is_none());
}

fn keccak(code: &[u8]) -> B256 {
    alloy_primitives::keccak256(code)
}
