//! Triage, and what waits for its simulation.

use super::*;
use crate::simulate::simulator::Simulator;
use alloy_primitives::Address;

const SENDER: Address = Address::repeat_byte(0x5e);

fn simulations() -> Simulations {
    let config = SimulationConfig::default();
    let simulator = Simulator::new(&[], &config, None, Arc::default()).unwrap();
    Simulations::new(&config, 0.7, simulator, None, Arc::default())
}

fn slot(n: u8) -> Slot {
    Slot {
        tx: PendingTransaction {
            hash: B256::repeat_byte(n),
            from: SENDER,
            to: Some(Address::repeat_byte(0xc0)),
            nonce: u64::from(n),
            ..PendingTransaction::default()
        },
        fingerprint: u64::from(n),
        ..Slot::default()
    }
}

fn touching(n: u8) -> Slot {
    Slot {
        contacts: vec![0],
        ..slot(n)
    }
}

#[test]
fn contact_or_a_suspicious_score_is_simulated_once_and_counted() {
    let mut all = simulations();
    assert!(!all.wants(&slot(1), 0.29));
    assert!(all.wants(&slot(2), 0.3));
    assert!(all.wants(&touching(3), 0.0));
    assert!(!all.wants(&touching(3), 1.0), "passed on before");
    let counts = (
        all.stats.triaged_score.get(),
        all.stats.triaged_contact.get(),
    );
    assert_eq!(counts, (1, 1));
}

#[test]
fn a_call_of_what_a_pending_creation_will_create_counts_as_its_contact() {
    let mut all = simulations();
    let creation = |n, contacts| Slot {
        contacts,
        tx: PendingTransaction {
            to: None,
            ..slot(n).tx
        },
        ..slot(n)
    };
    let calls = |n: u8, nonce| {
        let mut call = slot(n);
        call.tx.to = Some(SENDER.create(nonce));
        call
    };
    assert!(!all.wants(&creation(1, vec![]), 0.0));
    assert!(!all.wants(&calls(10, 1), 0.0), "of no interest");
    let attacker = creation(2, vec![0]);
    assert!(all.wants(&attacker, 0.0));
    all.submit(attacker, 0.0, 0.0, 0);
    assert!(all.wants(&calls(11, 2), 0.0));
    assert_eq!(all.predecessors.before(&calls(11, 2).tx).len(), 2);
}

#[test]
fn a_second_judgement_is_remembered_while_it_waits_and_of_no_use_once_there_is_a_verdict() {
    let mut all = simulations();
    all.submit(touching(1), 0.1, 0.2, 0);
    assert!(all.awaits(&touching(1), 0.5, 0.9));
    let other = Slot {
        fingerprint: 99,
        ..touching(1)
    };
    assert!(
        !all.awaits(&other, 1.0, 1.0),
        "other contents under its hash"
    );
    let waiting = all.take(&B256::repeat_byte(1)).expect("waits");
    assert_eq!((waiting.probability, waiting.score), (0.5, 0.9));
    assert!(
        !all.awaits(&touching(1), 0.5, 0.9),
        "neither waits nor has a verdict"
    );
    all.conclude(&waiting);
    assert!(all.awaits(&touching(1), 0.5, 0.9));
}

#[test]
fn what_had_no_verdict_has_another_chance_when_its_callees_code_arrives() {
    let mut all = simulations();
    assert!(all.wants(&touching(1), 0.0));
    let again = Slot {
        again: true,
        ..touching(1)
    };
    assert!(all.wants(&again, 0.0));
}

#[test]
fn what_the_capture_has_no_simulation_of_waits_for_the_deadline_and_no_longer() {
    let mut all = simulations();
    for (n, now) in [(1, 1_000), (2, 2_000)] {
        assert_eq!(all.submit(touching(n), 0.0, 0.0, now), None);
    }
    let due = 1_000 + SimulationConfig::default().deadline_ms + GRACE_MS;
    assert_eq!(all.overdue(due), None);
    let (hash, failure) = all.overdue(due + 1).expect("the first");
    assert_eq!(
        (hash, failure.kind),
        (B256::repeat_byte(1), FailureKind::NotReady)
    );
    all.take(&hash);
    assert_eq!(all.overdue(due + 1), None);
    assert!(all.overdue(u64::MAX).is_some(), "at the end all of them");
}

#[test]
fn what_waits_is_bounded() {
    let mut all = simulations();
    let mut gave_way = 0;
    for n in 0..WAITING as u64 + 10 {
        let mut slot = touching(1);
        slot.tx.hash = B256::from(alloy_primitives::U256::from(n));
        if let Some((hash, _)) = all.submit(slot, 0.0, 0.0, n) {
            all.take(&hash);
            gave_way += 1;
        }
    }
    assert_eq!((gave_way, all.waiting.len()), (10, WAITING));
}

#[test]
fn what_was_harmless_is_looked_at_again_until_it_is_mined_in_bounded_numbers() {
    let mut all = simulations();
    for n in 0..HARMLESS as u64 + 5 {
        let mut slot = touching(1);
        slot.tx.hash = B256::from(alloy_primitives::U256::from(n));
        all.submit(slot, 0.0, 0.0, 0);
        let waiting = all.take(&B256::from(alloy_primitives::U256::from(n)));
        all.keep(waiting.expect("waits"));
    }
    assert_eq!(all.harmless.len(), HARMLESS);
    let mined: Vec<_> = (5..15_u64)
        .map(|n| B256::from(alloy_primitives::U256::from(n)))
        .collect();
    all.mined(mined.iter());
    assert!(all.next_look().is_none(), "the state is the same");
    all.look_again();
    let mut looks = Vec::new();
    while let Some(next) = all.next_look() {
        let hash = next.slot.tx.hash;
        all.resubmit(next, 0);
        assert!(all.next_look().is_none(), "one at a time");
        let harmless = all.take(&hash).expect("waits");
        all.keep(harmless);
        looks.push(hash);
    }
    let longest_ago = (15..).take(AGAIN).map(alloy_primitives::U256::from);
    assert_eq!(looks, longest_ago.map(B256::from).collect::<Vec<_>>());
    assert_eq!(all.harmless.len(), HARMLESS - 10);
}

#[test]
fn in_a_replay_what_the_capture_looked_at_again_is_looked_at_again() {
    let mut all = simulations();
    all.submit(touching(1), 0.0, 0.0, 0);
    let hash = B256::repeat_byte(1);
    assert!(all.recall(&hash).is_none(), "waits");
    let harmless = all.take(&hash).expect("waits");
    all.keep(harmless);
    let again = all.recall(&hash).expect("was harmless");
    assert_eq!(all.resubmit(again, 0), None);
    assert!(all.recall(&hash).is_none());
    assert!(all.take(&hash).is_some(), "waits again");
}

#[test]
fn what_had_no_verdict_is_tried_again_soon_and_then_with_each_head() {
    let mut all = simulations();
    all.submit(touching(1), 0.0, 0.0, 0);
    let hash = B256::repeat_byte(1);
    let mut now = 0;
    for _ in 0..RETRIES {
        let waiting = all.take(&hash).expect("waits");
        all.put_off(waiting, now);
        assert!(all.due(now + PAUSE_MS - 1).is_empty());
        now += PAUSE_MS;
        for waiting in all.due(now) {
            assert_eq!(all.resubmit(waiting, now), None);
        }
    }
    assert_eq!(all.stats.simulated_again.get(), u64::from(RETRIES));
    let waiting = all.take(&hash).expect("waits");
    all.put_off(waiting, now);
    assert!(all.due(u64::MAX).is_empty());
    all.look_again();
    assert!(all.next_look().is_some());
}

#[test]
fn what_was_put_off_is_forgotten_once_it_is_mined() {
    let mut all = simulations();
    all.submit(touching(1), 0.0, 0.0, 0);
    let waiting = all.take(&B256::repeat_byte(1)).expect("waits");
    all.put_off(waiting, 0);
    all.mined([B256::repeat_byte(1)].iter());
    assert!(all.due(u64::MAX).is_empty());
}

#[test]
fn in_a_replay_what_had_no_verdict_waits_for_the_next_try_that_was_recorded() {
    let mut all = simulations();
    all.submit(touching(1), 0.0, 0.0, 0);
    let hash = B256::repeat_byte(1);
    let waiting = all.take(&hash).expect("waits");
    let late = Failure::new(FailureKind::Deadline, "late");
    assert_eq!(all.await_next(waiting, &late, 0), None);
    let waiting = all.take(&hash).expect("waits again");
    let missing = Failure::new(FailureKind::NotReady, NOT_CAPTURED);
    assert_eq!(all.await_next(waiting, &missing, 0), None);
    assert!(all.take(&hash).is_none());
}
