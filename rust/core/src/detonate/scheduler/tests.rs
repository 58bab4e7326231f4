use super::*;

const DEPLOYER: Address = Address::repeat_byte(0xd0);

fn at(n: u8) -> Address {
    Address::repeat_byte(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn scheduler(contracts: usize, head: u64) -> Scheduler<u8> {
    let mut scheduler = Scheduler::new(Limits {
        contracts,
        head: millis(head),
        young: 100,
        ..Limits::default()
    });
    scheduler.head(1);
    scheduler
}

/// What is detonated until there is nothing more to do; each takes so long.
fn all(scheduler: &mut Scheduler<u8>, took: u64, outcome: Outcome) -> Vec<u8> {
    let mut order = Vec::new();
    while let Some(task) = scheduler.task() {
        assert_eq!(task.address, at(task.contract));
        order.push(task.contract);
        scheduler.done(task.address, task.contract, millis(took), outcome);
    }
    order
}

#[test]
fn the_most_suspicious_comes_first_and_each_once_on_a_head() {
    let mut scheduler = scheduler(8, 1_000);
    for (n, suspicion) in [(1, 0.2), (2, 0.9), (3, 0.5)] {
        scheduler.add(at(n), DEPLOYER, suspicion, true, n);
    }
    assert_eq!(all(&mut scheduler, 1, Outcome::Nothing), [2, 3, 1]);
    scheduler.head(2);
    assert_eq!(all(&mut scheduler, 1, Outcome::Nothing), [2, 3, 1]);
    assert_eq!(scheduler.counts().repeated, 3);
}

#[test]
fn what_is_new_goes_before_what_has_been_looked_at() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.9, true, 1);
    all(&mut scheduler, 10, Outcome::Nothing);
    scheduler.head(2);
    scheduler.add(at(2), DEPLOYER, 0.3, true, 2);
    assert_eq!(all(&mut scheduler, 10, Outcome::Nothing), [2, 1]);
}

#[test]
fn what_is_cheap_goes_before_what_is_dear() {
    let mut scheduler = scheduler(8, 1_000);
    for n in [1, 2] {
        scheduler.add(at(n), DEPLOYER, 0.5, true, n);
    }
    for took in [100, 1] {
        let task = scheduler.task().unwrap();
        scheduler.done(
            task.address,
            task.contract,
            millis(took),
            Outcome::Concerning,
        );
    }
    let dear = scheduler
        .waiting
        .iter()
        .find(|one| one.took == millis(100))
        .unwrap()
        .address;
    scheduler.head(2);
    assert_ne!(scheduler.task().unwrap().address, dear);
}

#[test]
fn a_heads_time_is_all_there_is_and_half_of_it_is_for_what_is_new() {
    let mut scheduler = scheduler(64, 100);
    for n in 1..=30 {
        scheduler.add(at(n), DEPLOYER, 0.5, true, n);
    }
    assert_eq!(all(&mut scheduler, 10, Outcome::Concerning).len(), 10);
    scheduler.head(2);
    assert_eq!(all(&mut scheduler, 10, Outcome::Concerning).len(), 10);
    scheduler.head(3);
    assert_eq!(all(&mut scheduler, 10, Outcome::Concerning).len(), 10);
    // All have been looked at: of this head's time half is kept for who may come.
    scheduler.head(4);
    assert_eq!(all(&mut scheduler, 10, Outcome::Concerning).len(), 5);
    scheduler.add(at(99), DEPLOYER, 0.1, true, 99);
    let task = scheduler.task().unwrap();
    assert_eq!((task.contract, task.budget.time), (99, millis(50)));
}

#[test]
fn nobody_waits_for_ever() {
    let mut scheduler = scheduler(64, 20);
    for n in 1..=20 {
        scheduler.add(at(n), DEPLOYER, if n == 1 { 0.05 } else { 0.9 }, true, n);
    }
    let mut seen = std::collections::BTreeSet::new();
    for head in 2..80 {
        scheduler.head(head);
        seen.extend(all(&mut scheduler, 10, Outcome::Concerning));
    }
    assert_eq!(seen.len(), 20);
}

#[test]
fn what_never_concerns_anybody_is_looked_at_ever_less() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.4, true, 1);
    let heads = |scheduler: &mut Scheduler<u8>, outcome| {
        let from = scheduler.head;
        (1..=32)
            .filter(|n| {
                scheduler.head(from + n);
                !all(scheduler, 1, outcome).is_empty()
            })
            .count()
    };
    assert_eq!(heads(&mut scheduler, Outcome::Nothing), 6);
    let mut other = self::scheduler(8, 1_000);
    other.add(at(1), DEPLOYER, 0.5, true, 1);
    assert_eq!(heads(&mut other, Outcome::Concerning), 32);
    // As suspicious as what holds a monitored contract: it may wait for what others do.
    let mut holding = self::scheduler(8, 1_000);
    holding.add(at(1), DEPLOYER, 0.5, true, 1);
    assert_eq!(heads(&mut holding, Outcome::Nothing), 10);
}

#[test]
fn where_there_are_too_many_the_least_suspicious_goes_and_is_counted() {
    let mut scheduler = Scheduler::new(Limits {
        contracts: 4,
        per_deployer: 2,
        ..Limits::default()
    });
    assert_eq!(scheduler.add(at(1), DEPLOYER, 0.9, true, 1), None);
    assert_eq!(scheduler.add(at(2), DEPLOYER, 0.5, true, 2), None);
    assert_eq!(
        scheduler.add(at(3), DEPLOYER, 0.7, true, 3),
        Some(at(2)),
        "of one deployer"
    );
    for (n, dropped) in [(4, None), (5, None), (6, Some(at(6)))] {
        assert_eq!(scheduler.add(at(n), at(n), 0.3, true, n), dropped);
    }
    assert_eq!(scheduler.add(at(7), at(7), 0.4, true, 7), Some(at(5)));
    let counts = scheduler.counts();
    assert_eq!((counts.added, counts.dropped, scheduler.len()), (7, 3, 4));
}

#[test]
fn what_is_no_longer_young_is_forgotten_but_not_while_it_is_detonated() {
    let mut scheduler = scheduler(8, 1_000);
    for n in [1, 2] {
        scheduler.add(at(n), DEPLOYER, 0.5, true, n);
    }
    let task = scheduler.task().unwrap();
    scheduler.head(101);
    assert_eq!((scheduler.len(), scheduler.counts().expired), (1, 1));
    scheduler.done(task.address, task.contract, millis(1), Outcome::Proved);
    scheduler.head(102);
    assert!(scheduler.is_empty());
}

#[test]
fn what_a_head_ended_is_its_turn_on_the_next_one() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.5, true, 1);
    let task = scheduler.task().unwrap();
    assert!(scheduler.task().is_none() && scheduler.contract(at(1)).is_none());
    scheduler.head(2);
    scheduler.done(task.address, task.contract, millis(1), Outcome::Unfinished);
    assert_eq!(scheduler.task().unwrap().contract, 1);
    assert_eq!(scheduler.counts().unfinished, 1);
}

#[test]
fn whoever_was_not_looked_at_comes_before_all_who_were_however_long_these_wait() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 1.0, true, 1);
    all(&mut scheduler, 1, Outcome::Concerning);
    scheduler.head(50);
    scheduler.add(at(2), DEPLOYER, 0.01, false, 2);
    assert_eq!(all(&mut scheduler, 1, Outcome::Concerning), [2, 1]);
    // What never comes to its end is new only for some attempts, one on each head.
    scheduler.add(at(3), DEPLOYER, 0.01, true, 3);
    for head in 51..51 + u64::from(ATTEMPTS) {
        scheduler.head(head);
        assert_eq!(scheduler.task().unwrap().contract, 3);
        scheduler.done(at(3), 3, millis(1), Outcome::Unfinished);
        assert_eq!(all(&mut scheduler, 1, Outcome::Concerning).len(), 2);
    }
    scheduler.head(60);
    assert_ne!(scheduler.task().unwrap().contract, 3);
}

#[test]
fn what_is_told_of_again_is_its_turn_and_another_code_is_new() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.3, false, 1);
    for head in 2..90 {
        scheduler.head(head);
        all(&mut scheduler, 1, Outcome::Nothing);
    }
    scheduler.head(91);
    assert!(scheduler.task().is_none(), "it rests");
    scheduler.add(at(1), DEPLOYER, 0.3, true, 1);
    assert_eq!(all(&mut scheduler, 1, Outcome::Nothing), [1]);
    scheduler.head(92);
    assert_eq!(
        all(&mut scheduler, 1, Outcome::Nothing),
        [1],
        "as if it had just come"
    );
    scheduler.head(150);
    assert_eq!(scheduler.len(), 1, "young again");
    scheduler.add(at(1), DEPLOYER, 0.3, true, 1);
    scheduler.renew(at(1));
    assert_eq!(scheduler.unseen(), 1);
}

#[test]
fn what_is_not_there_yet_is_its_turn_on_each_head_and_counts_as_nothing() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.3, false, 1);
    for head in 2..80 {
        scheduler.head(head);
        assert_eq!(all(&mut scheduler, 0, Outcome::Absent), [1]);
    }
    assert_eq!((scheduler.counts().detonated, scheduler.unseen()), (0, 1));
    scheduler.head(80);
    assert_eq!(all(&mut scheduler, 1, Outcome::Concerning), [1]);
    // Gone, it is looked for ever less, and was not called.
    let looks = (81..161).filter(|head| {
        scheduler.head(*head);
        !all(&mut scheduler, 1, Outcome::Gone).is_empty()
    });
    assert!(looks.count() < 10);
    assert_eq!(scheduler.counts().detonated, 1);
}

#[test]
fn who_did_nothing_leaves_first_and_what_no_block_has_takes_no_more_than_half() {
    let mut scheduler = scheduler(4, 1_000);
    scheduler.add(at(1), at(1), 0.9, true, 1);
    all(&mut scheduler, 1, Outcome::Nothing);
    for n in [2, 3] {
        assert_eq!(scheduler.add(at(n), at(n), 0.3, false, n), None);
    }
    // However suspicious: they are free.
    assert_eq!(scheduler.add(at(4), at(4), 0.8, false, 4), Some(at(3)));
    assert_eq!(scheduler.add(at(5), at(5), 0.2, true, 5), None);
    assert_eq!(scheduler.add(at(6), at(6), 0.1, true, 6), Some(at(1)));
    assert_eq!(scheduler.add(at(7), at(7), 0.1, true, 7), Some(at(2)));
    scheduler.was_mined(at(4));
    assert_eq!(scheduler.add(at(8), at(8), 0.15, true, 8), Some(at(7)));
}

#[test]
fn a_deployer_that_floods_does_not_starve_anothers_contract() {
    let mut scheduler = scheduler(64, 1_000);
    for n in 0..32 {
        scheduler.add(at(n), DEPLOYER, 1.0, true, n);
    }
    scheduler.add(at(99), at(0xd1), 0.5, true, 99);
    let order = all(&mut scheduler, 100, Outcome::Nothing);
    let place = order.iter().position(|one| *one == 99);
    assert!(place.is_some_and(|place| place <= 1), "{order:?}");
}

#[test]
fn what_hardly_began_is_tried_some_times_and_then_like_any_other() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.5, true, 1);
    assert_eq!(all(&mut scheduler, 1, Outcome::Begun), [1; 4]);
    assert_eq!((scheduler.unseen(), scheduler.counts().detonated), (0, 1));
    scheduler.head(2);
    assert_eq!(all(&mut scheduler, 1, Outcome::Begun), [1]);
    // Where a head has no time for more of it, it goes on with the next.
    scheduler.add(at(2), DEPLOYER, 0.5, true, 2);
    for head in 3..3 + u64::from(ATTEMPTS) {
        scheduler.head(head);
        assert_eq!(scheduler.task().unwrap().contract, 2);
        scheduler.done(at(2), 2, millis(1_000), Outcome::Begun);
    }
    assert_eq!(scheduler.unseen(), 1);
    scheduler.head(9);
    assert_eq!(all(&mut scheduler, 1, Outcome::Begun).len(), 2);
    assert_eq!(scheduler.unseen(), 0);
}

#[test]
fn what_was_kept_waiting_is_tried_some_times_on_the_same_head_and_then_on_the_next() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.5, true, 1);
    assert_eq!(all(&mut scheduler, 1, Outcome::Starved), [1; 5]);
    assert_eq!(scheduler.unseen(), 0);
    scheduler.head(2);
    assert_eq!(all(&mut scheduler, 1, Outcome::Starved), [1; 5]);
    scheduler.head(3);
    assert_eq!(all(&mut scheduler, 1, Outcome::Nothing), [1]);
}

#[test]
fn what_fails_yet_takes_no_time_of_those_who_were_not_looked_at() {
    let mut scheduler = scheduler(64, 1_000);
    for n in 0..32 {
        scheduler.add(at(n), at(n), 1.0, false, n);
        scheduler.put_back(at(n));
    }
    // Half of the head's time is not theirs.
    while let Some(task) = scheduler.task() {
        scheduler.done(task.address, task.contract, millis(100), Outcome::Nothing);
    }
    scheduler.add(at(99), at(99), 0.1, true, 99);
    assert_eq!(scheduler.task().map(|task| task.contract), Some(99));
}
