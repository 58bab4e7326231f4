//! Triage, and what waits for its simulation.

use super::*;
use crate::chain::ChainSpec;
use crate::config::MonitoredContract;
use crate::evidence::FEATURES;
use crate::simulate::judge::simulator::Simulator;
use alloy_primitives::{Address, U256};

const SENDER: Address = Address::repeat_byte(0x5e);

/// That monitor nothing.
fn simulations() -> Simulations {
    of(&[], SimulationConfig::default())
}

fn of(contracts: &[MonitoredContract], config: SimulationConfig) -> Simulations {
    let simulator = Simulator::new(
        contracts,
        &config,
        Arc::new(ChainSpec::of(1)),
        None,
        Arc::default(),
    )
    .unwrap();
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

fn word(n: u64) -> B256 {
    U256::from(n).into()
}

fn mined(from: Address, nonce: u64) -> MinedTransaction {
    let (hash, creates) = (B256::ZERO, false);
    MinedTransaction {
        hash,
        from,
        nonce,
        creates,
    }
}

/// Passed on, and over.
fn simulated(all: &mut Simulations, slot: Slot) -> Waiting {
    let hash = slot.tx.hash;
    all.submit(slot, 0.0, 0.0, 0);
    all.take(&hash).expect("waits")
}

/// Found harmless.
fn kept(all: &mut Simulations, slot: Slot) {
    let waiting = simulated(all, slot);
    all.keep(waiting);
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
    assert!(!all.wants(&mut slot(1), 0.29));
    assert!(all.wants(&mut slot(2), 0.3));
    assert!(all.wants(&mut touching(3), 0.0));
    assert!(!all.wants(&mut touching(3), 1.0), "passed on before");
    let counts = (
        all.stats.triaged_score.get(),
        all.stats.triaged_contact.get(),
    );
    assert_eq!(counts, (1, 1));
}

#[test]
fn young_code_is_simulated_whatever_its_score_where_contracts_are_monitored() {
    let aged = |n: u8, age: f32| {
        let mut slot = slot(n);
        slot.row[FEATURES - 1] = age.ln_1p();
        slot
    };
    let creation = || {
        let mut creation = aged(9, 0.0);
        creation.tx.to = None;
        creation
    };
    let contracts = [MonitoredContract::default()];
    let mut all = of(&contracts, SimulationConfig::default());
    assert!(all.wants(&mut aged(1, 0.0), 0.0) && all.wants(&mut aged(2, 7_200.0), 0.0));
    assert!(!all.wants(&mut aged(3, 7_201.0), 0.0));
    assert!(!all.wants(&mut slot(4), 0.0), "nobody knows its age");
    assert!(all.wants(&mut creation(), 0.0));
    all.submit(creation(), 0.0, 0.0, 0);
    let mut call = slot(5);
    call.tx.to = Some(SENDER.create(9));
    assert!(all.wants(&mut call, 0.0), "pending still");
    assert_eq!(all.stats.triaged_young.get(), 4);
    assert!(all.wants(&mut aged(6, 0.0), 0.3));
    assert_eq!(all.stats.triaged_score.get(), 1);

    let off = SimulationConfig {
        young_blocks: 0,
        ..SimulationConfig::default()
    };
    for mut all in [of(&contracts, off), simulations()] {
        assert!(!all.wants(&mut aged(1, 0.0), 0.0) && !all.wants(&mut creation(), 0.0));
    }
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
    assert!(!all.wants(&mut creation(1, vec![]), 0.0));
    assert!(!all.wants(&mut calls(10, 1), 0.0), "of no interest");
    let mut attacker = creation(2, vec![0]);
    let address = SENDER.create(2);
    assert_eq!(all.news(&attacker), Some(address));
    assert!(all.wants(&mut attacker, 0.0));
    all.submit(attacker, 0.0, 0.0, 0);
    assert_eq!(all.news(&creation(2, vec![])), None);
    assert_eq!(
        all.news(&creation(2, vec![1])),
        Some(address),
        "of another one, too"
    );
    let mut call = calls(11, 2);
    assert!(all.wants(&mut call, 0.0));
    assert_eq!(call.contacts, [0], "as if it named it itself");
    assert_eq!(all.predecessors.before(&call.tx).len(), 2);
    call.tx.from = Address::ZERO;
    let before = all.predecessors.before(&call.tx);
    assert_eq!(before[0].tx.hash, B256::repeat_byte(2), "whoever sent it");
}

#[test]
fn a_second_judgement_is_remembered_while_it_waits_and_of_no_use_once_there_is_a_verdict() {
    let mut all = simulations();
    all.submit(touching(1), 0.1, 0.2, 0);
    assert!(all.awaits(&mut touching(1), 0.5, 0.9));
    let mut other = Slot {
        fingerprint: 99,
        ..touching(1)
    };
    assert!(
        !all.awaits(&mut other, 1.0, 1.0),
        "other contents under its hash"
    );
    let waiting = all.take(&B256::repeat_byte(1)).expect("waits");
    assert_eq!((waiting.probability, waiting.score), (0.5, 0.9));
    assert!(
        !all.awaits(&mut touching(1), 0.5, 0.9),
        "neither waits nor has a verdict"
    );
    all.conclude(&waiting);
    assert!(all.awaits(&mut touching(1), 0.5, 0.9));
}

#[test]
fn what_had_no_verdict_has_another_chance_when_its_callees_code_arrives() {
    let mut all = simulations();
    assert!(all.wants(&mut touching(1), 0.0));
    let mut again = Slot {
        again: true,
        ..touching(1)
    };
    assert!(all.wants(&mut again, 0.0));
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
        slot.tx.hash = word(n);
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
    let sender = |n: u64| Address::left_padding_from(&n.to_be_bytes());
    for n in 0..HARMLESS as u64 + 5 {
        let mut slot = touching(1);
        slot.tx.hash = word(n);
        slot.tx.from = sender(n);
        kept(&mut all, slot);
    }
    assert_eq!(all.harmless.len(), HARMLESS);
    let mined: Vec<_> = (5..15).map(|n| mined(sender(n), 1)).collect();
    all.mined(&mined);
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
    assert_eq!(looks, (15..).take(AGAIN).map(word).collect::<Vec<_>>());
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
        all.put_off(waiting, true, now);
        assert!(all.due(now + PAUSE_MS - 1).is_empty());
        now += PAUSE_MS;
        for waiting in all.due(now) {
            assert_eq!(all.resubmit(waiting, now), None);
        }
    }
    assert_eq!(all.stats.simulated_again.get(), u64::from(RETRIES));
    let waiting = all.take(&hash).expect("waits");
    all.put_off(waiting, true, now);
    assert!(all.due(u64::MAX).is_empty());
    all.look_again();
    assert!(all.next_look().is_some());
}

#[test]
fn what_was_put_off_is_forgotten_once_it_is_mined() {
    let mut all = simulations();
    let waiting = simulated(&mut all, touching(1));
    all.put_off(waiting, true, 0);
    all.mined(&[mined(SENDER, 1)]);
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
    assert!(all.recall(&hash).is_some(), "for what comes later");
}

#[test]
fn what_is_mined_while_it_is_simulated_is_not_looked_at_again() {
    for nonce in [1, 7] {
        let mut all = simulations();
        all.submit(touching(1), 0.0, 0.0, 0);
        all.mined(&[mined(SENDER, nonce)]);
        let waiting = all.take(&B256::repeat_byte(1)).expect("waits");
        all.keep(waiting);
        all.look_again();
        assert!(all.next_look().is_none(), "{nonce}");
    }
    let mut all = simulations();
    kept(&mut all, touching(2));
    all.mined(&[mined(SENDER, 1), mined(Address::ZERO, 9)]);
    all.look_again();
    assert!(all.next_look().is_some(), "its turn is to come");
}

#[test]
fn what_is_executed_while_its_callees_creation_is_announced_is_executed_again_with_it() {
    let mut all = simulations();
    let mut call = slot(2);
    call.tx.to = Some(SENDER.create(1));
    all.submit(call, 0.5, 0.5, 0);
    let mut creation = touching(1);
    creation.tx.to = None;
    all.submit(creation, 0.0, 0.0, 0);
    let mut again = slot(2);
    again.tx.to = Some(SENDER.create(1));
    assert!(all.awaits(&mut again, 0.1, 0.1));
    let waiting = all.take(&B256::repeat_byte(2)).expect("waits");
    assert_eq!((&waiting.slot.contacts[..], waiting.score), (&[0][..], 0.5));
    all.keep_or_put_off(waiting, false, 0);
    let waiting = all.due(u64::MAX).remove(0);
    all.resubmit(waiting, 0);
    let waiting = all.take(&B256::repeat_byte(2)).expect("waits");
    assert!(!waiting.alone && waiting.before.len() == 1);
}

#[test]
fn one_look_a_state_is_enough_and_none_too_many_where_it_changed_meanwhile() {
    let mut all = simulations();
    kept(&mut all, touching(1));
    // On its way, and on the state before.
    all.submit(touching(2), 0.0, 0.0, 0);
    all.look_again();
    for n in [1, 2] {
        if n == 2 {
            let waiting = all.take(&B256::repeat_byte(2)).expect("waits");
            all.keep(waiting);
        }
        let next = all.next_look().expect("its turn");
        assert_eq!(next.slot.tx.hash, B256::repeat_byte(n));
        all.resubmit(next, 0);
        let waiting = all.take(&B256::repeat_byte(n)).expect("waits");
        all.keep(waiting);
        assert!(all.next_look().is_none(), "the state is the same");
    }
}

#[test]
fn a_simulation_tells_whom_it_touches_and_alone_it_proves_nothing() {
    let contract = MonitoredContract {
        name: "Vault".into(),
        ..MonitoredContract::default()
    };
    let mut all = of(&[contract], SimulationConfig::default());
    let mut waiting = simulated(&mut all, slot(1));
    let found = || Simulation {
        touched: vec!["Vault".into()],
        complete: true,
        ..Simulation::default()
    };
    assert!(all.learn(&mut waiting, found()).complete);
    assert_eq!(waiting.slot.contacts, [0]);
    waiting.alone = true;
    assert!(!all.learn(&mut waiting, found()).complete);
}

#[test]
fn one_sender_does_not_push_out_the_others() {
    let mut all = simulations();
    let mut other = touching(1);
    other.tx.from = Address::ZERO;
    kept(&mut all, other);
    for n in 0..HARMLESS as u64 {
        let mut slot = touching(2);
        slot.tx.hash = word(n);
        kept(&mut all, slot);
    }
    assert_eq!(all.harmless.len(), 1 + HARMLESS_PER_SENDER);
    assert!(all.recall(&B256::repeat_byte(1)).is_some());
}

/// Nonce 2, after a pending creation with nonce 1.
fn after_a_creation(all: &mut Simulations) -> Waiting {
    let mut creation = touching(1);
    creation.tx.to = None;
    all.submit(creation, 0.0, 0.0, 0);
    simulated(all, touching(2))
}

#[test]
fn what_was_executed_in_vain_is_executed_alone_the_next_time() {
    let mut all = simulations();
    let waiting = after_a_creation(&mut all);
    assert!(!waiting.alone && waiting.before.len() == 1);
    all.put_off(waiting, false, 0);
    let waiting = all.due(u64::MAX).remove(0);
    assert!(!waiting.alone, "it had no room, and was not executed");
    all.put_off(waiting, true, 0);
    let waiting = all.due(u64::MAX).remove(0);
    assert!(waiting.alone);
    // Harmless alone is not how it will be.
    all.keep_or_put_off(waiting, false, 0);
    let waiting = all.due(u64::MAX).remove(0);
    assert!(!waiting.alone);
    all.keep_or_put_off(waiting, false, 0);
    let kept = all.recall(&B256::repeat_byte(2)).expect("is harmless");
    assert!(!kept.alone);
}

#[test]
fn what_nothing_comes_before_is_never_alone() {
    let mut all = simulations();
    let waiting = simulated(&mut all, touching(1));
    all.put_off(waiting, true, 0);
    let waiting = all.due(u64::MAX).remove(0);
    all.resubmit(waiting, 0);
    assert!(!all.take(&B256::repeat_byte(1)).expect("waits").alone);
}

#[test]
fn a_call_of_what_a_simulated_transaction_created_has_its_contacts() {
    let mut all = simulations();
    let created = Address::repeat_byte(0xcc);
    assert_eq!(all.foresee(&[created], &[]), [created]);
    assert_eq!(
        all.foresee(&[created], &[3]),
        [created],
        "of whom was not known"
    );
    assert!(all.foresee(&[created], &[3]).is_empty(), "known by now");
    let mut call = slot(1);
    call.tx.to = Some(created);
    assert!(all.wants(&mut call, 0.0));
    assert_eq!(call.contacts, [3]);
}
