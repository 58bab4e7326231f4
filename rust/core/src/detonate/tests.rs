//! The project's own contracts, deployed and never called.

mod evasive;
mod hostile;
mod incidents;
mod twins;
#[path = "../../tests/support/early_world.rs"]
mod world;

use super::*;
use crate::evidence::{Detonation, Grade, Guard};
use alloy_primitives::U256;
use std::time::Duration;
use world::*;

/// Generous: other tests run at the same time.
fn budget() -> Budget {
    Budget {
        time: Duration::from_secs(20),
        patience: Duration::from_secs(60),
        judging: Duration::from_secs(20),
        ..Budget::default()
    }
}

fn detonated(world: &World, subject: &mut Subject) -> Detonated {
    let mut simulator = world.simulator();
    detonate(
        subject,
        &world.state,
        &world.environment,
        &mut simulator,
        budget(),
    )
    .expect("a state")
}

/// Told without its proof's simulation, which is long.
fn told(done: &Detonation) -> String {
    let proof = done
        .proof
        .as_ref()
        .map(|proof| (&proof.calls, &proof.simulation.violations));
    let without = Detonation {
        proof: None,
        ..done.clone()
    };
    format!("{without:?} {proof:?}")
}

/// What its proof takes of which monitored contract.
fn takes(done: &Detonated) -> Vec<(String, U256)> {
    let proof = done.detonation.proof.as_ref();
    let proof = proof.unwrap_or_else(|| panic!("no proof: {}", told(&done.detonation)));
    let losses = proof.simulation.losses.iter();
    losses
        .map(|loss| (loss.contract.to_string(), loss.amount))
        .collect()
}

fn proves(world: &World, new: &New) -> Detonated {
    let done = detonated(world, &mut new.subject());
    let proof = done.detonation.proof.as_ref();
    let proof = proof.unwrap_or_else(|| panic!("no proof: {}", told(&done.detonation)));
    assert!(proof.simulation.trace.is_some());
    println!(
        "{} calls, {} gas, {} us",
        done.detonation.calls, done.detonation.gas, done.detonation.took_us
    );
    let witness = done.witness.as_ref().expect("what it read");
    let sequence = Sequence {
        creation: None,
        calls: &proof.calls,
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let again = sequence
        .again(witness, &mut world.simulator(), deadline)
        .expect("all is there");
    assert_eq!(again.violations, proof.simulation.violations);
    done
}

#[test]
fn a_reentrancy_that_its_owner_alone_may_begin_is_proved() {
    let (mut world, vault) = vault();
    let new = world.create(MALLORY, init_code("Attacker", &[word(vault)]));
    let done = proves(&world, &new);
    let proof = done.detonation.proof.as_ref().unwrap();
    assert_eq!((proof.calls.len(), proof.calls[0].from), (1, MALLORY));
    assert!(takes(&done)[0].1 >= ether(10));
}

#[test]
fn it_is_proved_whatever_the_vault_holds_and_its_owner_has() {
    for (held, has) in [(97, 10_000), (1, 10_000), (60, 3), (100_000, 90_000)] {
        let (mut world, vault) = vault();
        world.give(ALICE, ether(held));
        world.call(ALICE, vault, held * ETHER, "deposit()", &[]);
        world.give(MALLORY, ether(has));
        let new = world.create(MALLORY, init_code("Attacker", &[word(vault)]));
        let done = detonated(&world, &mut new.subject()).detonation;
        let proof = done.proof.as_ref().map(|proof| proof.simulation.grade());
        assert_eq!(proof, Some(Grade::Proved), "{held} {has}: {done:?}");
    }
}

#[test]
fn a_price_that_is_moved_with_a_loan_of_the_right_size_is_proved() {
    let (mut world, all) = market();
    let arguments = [word(all.lender), word(all.market)];
    let new = world.create(MALLORY, init_code("PriceManipulator", &arguments));
    let done = proves(&world, &new);
    assert_eq!(takes(&done)[0].0, "Market");
    // A loan and a profit are no severe loss, as in the pool.
    assert_eq!(
        done.detonation.proof.unwrap().simulation.grade(),
        Grade::Likely
    );
}

#[test]
fn a_takeover_is_proved() {
    let (mut world, vault, _) = upgradeable();
    let new = world.create(MALLORY, init_code("Takeover", &[word(vault)]));
    assert_eq!(
        takes(&proves(&world, &new)),
        [("Vault".to_owned(), ether(20_000))]
    );
}

#[test]
fn allowances_that_are_spent_are_proved() {
    let (mut world, router, token) = router();
    let accounts = [U256::from(0x60), U256::from(2), word(ALICE), word(BOB)];
    let arguments = [&[word(router), word(token)][..], &accounts].concat();
    let new = world.create(MALLORY, init_code("ApprovalSweeper", &arguments));
    let done = proves(&world, &new);
    assert!(takes(&done)[0].1 >= ether(5_000));
}

#[test]
fn an_inflated_share_is_proved() {
    let (mut world, all) = shares();
    let arguments = [word(all.vault), word(all.queue)];
    let new = world.create(MALLORY, init_code("Inflator", &arguments));
    let allow = [word(new.address), U256::MAX];
    world.call(MALLORY, all.token, 0, "approve(address,uint256)", &allow);
    proves(&world, &new);
}

#[test]
fn what_must_be_armed_first_and_names_nobody_is_proved_in_two_calls() {
    let (mut world, vault) = vault();
    let new = world.create(MALLORY, init_code("StoredRobber", &[word(vault)]));
    let done = proves(&world, &new);
    assert_eq!(done.detonation.proof.as_ref().unwrap().calls.len(), 2);
    // Whoever arms it.
    let sleeper = world.create(MALLORY, init_code("Sleeper", &[]));
    let done = proves(&world, &sleeper);
    assert_eq!(done.detonation.proof.as_ref().unwrap().calls.len(), 2);
}

#[test]
fn before_it_is_mined_its_creation_is_the_first_step() {
    let (world, vault) = vault();
    for name in ["Attacker", "StoredRobber"] {
        let new = world.pending(MALLORY, init_code(name, &[word(vault)]));
        let mut subject = new.pending_subject();
        let done = detonated(&world, &mut subject);
        assert!(!takes(&done).is_empty());
        let proof = done.detonation.proof.as_ref().unwrap();
        let sequence = Sequence {
            creation: subject.creation.as_ref(),
            calls: &proof.calls,
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        let witness = done.witness.as_ref().unwrap();
        let again = sequence
            .again(witness, &mut world.simulator(), deadline)
            .unwrap();
        assert_eq!(again.losses, proof.simulation.losses);
    }
}

#[test]
fn what_is_learnt_makes_the_next_one_cheaper() {
    let (mut world, vault) = vault();
    let new = world.create(MALLORY, init_code("Attacker", &[word(vault)]));
    let mut subject = new.subject();
    let first = detonated(&world, &mut subject);
    let second = detonated(&world, &mut subject);
    assert!(second.detonation.proof.is_some());
    let calls = [first, second].map(|done| done.detonation.calls);
    assert!(calls[1] < calls[0], "{calls:?}");
}

#[test]
fn what_waits_for_the_state_to_change_is_proved_on_the_head_that_changes_it() {
    let mut world = World::new();
    let vault = world.deploy(ADMIN, "Vault", &[word(ADMIN)]);
    world.monitor("Vault", vault);
    let new = world.create(MALLORY, init_code("Attacker", &[word(vault)]));
    let mut subject = new.subject();
    assert!(
        detonated(&world, &mut subject).detonation.proof.is_none(),
        "it is empty"
    );
    world.call(ALICE, vault, 10 * ETHER, "deposit()", &[]);
    assert!(detonated(&world, &mut subject).detonation.proof.is_some());
}
