//! One account prepares, another one takes.

use super::*;
use crate::evidence::{Accesses, Part};

const HELPER: Address = Address::repeat_byte(0x4e);
const OTHER: Address = Address::repeat_byte(0x07);

/// Somebody else's, of a number that stands for its hash, nonce and bid.
fn of_others(n: u8, callee: Address) -> Slot {
    let mut slot = call_of(n, callee);
    slot.tx.from = Address::repeat_byte(n);
    slot.tx.nonce = 0;
    slot.tx.max_fee_per_gas = u128::from(n);
    slot
}

/// Calls the helper, which its code says is about the contract.
fn suspect(n: u8) -> Slot {
    let mut slot = call_of(n, HELPER);
    slot.contacts = vec![0];
    slot
}

fn accesses(reads: &[u64], writes: &[u64], contracts: &[Address]) -> Accesses {
    let mut all = Accesses::default();
    for slot in reads.iter().chain(writes) {
        let written = writes.contains(slot);
        all.add(OTHER, Part::Slot(U256::from(*slot)), written);
    }
    contracts.iter().for_each(|one| all.called(*one));
    all
}

fn that(accesses: Accesses) -> Simulation {
    Simulation {
        accesses,
        ..harmless()
    }
}

fn before(suspect: &Suspect) -> Vec<u8> {
    let before = suspect.before.iter();
    before.map(|one| one.tx.hash[0]).collect()
}

/// The only one submitted, and what is executed before it.
fn submitted(rig: &mut Rig) -> (u8, Vec<u8>, bool) {
    let all = rig.submitted();
    let [one] = &all[..] else {
        panic!("{} were submitted", all.len());
    };
    (one.tx.hash[0], before(one), one.among_others)
}

#[test]
fn what_is_harmless_alone_is_an_alert_where_it_takes_after_what_another_prepared() {
    let mut rig = Rig::live();
    assert_eq!(rig.judged(of_others(1, HELPER), 0.0), Course::Passed);
    rig.judged(suspect(9), 0.0);
    assert_eq!(submitted(&mut rig), (9, vec![], false));
    rig.verdict(&suspect(9), harmless());
    assert_eq!(submitted(&mut rig), (9, vec![1], true));
    rig.verdict(&suspect(9), attack());
    let emitted = rig.emitted();
    assert_eq!(emitted.len(), 1);
    assert_eq!(emitted[0].verdict.score, attack().verdict(0.0));
    assert_eq!(rig.stats().simulated_after_others.get(), 1);
    assert_eq!(rig.stats().simulated_again.get(), 1);
}

#[test]
fn what_fails_alone_is_judged_after_what_another_prepared_too() {
    let mut rig = Rig::live();
    rig.judged(of_others(1, HELPER), 0.0);
    rig.judged(suspect(9), 0.0);
    rig.submitted();
    let fails = Simulation {
        succeeded: false,
        gas_used: 21_000,
        ..harmless()
    };
    rig.verdict(&suspect(9), fails);
    assert_eq!(submitted(&mut rig), (9, vec![1], true));
}

#[test]
fn it_makes_no_difference_which_of_the_two_is_announced_first() {
    let mut rig = Rig::live();
    rig.kept(suspect(9));
    rig.judged(of_others(1, HELPER), 0.0);
    assert_eq!(submitted(&mut rig), (9, vec![1], true));
    rig.verdict(&suspect(9), attack());
    assert_eq!(rig.emitted().len(), 1);
}

#[test]
fn who_prepares_what_a_called_contract_reads_is_found_by_that_contract() {
    let mut rig = Rig::live();
    rig.judged(of_others(1, OTHER), 0.0);
    rig.judged(suspect(9), 0.0);
    rig.submitted();
    rig.verdict(&suspect(9), that(accesses(&[1], &[], &[HELPER, OTHER])));
    assert_eq!(submitted(&mut rig), (9, vec![1], true));
}

#[test]
fn what_others_do_that_changes_nothing_is_no_alert_and_asked_once() {
    let mut rig = Rig::live();
    rig.judged(of_others(1, HELPER), 0.0);
    let mut some_harm = harmless();
    some_harm.harm = 0.3;
    rig.judged(suspect(9), 0.0);
    rig.verdict(&suspect(9), some_harm.clone());
    rig.submitted();
    // The model alone says nothing of what others prepared.
    some_harm.probability = Some(0.99);
    rig.verdict(&suspect(9), some_harm);
    assert!(rig.emitted().is_empty() && rig.submitted().is_empty());
    assert!(rig.triage.suspects.harmless.keys().eq([&suspect(9).key()]));
    rig.handle(Occurrence::State);
    assert_eq!(
        submitted(&mut rig),
        (9, vec![], false),
        "alone, with the next state"
    );
}

#[test]
fn that_it_cannot_be_executed_after_others_takes_no_verdict_away() {
    for kind in FailureKind::ALL {
        let mut rig = Rig::live();
        rig.judged(of_others(1, HELPER), 0.0);
        rig.judged(suspect(9), 0.0);
        rig.verdict(&suspect(9), harmless());
        rig.submitted();
        rig.fails(&suspect(9), kind);
        assert!(
            rig.emitted().is_empty() && rig.submitted().is_empty(),
            "{kind:?}"
        );
        assert!(rig.triage.suspects.harmless.keys().eq([&suspect(9).key()]));
    }
}

#[test]
fn ones_own_transactions_are_no_others() {
    let mut rig = Rig::live();
    rig.judged(call_of(1, HELPER), 0.0);
    rig.judged(suspect(9), 0.0);
    rig.submitted();
    rig.verdict(&suspect(9), harmless());
    assert!(rig.submitted().is_empty());
}

#[test]
fn a_suspect_that_writes_what_another_reads_is_executed_before_it() {
    let mut rig = Rig::live();
    // Both call the contract itself: whoever calls it is not followed, but what they read and write is.
    let (mut writer, reader, unrelated) = (of_others(1, CALLEE), touching(9), of_others(2, CALLEE));
    writer.contacts = vec![0];
    let mut unrelated = unrelated;
    unrelated.contacts = vec![0];
    for (slot, accesses) in [
        (&writer, accesses(&[], &[1], &[])),
        (&unrelated, accesses(&[], &[2], &[])),
        (&reader, accesses(&[1], &[], &[])),
    ] {
        rig.judged(copy(slot), 0.0);
        rig.submitted();
        rig.verdict(slot, that(accesses));
    }
    assert_eq!(submitted(&mut rig), (9, vec![1], true));
}

#[test]
fn a_reader_is_looked_at_again_when_it_is_known_what_another_writes() {
    let mut rig = Rig::live();
    let (mut writer, reader) = (of_others(1, CALLEE), touching(9));
    writer.contacts = vec![0];
    rig.judged(copy(&reader), 0.0);
    rig.verdict(&reader, that(accesses(&[1], &[], &[])));
    rig.judged(copy(&writer), 0.0);
    rig.submitted();
    rig.verdict(&writer, that(accesses(&[], &[1], &[])));
    assert_eq!(submitted(&mut rig), (9, vec![1], true));
}

#[test]
fn what_prepares_a_preparation_comes_first() {
    let mut rig = Rig::live();
    let (mut first, mut second) = (of_others(3, CALLEE), of_others(2, CALLEE));
    (first.contacts, second.contacts) = (vec![0], vec![0]);
    let reader = touching(9);
    rig.judged(copy(&first), 0.0);
    rig.verdict(&first, that(accesses(&[], &[1], &[])));
    rig.judged(copy(&second), 0.0);
    rig.submitted();
    rig.verdict(&second, that(accesses(&[1], &[], &[])));
    assert_eq!(submitted(&mut rig), (2, vec![3], true));
    // Only now does it write, and that is no harm.
    rig.verdict(&second, that(accesses(&[1], &[2], &[])));
    rig.judged(copy(&reader), 0.0);
    rig.submitted();
    rig.verdict(&reader, that(accesses(&[2], &[], &[])));
    assert_eq!(submitted(&mut rig), (9, vec![3, 2], true));
}

#[test]
fn of_many_callers_the_newest_few_come_before_it_the_highest_bid_first() {
    let mut rig = Rig::live();
    for n in 1..=20 {
        rig.judged(of_others(n, HELPER), 0.0);
    }
    rig.judged(suspect(99), 0.0);
    rig.submitted();
    rig.verdict(&suspect(99), harmless());
    let newest: Vec<_> = (13..=20).rev().collect();
    assert_eq!(submitted(&mut rig), (99, newest, true));
    rig.verdict(&suspect(99), harmless());
    rig.judged(of_others(21, HELPER), 0.0);
    assert!(
        rig.submitted().is_empty(),
        "what many call is not followed call by call"
    );
}

#[test]
fn honest_users_of_one_vault_cost_a_bounded_number_of_looks() {
    let mut rig = Rig::live();
    for n in 1..=100 {
        let mut user = of_others(n, CALLEE);
        user.contacts = vec![0];
        rig.judged(copy(&user), 0.0);
        rig.verdict(&user, that(accesses(&[1], &[1], &[])));
        while let Some(one) = rig.submitted().pop() {
            let again = of_others(one.tx.hash[0], CALLEE);
            assert!(one.before.len() <= 8);
            rig.verdict(&again, that(accesses(&[1], &[1], &[])));
        }
    }
    assert!(rig.emitted().is_empty());
    let looks = rig.stats().simulated_after_others.get();
    assert!(looks <= 100 + 64, "{looks}");
}

#[test]
fn what_a_block_has_prepares_nothing_any_more() {
    let mut rig = Rig::live();
    rig.judged(of_others(1, HELPER), 0.0);
    rig.handle(Occurrence::Mined(0, &[mined(Address::repeat_byte(1), 0)]));
    rig.judged(suspect(9), 0.0);
    rig.submitted();
    rig.verdict(&suspect(9), harmless());
    assert!(rig.submitted().is_empty());
}

#[test]
fn a_replay_is_given_all_that_may_have_been_executed_before_it() {
    let mut rig = Rig::replay();
    for n in 1..=20 {
        rig.judged(of_others(n, HELPER), 0.0);
    }
    rig.judged(suspect(99), 0.0);
    rig.verdict(&suspect(99), harmless());
    let awaited = rig.triage.awaits_record(&suspect(99).tx.hash).unwrap();
    assert_eq!(awaited.before.len(), 20);
}

#[test]
fn who_was_passed_can_be_judged_anew_and_who_was_not_need_not() {
    let mut rig = Rig::live();
    let mut passed = of_others(1, HELPER);
    passed.row[0] = 7.0;
    rig.judged(passed, 0.0);
    rig.judged(suspect(9), 0.0);
    let again = rig.triage.passed_callers(&HELPER);
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].tx.hash[0], again[0].row[0]), (1, 7.0));
    for n in 2..100 {
        rig.judged(of_others(n, HELPER), 0.0);
    }
    assert_eq!(rig.triage.passed_callers(&HELPER).len(), CALLERS);
}

#[test]
fn what_is_passed_on_to_be_simulated_is_seen() {
    let mut rig = Rig::live();
    rig.judged(of_others(1, HELPER), 0.0);
    rig.judged(suspect(9), 0.0);
    let seen = [1, 9].map(|n| rig.triage.has_seen(&B256::repeat_byte(n)));
    assert_eq!(seen, [false, true]);
}
