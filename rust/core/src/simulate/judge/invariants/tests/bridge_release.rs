use super::assembler::*;
use super::*;
use crate::config::{MonitoredContract, ReleaseFunction};

const BRIDGE: Address = Address::repeat_byte(0xb1);
const ROOT: u64 = 0xabcd;

fn bridge(known: Option<&str>) -> MonitoredContract {
    let mut contract = MonitoredContract {
        name: "Bridge".into(),
        address: BRIDGE,
        ..MonitoredContract::default()
    };
    contract.invariants.bridge_release.releases = vec![ReleaseFunction {
        function: "release(bytes32,uint256)".into(),
        root_word: 0,
        known: known.map(str::to_owned),
    }];
    contract
}

/// Pays without a look; roots are known by their slot.
fn world() -> World {
    let mut world = World::new();
    let functions = [
        ("release(bytes32,uint256)", pay(caller(), arg(1))),
        ("confirmAt(bytes32)", returns(load(arg(0)))),
    ];
    world.place(BRIDGE, contract(&functions, nothing()));
    world.fund(BRIDGE, 10 * ETHER);
    world.store(BRIDGE, U256::from(ROOT), U256::ONE);
    world
}

fn judged(root: u64, known: Option<&str>) -> Vec<Violation> {
    let words = [U256::from(root), U256::from(100)];
    let release = encode("release(bytes32,uint256)", &words);
    world().judge(MALLORY, BRIDGE, 0, release, bridge(known))
}

#[test]
fn a_release_on_a_root_of_zero_alarms() {
    let found = judged(0, None);
    assert!(named(&found, "bridge_release").is_some_and(|release| release.severe));
    assert!(judge(&found).alarm);
}

#[test]
fn a_root_that_nobody_confirmed_before_is_told_and_a_known_one_is_not() {
    let known = Some("confirmAt(bytes32)");
    let found = judged(ROOT + 1, known);
    assert!(judge(&found).alarm && named(&found, "bridge_release").is_some());
    assert_eq!(judged(ROOT, known), []);
}

#[test]
fn what_cannot_be_asked_is_not_guessed() {
    assert_eq!(judged(ROOT + 1, None), []);
    assert_eq!(judged(ROOT + 1, Some("confirmedSince(bytes32)")), []);
}
