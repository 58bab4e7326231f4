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
fn nothing_that_stands_for_something_is_taken_for_good_unless_it_is_somebodys() {
    let message = || look(load(entry(arg(0), word(1))));
    let nobodys = look(load(entry(word(0), word(2))));
    let somebodys = look(load(entry(word(0), entry(caller(), word(2)))));
    let of = |keys: [U256; 2]| {
        U256::from_be_bytes(keccak256(keys.map(|key| key.to_be_bytes::<32>()).concat()).0)
    };
    let mut world = World::new();
    let functions = [
        ("process(bytes32)", message().then(nobodys)),
        ("fill(bytes32)", message().then(somebodys)),
    ];
    world.place(BRIDGE, contract(&functions, nothing()));
    let mallory = U256::from_be_slice(MALLORY.as_slice());
    world.store(BRIDGE, of([U256::ZERO, U256::from(2)]), U256::ONE);
    world.store(
        BRIDGE,
        of([U256::ZERO, of([mallory, U256::from(2)])]),
        U256::ONE,
    );
    let broken = |function| {
        let data = encode(function, &[U256::MAX - U256::from(5)]);
        let found = world.judge(MALLORY, BRIDGE, 0, data, bridge(None));
        named(&found, "bridge_release").is_some()
    };
    assert!(broken("process(bytes32)"));
    assert!(!broken("fill(bytes32)"));
}

#[test]
fn what_cannot_be_asked_is_not_guessed() {
    assert_eq!(judged(ROOT + 1, None), []);
    assert_eq!(judged(ROOT + 1, Some("confirmedSince(bytes32)")), []);
}
