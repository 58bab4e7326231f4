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
        scheduler.add(at(n), DEPLOYER, suspicion, n);
    }
    assert_eq!(all(&mut scheduler, 1, Outcome::Nothing), [2, 3, 1]);
    scheduler.head(2);
    assert_eq!(all(&mut scheduler, 1, Outcome::Nothing), [2, 3, 1]);
    assert_eq!(scheduler.counts().repeated, 3);
}

#[test]
fn what_is_new_goes_before_what_has_been_looked_at() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.9, 1);
    all(&mut scheduler, 10, Outcome::Nothing);
    scheduler.head(2);
    scheduler.add(at(2), DEPLOYER, 0.3, 2);
    assert_eq!(all(&mut scheduler, 10, Outcome::Nothing), [2, 1]);
}

#[test]
fn what_is_cheap_goes_before_what_is_dear() {
    let mut scheduler = scheduler(8, 1_000);
    for n in [1, 2] {
        scheduler.add(at(n), DEPLOYER, 0.5, n);
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
        scheduler.add(at(n), DEPLOYER, 0.5, n);
    }
    assert_eq!(all(&mut scheduler, 10, Outcome::Concerning).len(), 10);
    scheduler.head(2);
    assert_eq!(all(&mut scheduler, 10, Outcome::Concerning).len(), 10);
    scheduler.head(3);
    assert_eq!(all(&mut scheduler, 10, Outcome::Concerning).len(), 10);
    // All have been looked at: of this head's time half is kept for who may come.
    scheduler.head(4);
    assert_eq!(all(&mut scheduler, 10, Outcome::Concerning).len(), 5);
    scheduler.add(at(99), DEPLOYER, 0.1, 99);
    let task = scheduler.task().unwrap();
    assert_eq!((task.contract, task.budget.time), (99, millis(50)));
}

#[test]
fn nobody_waits_for_ever() {
    let mut scheduler = scheduler(64, 20);
    for n in 1..=20 {
        scheduler.add(at(n), DEPLOYER, if n == 1 { 0.05 } else { 0.9 }, n);
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
    scheduler.add(at(1), DEPLOYER, 0.5, 1);
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
    other.add(at(1), DEPLOYER, 0.5, 1);
    assert_eq!(heads(&mut other, Outcome::Concerning), 32);
}

#[test]
fn where_there_are_too_many_the_least_suspicious_goes_and_is_counted() {
    let mut scheduler = Scheduler::new(Limits {
        contracts: 4,
        per_deployer: 2,
        ..Limits::default()
    });
    assert_eq!(scheduler.add(at(1), DEPLOYER, 0.9, 1), None);
    assert_eq!(scheduler.add(at(2), DEPLOYER, 0.5, 2), None);
    assert_eq!(
        scheduler.add(at(3), DEPLOYER, 0.7, 3),
        Some(at(2)),
        "of one deployer"
    );
    for (n, dropped) in [(4, None), (5, None), (6, Some(at(6)))] {
        assert_eq!(scheduler.add(at(n), at(n), 0.3, n), dropped);
    }
    assert_eq!(scheduler.add(at(7), at(7), 0.4, 7), Some(at(5)));
    let counts = scheduler.counts();
    assert_eq!((counts.added, counts.dropped, scheduler.len()), (7, 3, 4));
}

#[test]
fn what_is_no_longer_young_is_forgotten_but_not_while_it_is_detonated() {
    let mut scheduler = scheduler(8, 1_000);
    for n in [1, 2] {
        scheduler.add(at(n), DEPLOYER, 0.5, n);
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
    scheduler.add(at(1), DEPLOYER, 0.5, 1);
    let task = scheduler.task().unwrap();
    assert!(scheduler.task().is_none() && scheduler.contract(at(1)).is_none());
    scheduler.head(2);
    scheduler.done(task.address, task.contract, millis(1), Outcome::Unfinished);
    assert_eq!(scheduler.task().unwrap().contract, 1);
    assert_eq!(scheduler.counts().unfinished, 1);
}

#[test]
fn a_deployer_that_floods_does_not_starve_anothers_contract() {
    let mut scheduler = scheduler(64, 1_000);
    for n in 0..32 {
        scheduler.add(at(n), DEPLOYER, 1.0, n);
    }
    scheduler.add(at(99), at(0xd1), 0.5, 99);
    let order = all(&mut scheduler, 100, Outcome::Nothing);
    let place = order.iter().position(|one| *one == 99);
    assert!(place.is_some_and(|place| place <= 1), "{order:?}");
}

#[test]
fn what_was_kept_waiting_is_tried_once_more_on_the_same_head_and_then_on_the_next() {
    let mut scheduler = scheduler(8, 1_000);
    scheduler.add(at(1), DEPLOYER, 0.5, 1);
    assert_eq!(all(&mut scheduler, 1, Outcome::Starved), [1, 1]);
    assert_eq!(scheduler.unseen(), 0);
    scheduler.head(2);
    assert_eq!(all(&mut scheduler, 1, Outcome::Starved), [1, 1]);
    scheduler.head(3);
    assert_eq!(all(&mut scheduler, 1, Outcome::Nothing), [1]);
}
