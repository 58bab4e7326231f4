//! What is left of constructors, those that mean harm included.

use super::*;
use proptest::prelude::*;

/// `runs`, then the code that it returns.
fn init(runs: &[u8], code: &[u8]) -> Vec<u8> {
    let at = runs.len() + 13;
    let length = (code.len() as u16).to_be_bytes();
    let copy = [
        0x61, length[0], length[1], 0x80, 0x60, at as u8, 0x5f, 0x39, 0x5f, 0xf3, 0xfe, 0xfe, 0xfe,
    ];
    [runs, &copy, code].concat()
}

fn code() -> Vec<u8> {
    [0x5b, 0x00].repeat(50)
}

#[test]
fn what_the_constructor_returns_stores_calls_and_creates_is_told() {
    let child = [0x60, 1, 0x5f, 0x53, 0x60, 1, 0x5f, 0xf3];
    let mut runs = vec![0x60, 7, 0x60, 3, 0x55]; // slot 3 := 7
    // A child whose code is the byte 1: its init code is put into memory, and created.
    runs.extend(
        [
            &[0x67][..],
            &child,
            &[0x5f, 0x52, 0x60, 8, 0x60, 24, 0x5f, 0xf0, 0x50],
        ]
        .concat(),
    );
    // A call of 0x2222…
    runs.extend(
        [
            &[0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x73][..],
            &[0x22; 20],
            &[0x5a, 0xf1, 0x50],
        ]
        .concat(),
    );
    let done = construct_alone(&init(&runs, &code()));
    assert_eq!(
        (done.exit.clone(), done.origin),
        (Exit::Succeeded, Origin::Executed)
    );
    assert_eq!(done.code, code());
    assert_eq!(done.stored, [(U256::from(3), U256::from(7))]);
    assert_eq!(done.called, [Address::repeat_byte(0x22)]);
    let [(address, created)] = done.created.as_slice() else {
        panic!("{done:?}");
    };
    assert_eq!((*address, &created[..]), (done.address.create(1), &[1][..]));
}

#[test]
fn where_it_reverts_what_it_has_embedded_stands_for_it() {
    let done = construct_alone(&init(&[0x34, 0x60, 6, 0x57, 0x5f, 0x5f, 0xfd], &code()));
    assert_eq!((done.exit, done.origin), (Exit::Reverted, Origin::Embedded));
    assert_eq!(done.code, code());
}

#[test]
fn one_that_leaves_nothing_is_its_constructor() {
    let acts = [0x5f; 100];
    let done = construct_alone(&acts);
    assert_eq!(
        (done.exit, done.origin),
        (Exit::Succeeded, Origin::Constructor)
    );
    assert_eq!(done.code, acts[..]);
    assert_eq!(construct_alone(&[]).code.len(), 0);
}

#[test]
fn endless_constructors_and_memory_bombs_come_to_an_end() {
    let begun = Instant::now();
    let endless = construct_alone(&[0x5b, 0x5f, 0x56]);
    assert_eq!(endless.exit, Exit::Halted("out of gas".into()));
    // MSTORE ever farther away.
    let bomb = construct_alone(&[0x5b, 0x59, 0x59, 0x52, 0x5f, 0x56]);
    assert!(matches!(bomb.exit, Exit::Halted(_)), "{:?}", bomb.exit);
    // It creates itself, over and over.
    let flood = construct_alone(&[
        0x5b, 0x38, 0x5f, 0x5f, 0x39, 0x38, 0x5f, 0x5f, 0xf0, 0x5f, 0x56,
    ]);
    assert!(flood.exit != Exit::Succeeded);
    assert!(begun.elapsed() < 4 * PATIENCE);
}

#[test]
fn longer_than_init_code_may_be_is_taken_apart_without_running() {
    let long = init(&[], &[0x5b; 60_000]);
    let done = construct_alone(&long);
    assert!(
        matches!(done.exit, Exit::Invalid(_) | Exit::Halted(_)),
        "{:?}",
        done.exit
    );
    assert_eq!((done.origin, done.code.len()), (Origin::Embedded, 60_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_init_code_has_an_answer(init in prop::collection::vec(any::<u8>(), 0..1024)) {
        let done = construct_alone(&init);
        prop_assert!(done.code.len() <= init.len().max(24_576));
    }
}
