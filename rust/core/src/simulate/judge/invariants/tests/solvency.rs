use super::assembler::*;
use super::*;
use crate::config::{ContractViews, MonitoredContract};

const VAULT: Address = Address::repeat_byte(0x4a);

/// Price, assets and debts are in slots 0 to 2, and `set` sets them.
fn world() -> World {
    let mut world = World::new();
    let set = store(word(0), arg(0))
        .then(store(word(1), arg(1)))
        .then(store(word(2), arg(2)));
    let report = set.clone().then(transferred(myself(), myself(), word(1)));
    let functions = [
        ("set(uint256,uint256,uint256)", set),
        ("report(uint256,uint256,uint256)", report),
        ("sharePrice()", returns(load(word(0)))),
        ("totalAssets()", returns(load(word(1)))),
        ("debts()", returns(load(word(2)))),
    ];
    world.place(VAULT, contract(&functions, nothing()));
    for slot in 0..3 {
        world.store(VAULT, U256::from(slot), U256::from(10_000));
    }
    world
}

fn vault(views: ContractViews) -> MonitoredContract {
    MonitoredContract {
        name: "Vault".into(),
        address: VAULT,
        views,
        ..MonitoredContract::default()
    }
}

fn by_price() -> MonitoredContract {
    vault(ContractViews {
        share_price: Some("sharePrice()".into()),
        ..ContractViews::default()
    })
}

fn by_cover() -> MonitoredContract {
    vault(ContractViews {
        total_assets: Some("totalAssets()".into()),
        liabilities: Some("debts()".into()),
        ..ContractViews::default()
    })
}

fn judged(function: &str, values: [u64; 3], contract: MonitoredContract) -> Vec<Violation> {
    let call = encode(function, &values.map(U256::from));
    world().judge(MALLORY, VAULT, 0, call, contract)
}

const SET: &str = "set(uint256,uint256,uint256)";

#[test]
fn a_share_price_that_falls_is_told_and_a_deep_fall_alarms() {
    let found = judged(SET, [9_980, 0, 0], by_price());
    let solvency = named(&found, "solvency").expect("fires");
    assert!(
        solvency
            .explanation
            .contains("falls by 0.2 %, from 10000 to 9980"),
        "{}",
        solvency.explanation
    );
    assert!(!judge(&found).alarm);
    assert!(judge(&judged(SET, [8_000, 0, 0], by_price())).alarm);
}

#[test]
fn rounding_and_a_rise_are_silent() {
    assert_eq!(judged(SET, [9_995, 0, 0], by_price()), []);
    assert_eq!(judged(SET, [20_000, 0, 0], by_price()), []);
}

#[test]
fn a_loss_that_the_contract_registers_is_silent() {
    let mut contract = by_price();
    let report = "report(uint256,uint256,uint256)";
    assert_ne!(judged(report, [8_000, 0, 0], contract.clone()), []);
    contract.invariants.solvency.loss_events = vec!["Transfer(address,address,uint256)".into()];
    assert_eq!(judged(report, [8_000, 0, 0], contract), []);
}

#[test]
fn assets_may_fall_with_the_liabilities_and_not_without() {
    assert_eq!(judged(SET, [0, 4_000, 4_000], by_cover()), []);
    let found = judged(SET, [0, 4_000, 6_000], by_cover());
    assert!(named(&found, "solvency").is_some_and(|solvency| solvency.severe));
}

#[test]
fn what_is_not_configured_is_not_checked() {
    let nothing = vault(ContractViews::default());
    assert_eq!(judged(SET, [0, 0, 0], nothing), []);
}
