//! What is there to make those who watch see less than there is, or more (contracts/src/early/Evasive.sol).

use super::*;
use crate::config::WatchedAsset;
use alloy_primitives::Address;

/// Who has more than anybody.
const RICH: Address = Address::repeat_byte(0x71);

#[test]
fn what_only_others_money_could_do_is_no_proof() {
    let (mut world, vault) = vault();
    world.give(RICH, ether(1_000));
    // Its owner wants to know of all that is large.
    let amounts = &mut world.monitored[0].invariants.outflow.amounts;
    amounts.insert(WatchedAsset::Native, ether(5));
    let arguments = [word(vault), word(RICH)];
    let new = world.create(MALLORY, init_code("Borrower", &arguments));
    let mut subject = new.subject();
    let done = detonated(&world, &mut subject).detonation;
    assert!(done.proof.is_none(), "{}", told(&done));
    // It is armed by hand: what it has then is its own.
    world.call(RICH, new.address, 20 * ETHER, "arm()", &[]);
    let done = detonated(&world, &mut subject).detonation;
    assert!(done.touched > 0, "{}", told(&done));
    assert!(done.proof.is_none(), "{}", told(&done));
}

#[test]
fn a_call_into_nothing_takes_nothing_from_a_proof() {
    let (mut world, vault) = vault();
    let new = world.create(MALLORY, init_code("Distractor", &[word(vault)]));
    assert!(takes(&proves(&world, &new))[0].1 >= ether(10));
}

#[test]
fn many_calls_before_it_hide_nothing() {
    let (mut world, vault) = vault();
    let some = init_code("Babbler", &[word(vault), U256::from(4_500)]);
    let new = world.create(MALLORY, some);
    assert!(takes(&proves(&world, &new))[0].1 >= ether(10));
}

#[test]
fn more_calls_than_can_be_recorded_are_told() {
    let (mut world, vault) = vault();
    let many = init_code("Babbler", &[word(vault), U256::from(20_000)]);
    let new = world.create(MALLORY, many);
    let done = detonated(&world, &mut new.subject()).detonation;
    assert!(done.hides || done.proof.is_some(), "{}", told(&done));
}

#[test]
fn decoys_hold_it_up_for_some_heads_and_no_longer() {
    let (mut world, vault) = vault();
    let new = world.create(MALLORY, init_code("Decoys", &[word(vault)]));
    let mut subject = new.subject();
    let mut simulator = world.simulator();
    // A tenth of what there is elsewhere, in time.
    let budget = Budget {
        gas: 60_000_000,
        ..budget()
    };
    let mut heads = 0;
    loop {
        let state = &world.state;
        let done = detonate(
            &mut subject,
            state,
            &world.environment,
            &mut simulator,
            budget,
        );
        let done = done.expect("a state").detonation;
        heads += 1;
        if done.proof.is_some() {
            break;
        }
        assert!(heads < 12, "{} {}", heads, told(&done));
        world.environment.block.number += U256::ONE;
    }
}
