//! Code that wants to be left alone, or to take all there is.

use super::*;
use alloy_primitives::{Bytes, hex, keccak256};
use proptest::prelude::*;
use std::time::Instant;

/// Init code that puts this code there: PUSH2 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN.
fn creates(code: &[u8]) -> Bytes {
    let length = u16::try_from(code.len()).expect("short").to_be_bytes();
    let head = [&[0x61][..], &length, &hex!("80600b5f395ff3")].concat();
    // One byte of padding, so that the code begins at 11.
    [&head[..], &[0], code].concat().into()
}

fn of_code(code: &[u8]) -> Detonation {
    let (mut world, _) = vault();
    let new = world.create(MALLORY, creates(code));
    detonated(&world, &mut new.subject()).detonation
}

/// Code in which `condition` leaves what has to be for SSTORE(0, 1); else it reverts.
fn behind(condition: &[u8]) -> Vec<u8> {
    let there = u8::try_from(condition.len() + 6).expect("short");
    [condition, &[0x60, there, 0x57], &hex!("5f5ffd5b60015f5500")].concat()
}

#[test]
fn guards_are_told_by_what_they_look_at() {
    let hash = keccak256("nobody knows");
    // KECCAK256(CALLER) == …, TIMESTAMP > 2^40, KECCAK256(CALLDATALOAD(4)) == …
    let caller = [&hex!("335f5260205f2073")[..], &hash[..20], &hex!("14")].concat();
    let secret = [&hex!("6004355f5260205f207f")[..], &hash[..], &hex!("14")].concat();
    for (condition, guard) in [
        (caller, Guard::Caller),
        (hex!("650100000000004211").to_vec(), Guard::Time),
        (secret, Guard::Secret),
    ] {
        let done = of_code(&behind(&condition));
        assert_eq!(
            (done.entered, &done.guards[..]),
            (0, &[guard][..]),
            "{}",
            told(&done)
        );
        assert!(done.guarded > 0);
    }
    let open = of_code(&behind(&hex!("6001")));
    assert!(open.entered > 0 && open.guarded == 0, "{}", told(&open));
}

#[test]
fn what_is_compared_in_clear_is_no_secret() {
    for condition in [
        // CALLDATALOAD(4) == …
        &hex!("60043569abcdef0123456789abcd14")[..],
        // CALLDATALOAD(36) XOR … == …, + … == …, and >> 96 == …
        &hex!("60243569111111111111111111111869abcdef0123456789abcd14"),
        &hex!("60243569111111111111111111110169abcdef0123456789abcd14"),
        // The caller, and the caller in the upper bytes of a word.
        &[&hex!("3373")[..], &[0xab; 20], &hex!("14")].concat(),
        &[&hex!("3360601b73")[..], &[0xab; 20], &hex!("60601b14")].concat(),
        // CALLVALUE == 0.7 ether; CALLDATASIZE == 77.
        &hex!("346709b6e64a8ec6000014"),
        &hex!("36604d14"),
        // By storage: SLOAD(7) is zero, which the caller's third word is not.
        &hex!("5f546044351469ffffffffffffffffffff6064351416"),
    ] {
        let done = of_code(&behind(condition));
        assert!(
            done.entered > 0,
            "{}: {}",
            hex::encode(condition),
            told(&done)
        );
    }
}

#[test]
fn what_takes_all_its_gas_takes_no_more_than_the_budget() {
    let loops = hex!("5b5a5f5700").to_vec();
    let memory = hex!("6001650100000000005200").to_vec();
    // RETURN(0, 128 KiB), to itself again and again: JUMPDEST, if CALLER is it, RETURN; else CALL itself and loop.
    let bomb = hex!("5b33301460125f5f5f5f5f305af1505f565b620200005ff3").to_vec();
    // CALL of itself with all its gas, and CREATE of nothing, over and over.
    let recursive = hex!("5b5f5f5f5f5f305af1505f56").to_vec();
    let creates = hex!("5b5f5f5ff0505f56").to_vec();
    for code in [loops, memory, bomb, recursive, creates] {
        let done = of_code(&code);
        let budget = budget();
        assert!(done.gas <= budget.gas + budget.most_gas, "{}", told(&done));
        assert!(done.proof.is_none());
    }
}

#[test]
fn out_of_time_it_ends_at_once() {
    let (mut world, _) = vault();
    let new = world.create(MALLORY, creates(&hex!("5b5a5f5700")));
    let begun = Instant::now();
    let hurried = Budget {
        time: Duration::from_millis(20),
        patience: Duration::from_millis(20),
        call_gas: 1 << 40,
        most_gas: 1 << 40,
        gas: u64::MAX,
        ..Budget::default()
    };
    let mut simulator = world.simulator();
    let subject = &mut new.subject();
    let done = detonate(
        subject,
        &world.state,
        &world.environment,
        &mut simulator,
        hurried,
    );
    assert!(done.unwrap().detonation.cut);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_constructor_that_fails_or_never_ends_leaves_nothing_to_call() {
    let (world, _) = vault();
    for init_code in ["5f5ffd", "5b5f56", "fe", ""] {
        let code = hex::decode(init_code).unwrap();
        let new = world.pending(MALLORY, code.into());
        let done = detonated(&world, &mut new.pending_subject()).detonation;
        assert_eq!((done.calls, done.entries), (1, 0), "{init_code}");
    }
}

#[test]
fn calls_look_like_transactions() {
    // GASPRICE > BASEFEE, ORIGIN == CALLER, COINBASE and GASLIMIT are not zero, nor is the caller's nonce seen.
    let real = hex!("483a11323314411515164515151616");
    assert!(of_code(&behind(&real)).entered > 0);
}

#[test]
fn ten_thousand_functions_are_cut() {
    let mut code = hex!("5f3560e01c").to_vec();
    for selector in 1..=2_000_u32 {
        code.extend([0x80, 0x63]);
        code.extend(selector.to_be_bytes());
        code.extend(hex!("1462ffffff57"));
    }
    code.extend(hex!("5f5ffd"));
    let done = of_code(&code);
    assert!(
        done.cut && done.entries == 1_024 && done.calls <= budget().calls,
        "{}",
        told(&done)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_code_has_an_end(code in prop::collection::vec(any::<u8>(), 1..600)) {
        prop_assume!(code[0] != 0xef);
        let done = of_code(&code);
        prop_assert!(done.calls <= budget().calls + 1);
        prop_assert!(done.proof.is_none());
    }
}
