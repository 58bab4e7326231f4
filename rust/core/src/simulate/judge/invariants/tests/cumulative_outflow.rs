use super::*;
use crate::config::{MonitoredContract, OutflowLimits};
use crate::evidence::Taken;

const STORE: Address = Address::repeat_byte(0x50);
/// CALL(caller, a twenty-fifth of its ether): nobody is asked, nothing is written.
const LEAKS: [u8; 12] = [
    0x5f, 0x5f, 0x5f, 0x5f, 0x60, 25, 0x47, 0x04, 0x33, 0x5a, 0xf1, 0x00,
];
const NAME: &str = "cumulative_outflow";

fn store() -> MonitoredContract {
    MonitoredContract {
        name: "Store".into(),
        address: STORE,
        ..MonitoredContract::default()
    }
}

/// Of which others took so much of a hundred before, each four.
fn leaking(taken: u64) -> World {
    let mut world = World::new();
    world.place(STORE, LEAKS.to_vec());
    world.fund(STORE, (100 - taken) * (ETHER / 10));
    world.taken = by_others("Store", taken * (ETHER / 10), 10 * ETHER);
    world
}

fn by_others(contract: &str, amount: u64, before: u64) -> Vec<Taken> {
    let taken = Taken {
        contract: contract.into(),
        asset: Asset::Native,
        amount: U256::from(amount),
        before: U256::from(before),
        count: 2,
    };
    Vec::from_iter(Some(taken).filter(|_| amount > 0))
}

fn leak(world: &World, contract: MonitoredContract) -> Vec<Violation> {
    world.judge(MALLORY, STORE, 0, Bytes::new(), contract)
}

#[test]
fn a_little_by_itself_is_no_alarm_and_told_for_the_next_one() {
    let world = leaking(0);
    assert!(leak(&world, store()).is_empty());
    let took = world.takes(MALLORY, STORE, Bytes::new(), store());
    assert_eq!(took.len(), 1);
    let amounts = (took[0].amount, took[0].before);
    assert_eq!(
        amounts,
        (U256::from(ETHER / 10 * 4), U256::from(ETHER * 10))
    );
}

#[test]
fn with_what_others_took_it_is_an_alarm_and_from_a_third_on_severe() {
    for (taken, alarms, severe) in [(1, false, false), (4, true, false), (28, true, true)] {
        let found = leak(&leaking(taken), store());
        let judged = (judge(&found).alarm, found.iter().any(|one| one.severe));
        assert_eq!(judged, (alarms, severe), "{taken}");
        assert!(!alarms || judge(&found).probability > 0.8);
    }
    let found = leak(&leaking(28), store());
    let said = "0.288 ETH leave Store to";
    let explanation = &named(&found, NAME).expect("fires").explanation;
    assert!(explanation.starts_with(said), "{explanation}");
    let sum =
        "with 2 other transactions, pending or in the last blocks, 3.088 ETH (31 % of its balance)";
    assert!(explanation.ends_with(sum), "{explanation}");
}

#[test]
fn the_configured_share_decides_of_the_sum_too() {
    let mut contract = store();
    contract.invariants.outflow = OutflowLimits {
        share: 0.5,
        ..OutflowLimits::default()
    };
    assert!(leak(&leaking(40), contract.clone()).is_empty());
    contract.invariants.outflow.share = 0.4;
    assert!(named(&leak(&leaking(40), contract), NAME).is_some());
}

#[test]
fn what_an_administrator_moves_or_a_receiver_gets_or_who_disabled_it_is_no_sum() {
    let changes: [fn(&mut MonitoredContract); 3] = [
        |contract| contract.admins = vec![MALLORY],
        |contract| contract.receivers = vec![MALLORY],
        |contract| contract.invariants.disabled = vec![NAME.into()],
    ];
    for change in changes {
        let (world, mut contract) = (leaking(40), store());
        change(&mut contract);
        assert!(named(&leak(&world, contract.clone()), NAME).is_none());
        assert!(
            world
                .takes(MALLORY, STORE, Bytes::new(), contract)
                .is_empty()
        );
    }
}

#[test]
fn honest_withdrawals_are_no_sum_however_many_there_are() {
    let mut world = World::new();
    let vault = world.deploy(ADMIN, "Vault", ADMIN.into_word().as_slice());
    world.call(ALICE, vault, 4 * ETHER, encode("deposit()", &[]));
    world.taken = by_others("Vault", 6 * ETHER, 10 * ETHER);
    let contract = MonitoredContract {
        name: "Vault".into(),
        address: vault,
        ..MonitoredContract::default()
    };
    let amount = U256::from(ETHER / 5);
    let withdrawal = encode("withdraw(uint256)", &[amount]);
    let found = world.judge(ALICE, vault, 0, withdrawal.clone(), contract.clone());
    assert!(found.is_empty(), "{found:?}");
    assert!(world.takes(ALICE, vault, withdrawal, contract).is_empty());
}

#[test]
fn what_is_large_by_itself_is_an_alarm_once_all_together_are_severe() {
    // A fifth.
    let mut fifth = LEAKS.to_vec();
    fifth[5] = 5;
    for (taken, alarms) in [(1, false), (4, true)] {
        let mut world = World::new();
        world.place(STORE, fifth.clone());
        world.fund(STORE, 10 * ETHER);
        world.taken = by_others("Store", taken * (ETHER / 2), 12 * ETHER);
        let found = leak(&world, store());
        assert!(named(&found, "outflow").is_some_and(|one| !one.severe));
        assert_eq!(
            (judge(&found).alarm, named(&found, NAME).is_some()),
            (alarms, alarms)
        );
    }
}

#[test]
fn what_is_severe_by_itself_is_an_alarm_of_its_own_and_makes_nobody_else_one() {
    let mut world = World::new();
    // A half.
    let mut half = LEAKS.to_vec();
    half[5] = 2;
    world.place(STORE, half);
    world.fund(STORE, 10 * ETHER);
    assert!(
        world
            .takes(MALLORY, STORE, Bytes::new(), store())
            .is_empty()
    );
    world.taken = by_others("Store", 4 * ETHER, 10 * ETHER);
    let found = leak(&world, store());
    assert!(named(&found, "outflow").is_some_and(|one| one.severe));
    assert!(named(&found, NAME).is_none());
}

#[test]
fn fees_and_dust_are_not_summed_up() {
    let mut world = World::new();
    // A two-thousandth.
    let mut fee = Vec::from([0x5f, 0x5f, 0x5f, 0x5f, 0x61, 0x07, 0xd0]);
    fee.extend(&LEAKS[6..]);
    world.place(STORE, fee);
    world.fund(STORE, 10 * ETHER);
    assert!(
        world
            .takes(MALLORY, STORE, Bytes::new(), store())
            .is_empty()
    );
    world.taken = by_others("Store", 6 * ETHER, 10 * ETHER);
    assert!(leak(&world, store()).is_empty());
    let mut poor = leaking(0);
    poor.fund(STORE, ETHER / 10_000);
    assert!(poor.takes(MALLORY, STORE, Bytes::new(), store()).is_empty());
}

#[test]
fn what_others_did_not_get_or_brought_back_is_no_sum() {
    let mut world = leaking(28);
    for (has, fires) in [(72, true), (99, false), (100, false), (140, false)] {
        world.fund(STORE, has * (ETHER / 10));
        let found = leak(&world, store());
        assert_eq!(named(&found, NAME).is_some(), fires, "{has}");
    }
}
