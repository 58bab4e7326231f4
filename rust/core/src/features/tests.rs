//! Expected values are worked out by hand, or by a slow reference, never by the code under test.

mod fees;
mod rows;

use super::*;
use crate::decode::{Decoded, Decoder};
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, U256, address};
use std::sync::{Arc, LazyLock};

static DECODER: LazyLock<Arc<Decoder>> = LazyLock::new(|| Arc::new(Decoder::new(&[])));

const ALICE: Address = address!("a11ce00000000000000000000000000000000001");
const TOKEN: Address = address!("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48");

fn extractor(accounts: usize) -> Extractor {
    let known = KnownSelectors::from_bytes(&[0x12, 0x34, 0x56, 0x78]).unwrap();
    Extractor::new(Arc::clone(&DECODER), Arc::new(known), &[], accounts)
}

fn decode(tx: &PendingTransaction) -> Decoded {
    let mut decoded = Decoded::default();
    DECODER.decode(tx, &mut decoded);
    decoded
}

/// A call of `TOKEN` with `selector` and whole words.
fn call(selector: u32, words: &[U256]) -> PendingTransaction {
    let mut input = selector.to_be_bytes().to_vec();
    words
        .iter()
        .for_each(|w| input.extend(w.to_be_bytes::<32>()));
    PendingTransaction {
        to: Some(TOKEN),
        gas: 21_000,
        nonce: 9,
        input,
        ..Default::default()
    }
}

#[test]
fn known_selectors_hold_exactly_what_was_given() {
    let selectors: [u32; 6] = [0, 1, 0x0000_ffff, 0x1234_0000, 0x1234_5678, u32::MAX];
    let bytes: Vec<u8> = selectors.iter().flat_map(|s| s.to_be_bytes()).collect();
    let set = KnownSelectors::from_bytes(&bytes).unwrap();
    assert_eq!(set.len(), 6);
    for s in selectors {
        assert!(set.contains(s.to_be_bytes()), "{s:08x}");
    }
    for s in [
        2_u32,
        0x0001_0000,
        0x1233_5678,
        0x1234_5677,
        0x1235_5678,
        u32::MAX - 1,
    ] {
        assert!(!set.contains(s.to_be_bytes()), "{s:08x}");
    }
    assert!(!KnownSelectors::default().contains([0; 4]));
    assert!(KnownSelectors::from_bytes(&[]).unwrap().is_empty());
}

#[test]
fn known_selectors_refuse_what_is_not_sorted_or_not_whole() {
    for bytes in [
        &[0, 0, 0][..],
        &[0, 0, 0, 2, 0, 0, 0, 1],
        &[0, 0, 0, 1, 0, 0, 0, 1],
    ] {
        assert!(matches!(
            KnownSelectors::from_bytes(bytes),
            Err(crate::error::Error::Model(_))
        ));
    }
}

#[test]
fn a_day_of_memory_makes_a_first_meeting_certain() {
    const HOUR: u64 = 3_600_000;
    let start = 1_700_000_000_000;
    let person = Address::with_last_byte;
    let mut senders = accounts::Senders::new(100);
    assert!(
        !senders.meet(person(1), 50, start),
        "may have been met before the sensor started"
    );
    assert!(senders.meet(person(2), 5, start), "by its nonce");
    assert!(senders.meet(person(3), 0, start));
    assert!(
        senders.meet(person(3), 6, start + HOUR),
        "its first transaction was an hour ago"
    );
    assert!(!senders.meet(person(3), 7, start + 24 * HOUR));
    assert!(
        senders.meet(person(4), 50, start + 24 * HOUR),
        "not met for a whole day"
    );
    assert!(!senders.meet(person(4), 51, start + 48 * HOUR));
}

#[test]
fn a_flood_of_senders_shortens_memory_and_claims_nothing_for_it() {
    let start = 1_700_000_000_000;
    let day = 24 * 3_600_000;
    let mut senders = accounts::Senders::new(10);
    senders.meet(ALICE, 50, start);
    for i in 0..100_u64 {
        senders.meet(
            Address::from_word(U256::from(i).into()),
            50,
            start + day - 1000 + i,
        );
    }
    assert!(
        !senders.meet(ALICE, 51, start + day),
        "forgotten, and memory reaches back less than a day"
    );
}

#[test]
fn an_unusual_pause_between_calls_of_a_target_is_seen() {
    let mut targets = accounts::Targets::new(100);
    let mut now = 1_000_000;
    assert_eq!(targets.meet(TOKEN, now), MISSING);
    // ln Δt alternates between ln 1000 and ln 4000: μ = ln 2000, σ = ln 2.
    for i in 0..16 {
        now += if i % 2 == 0 { 1000 } else { 4000 };
        let answer = targets.meet(TOKEN, now);
        assert_eq!(answer == MISSING, i < accounts::WARM_ARRIVALS, "{i}");
    }
    // |ln 16000 − ln 2000|/ln 2 = 3 sigmas.
    assert!((targets.meet(TOKEN, now + 16_000) - 0.3).abs() < 1e-5);
    // Time that runs backwards counts as 1 ms: (ln 2000 − ln 1)/ln 2 is about 11 sigmas of the first 16.
    assert!(targets.meet(TOKEN, now) > 0.8);
}

#[test]
fn calls_at_equal_intervals_are_usual_and_any_other_is_not() {
    let mut targets = accounts::Targets::new(2);
    let answers: Vec<f32> = (0..20).map(|i| targets.meet(TOKEN, i * 500)).collect();
    assert!(answers[9..].iter().all(|a| *a < 1e-3), "{answers:?}");
    assert_eq!(targets.meet(TOKEN, 19 * 500 + 501), 1.0);
}
