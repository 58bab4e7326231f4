//! Which pauses are tried, and what they leave, on a scripted EVM.

use super::*;
use crate::evidence::trace::Trace;
use crate::evidence::transfers::Asset;
use crate::evidence::{Class, VictimLoss};
use crate::simulate::evm::backend::{Look, Traced};
use crate::simulate::evm::tracer::Stop;
use alloy_primitives::Bytes;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

const ETHER: Asset = Asset::Native;

/// Ends every transaction by its first byte of calldata: 1 is a pause that fails, 2 is one that does not end.
struct Scripted(RefCell<Vec<Vec<u8>>>);

impl Backend for Scripted {
    fn execute(
        &self,
        environment: &Environment,
        transactions: &[TxEnv],
        endowed: &[Address],
        bounds: Bounds,
        look: Look,
    ) -> Result<(), StateError> {
        assert_eq!(endowed.len(), transactions.len() - 1, "guardians can pay");
        let sent = transactions.iter().map(|tx| tx.data.to_vec());
        self.0.borrow_mut().push(sent.flatten().collect());
        for transaction in transactions {
            let exit = match transaction.data.first() {
                Some(1) => Exit::Reverted,
                Some(2) => Exit::Stopped(Stop::Deadline),
                Some(3) => return Err(StateError::Unknown),
                _ => Exit::Succeeded,
            };
            let mut then = |execution: Execution, views: &dyn Views| {
                look(
                    Execution {
                        exit: exit.clone(),
                        gas_spent: 10,
                        ..execution
                    },
                    views,
                );
            };
            Traced(Trace::default()).execute(environment, &[], &[], bounds, &mut then)?;
        }
        Ok(())
    }

    fn varies(&self) -> bool {
        true
    }
}

fn victim(contract: &str, loss: Option<u64>) -> Victim {
    Victim {
        contract: contract.into(),
        invariants: Vec::new(),
        loss: loss.map(|amount| VictimLoss {
            asset: ETHER,
            amount: U256::from(amount),
            share: None,
        }),
        beneficiary: None,
    }
}

fn broken(contract: &str, severe: bool, loss: Option<u64>) -> Violation {
    Violation {
        invariant: "x".into(),
        contract: contract.into(),
        class: Class::Loss,
        weight: 0.5,
        severe,
        explanation: String::new(),
        losses: loss.map(|n| (ETHER, U256::from(n))).into_iter().collect(),
        shares: Vec::new(),
    }
}

fn pause(input: u8) -> Pause {
    Pause {
        from: Address::repeat_byte(9),
        to: Address::repeat_byte(8),
        input: vec![input].into(),
        value: U256::ZERO,
        gas: None,
        check: None,
    }
}

/// Pauses by their calldata, of contracts A, B, …; after each attempt `lost` ether of those of A is left.
fn asked(pauses: &[u8], lost: &[u64]) -> (Result<Paused, Unasked>, Vec<Vec<u8>>) {
    let names: Vec<Arc<str>> = (0..pauses.len())
        .map(|n| char::from(b'A' + n as u8).to_string().into())
        .collect();
    let pauses: Vec<_> = pauses.iter().map(|input| pause(*input)).collect();
    let candidates: Vec<_> = names.iter().zip(&pauses).collect();
    let backend = Scripted(RefCell::default());
    let question = Question {
        backend: &backend,
        environment: &Environment::unknown(1),
        sequence: &[TxEnv {
            data: Bytes::from_static(&[0xaa]),
            ..TxEnv::default()
        }],
        bounds: Bounds {
            deadline: Instant::now() + Duration::from_secs(10),
            frames: 10,
            bytes: 10,
            accesses: 10,
        },
        victims: &[victim("A", Some(100))],
        candidates: &candidates,
    };
    let attempt = Cell::new(0);
    let judge = |_: &Execution, _: &dyn Views| {
        let left = lost.get(attempt.replace(attempt.get() + 1)).copied();
        Some(vec![broken("A", true, Some(left?))])
    };
    let answer = ask(&question, &judge);
    (answer, backend.0.into_inner())
}

#[test]
fn one_pause_that_leaves_little_is_enough() {
    let (answer, sent) = asked(&[10, 11], &[10]);
    let answer = answer.unwrap();
    assert_eq!(answer.targets, ["A".into()]);
    assert!(answer.succeeds && answer.harm_left == 0.1);
    assert_eq!(answer.tried[0].gas, 10);
    assert_eq!(sent, [[10, 0xaa]]);
}

#[test]
fn more_are_paused_while_more_than_a_tenth_is_left_but_not_without_end() {
    let (answer, sent) = asked(&[10, 11, 12, 13, 14], &[90, 80, 70, 60, 0]);
    let answer = answer.unwrap();
    assert_eq!(answer.targets.len(), MOST);
    assert_eq!(answer.harm_left, 0.6);
    assert_eq!(sent.last().unwrap(), &[10, 11, 12, 13, 0xaa]);
}

#[test]
fn a_pause_that_fails_is_left_out_where_another_goes_through() {
    let (answer, sent) = asked(&[1, 11], &[100, 0]);
    let answer = answer.unwrap();
    assert_eq!(answer.targets, ["B".into()]);
    assert!(answer.succeeds && answer.harm_left == 0.0);
    let went: Vec<_> = answer.tried.iter().map(|one| one.succeeds).collect();
    assert_eq!(went, [false, true]);
    assert_eq!(sent[1], [11, 0xaa]);
}

#[test]
fn where_no_pause_goes_through_all_harm_is_left() {
    let (answer, _) = asked(&[1, 1], &[0, 0]);
    let answer = answer.unwrap();
    assert_eq!(answer.targets, ["A".into(), "B".into()]);
    assert!(!answer.succeeds && answer.harm_left == 1.0);
}

#[test]
fn what_does_not_end_or_is_not_judged_in_time_has_no_answer() {
    for (pauses, lost) in [([2], &[0][..]), ([10], &[])] {
        let unasked = asked(&pauses, lost).0.unwrap_err();
        assert!(unasked.why.contains("deadline") && !unasked.missing);
    }
}

#[test]
fn missing_state_may_be_there_on_another_attempt() {
    assert!(asked(&[3], &[0]).0.unwrap_err().missing);
}

#[test]
fn what_is_left_is_the_largest_part_of_any_victims_harm() {
    let victims = [victim("A", Some(100)), victim("B", None)];
    let left = |violations: &[Violation]| harm_left(&victims, violations, true);
    assert_eq!(left(&[]), 0.0);
    assert_eq!(left(&[broken("A", true, Some(25))]), 0.25);
    assert_eq!(left(&[broken("B", false, None)]), SOME);
    assert_eq!(
        left(&[broken("A", true, Some(25)), broken("B", true, None)]),
        1.0
    );
    // More than before is no more than all.
    assert_eq!(left(&[broken("A", true, Some(300))]), 1.0);
    // Somebody loses who did not before, nobody knows how much of what is there.
    assert_eq!(left(&[broken("C", false, Some(1))]), SOME);
    assert_eq!(left(&[broken("C", true, Some(1))]), 1.0);
    // A severe violation whose loss is gone has done its harm, as far as that was measured.
    assert_eq!(left(&[broken("A", true, None)]), 0.0);
}

#[test]
fn a_new_loss_counts_by_its_share_against_the_largest_that_there_was() {
    let mut victims = [victim("A", Some(100)), victim("B", Some(7))];
    let new = |share: f32| Violation {
        shares: vec![(ETHER, share)],
        ..broken("C", true, Some(1))
    };
    let left = |victims: &[Victim], share| harm_left(victims, &[new(share)], true);
    // Of the victims no share is known.
    assert_eq!(left(&victims, 0.5), 0.5);
    victims[0].loss.as_mut().unwrap().share = Some(0.4);
    victims[1].loss.as_mut().unwrap().share = Some(0.1);
    assert_eq!(left(&victims, 0.1), 0.25);
    assert_eq!(left(&victims, 0.9), 1.0);
    assert!(left(&victims, 1e-9) < 1e-6, "dust");
    assert_eq!(left(&victims, f32::NAN), 1.0);
}

#[test]
fn a_pause_that_makes_it_worse_is_not_among_the_targets() {
    let answer = asked(&[10, 11, 12], &[40, 90, 60]).0.unwrap();
    assert_eq!(answer.targets, ["A".into()]);
    assert_eq!((answer.harm_left, answer.tried.len()), (0.4, 3));
    let together = asked(&[10, 11], &[100, 5]).0.unwrap();
    assert_eq!(together.targets, ["A".into(), "B".into()]);
}

#[test]
fn what_is_known_of_fewer_pauses_outlasts_one_that_does_not_end() {
    let answer = asked(&[10, 2], &[40, 0]).0.unwrap();
    assert_eq!(answer.targets, ["A".into()]);
    assert_eq!(answer.harm_left, 0.4);
    assert!(asked(&[10, 3], &[40, 0]).0.unwrap_err().missing);
}

proptest::proptest! {
    /// Whatever else is tried, the answer is the least that any of the sets leaves.
    #[test]
    fn the_best_set_counts(lost in proptest::collection::vec(0..=100_u64, 4)) {
        let answer = asked(&[10, 11, 12, 13], &lost).0.unwrap();
        let until = lost.iter().position(|left| *left <= 10).map_or(4, |enough| enough + 1);
        let least = lost[..until].iter().min().copied().unwrap_or(100);
        proptest::prop_assert_eq!(answer.harm_left, least as f32 / 100.0);
        let first = lost.iter().position(|left| *left == least).unwrap_or(0);
        proptest::prop_assert_eq!(answer.targets.len(), first + 1);
    }
}

#[test]
fn without_a_victim_what_succeeds_still_has_all_its_harm() {
    assert_eq!(harm_left(&[], &[], true), 1.0);
    assert_eq!(harm_left(&[], &[], false), 0.0);
}
