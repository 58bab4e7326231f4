//! Many take a little each.

use super::*;
use crate::evidence::Unaccounted;
use crate::evidence::transfers::Asset;

fn of(n: u8) -> Slot {
    let mut slot = touching(n);
    slot.tx.from = Address::repeat_byte(n);
    slot
}

fn taking(amount: u64) -> Simulation {
    let took = Unaccounted {
        contract: "Vault".into(),
        asset: Asset::Native,
        amount: U256::from(amount),
        before: U256::from(1_000),
        large: false,
        limit: 0.05,
    };
    Simulation {
        unaccounted: vec![took],
        ..harmless()
    }
}

fn taken(suspect: &Suspect) -> Vec<(u64, usize)> {
    let taken = suspect.taken.iter();
    taken.map(|one| (one.amount.to(), one.count)).collect()
}

#[test]
fn who_exceeds_the_limit_with_others_is_judged_with_what_these_take() {
    let mut rig = Rig::live();
    for n in 1..=3 {
        rig.judged(of(n), 0.0);
    }
    assert!(rig.submitted().iter().all(|one| one.taken.is_empty()));
    rig.verdict(&of(1), taking(30));
    assert!(rig.submitted().is_empty(), "nobody else takes anything yet");
    rig.verdict(&of(2), taking(30));
    let again = rig.submitted();
    assert_eq!((again.len(), taken(&again[0])), (1, vec![(30, 1)]));
    assert_eq!((again[0].before.len(), again[0].among_others), (1, true));
    let mut caught = attack();
    caught.unaccounted = taking(30).unaccounted;
    rig.verdict(&of(2), caught);
    assert_eq!(rig.emitted().len(), 1);
    rig.verdict(&of(3), taking(30));
    assert_eq!(taken(&rig.submitted()[0]), [(60, 2)], "each further one");
}

#[test]
fn who_takes_nothing_more_after_the_others_is_after_the_same_money() {
    let mut rig = Rig::live();
    for n in 1..=2 {
        rig.judged(of(n), 0.0);
        rig.verdict(&of(n), taking(30));
    }
    rig.submitted();
    rig.verdict(&of(2), harmless());
    assert!(rig.submitted().is_empty() && rig.emitted().is_empty());
    rig.judged(of(3), 0.0);
    rig.submitted();
    rig.verdict(&of(3), taking(10));
    rig.submitted();
    rig.verdict(&of(3), taking(10));
    assert!(rig.submitted().is_empty(), "the sum is below the limit");
}

#[test]
fn of_many_pending_ones_as_many_are_summed_up_as_are_executed_before_it() {
    let mut rig = Rig::live();
    for n in 1..=20 {
        rig.judged(of(n), 0.0);
        rig.submitted();
        rig.verdict(&of(n), taking(10));
        for one in rig.submitted() {
            assert!(one.before.len() <= 8);
            assert_eq!(
                taken(&one),
                [(10 * one.before.len() as u64, one.before.len())]
            );
        }
        rig.verdict(&of(n), taking(10));
        assert!(rig.submitted().is_empty(), "{n}");
    }
}

#[test]
fn it_is_asked_again_only_where_more_is_known_than_it_was_judged_with() {
    let mut rig = Rig::live();
    for n in 1..=2 {
        rig.judged(of(n), 0.0);
        rig.verdict(&of(n), taking(30));
    }
    assert_eq!(rig.submitted().len(), 3);
    rig.verdict(&of(2), taking(30));
    assert!(rig.submitted().is_empty() && rig.emitted().is_empty());
}

#[test]
fn what_the_books_account_for_is_looked_at_once() {
    let mut rig = Rig::live();
    for n in 1..=100 {
        rig.kept(of(n));
    }
    assert_eq!(rig.stats().simulated.get(), 100);
    assert!(rig.emitted().is_empty());
}

#[test]
fn what_was_mined_counts_and_what_was_replaced_does_not() {
    for (by, counted) in [(of(1).tx.hash, 1), (B256::repeat_byte(0xee), 0)] {
        let mut rig = Rig::live();
        rig.judged(of(1), 0.0);
        rig.verdict(&of(1), taking(30));
        let mut mined = mined(of(1).tx.from, 1);
        mined.hash = by;
        rig.handle(Occurrence::Mined(7, &[mined]));
        rig.judged(of(2), 0.0);
        rig.submitted();
        rig.verdict(&of(2), taking(30));
        let again = rig.submitted();
        assert_eq!(again.len(), counted);
        assert!(again.iter().all(|one| taken(one) == [(30, 1)]));
    }
}
