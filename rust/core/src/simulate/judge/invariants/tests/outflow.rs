use super::assembler::{
    Asm, account, arg, call, caller, contract, nothing, token as token_code, word,
};
use super::*;
use crate::config::{MonitoredContract, OutflowLimits, WatchedAsset};

const STORE: Address = Address::repeat_byte(0x50);

/// CALL(caller, all its ether): nobody is asked, nothing is written.
const GIVES_ALL: [u8; 9] = [0x5f, 0x5f, 0x5f, 0x5f, 0x47, 0x33, 0x5a, 0xf1, 0x00];

fn store() -> MonitoredContract {
    MonitoredContract {
        name: "Store".into(),
        address: STORE,
        ..MonitoredContract::default()
    }
}

fn open_store() -> World {
    let mut world = World::new();
    world.place(STORE, GIVES_ALL.to_vec());
    world.fund(STORE, 10 * ETHER);
    world
}

fn vault(world: &mut World) -> MonitoredContract {
    let address = world.deploy(ADMIN, "Vault", ADMIN.into_word().as_slice());
    world.call(ALICE, address, 4 * ETHER, encode("deposit()", &[]));
    MonitoredContract {
        name: "Vault".into(),
        address,
        ..MonitoredContract::default()
    }
}

#[test]
fn what_nobody_is_owed_is_a_severe_loss_alone() {
    let found = open_store().judge(MALLORY, STORE, 0, Bytes::new(), store());
    let outflow = named(&found, "outflow").expect("fires");
    assert!(outflow.severe && judge(&found).alarm);
    assert_eq!(outflow.losses, [(Asset::Native, U256::from(10 * ETHER))]);
    let said = format!("10 ETH (100 % of its balance) leave Store to {MALLORY}");
    assert!(
        outflow.explanation.starts_with(&said),
        "{}",
        outflow.explanation
    );
}

#[test]
fn a_millionth_of_what_passes_through_is_dust_and_what_others_move_is_no_measure() {
    let helper = Address::repeat_byte(0x4e);
    let token = Address::repeat_byte(0x70);
    let of = |who: Address| U256::from_be_slice(who.as_slice());
    let moves = |to: Asm, amount| call(account(token), "transfer(address,uint256)", &[to, amount]);
    // What was brought goes on, and 49 that were there with it.
    let severe = |brings: bool, moved: u64| {
        let mut world = World::new();
        world.place(token, token_code());
        let give = moves(caller(), arg(0));
        world.place(STORE, contract(&[("give(uint256)", give)], nothing()));
        let to = if brings { STORE } else { MALLORY };
        let back = if brings { moved + 49 } else { 49 };
        let takes = moves(account(to), word(moved)).then(call(
            account(STORE),
            "give(uint256)",
            &[word(back)],
        ));
        world.place(helper, contract(&[("take()", takes)], nothing()));
        world.store(token, of(STORE), U256::from(49));
        world.store(token, of(helper), U256::from(moved));
        let found = world.judge(MALLORY, helper, 0, encode("take()", &[]), store());
        named(&found, "outflow").is_some_and(|outflow| outflow.severe)
    };
    assert!(severe(true, 48_000_000));
    assert!(!severe(true, 49_000_001));
    assert!(severe(false, 49_000_001));
}

#[test]
fn a_large_honest_withdrawal_is_booked_and_silent() {
    let mut world = World::new();
    let vault = vault(&mut world);
    let all = encode("withdraw(uint256)", &[U256::from(4 * ETHER)]);
    let found = world.judge(ALICE, vault.address, 0, all, vault);
    assert_eq!(found, []);
}

#[test]
fn a_booked_withdrawal_above_the_users_own_limit_is_told_and_does_not_alarm() {
    let mut world = World::new();
    let mut vault = vault(&mut world);
    vault.invariants.outflow.amounts = [(WatchedAsset::Native, U256::from(ETHER))].into();
    let all = encode("withdraw(uint256)", &[U256::from(4 * ETHER)]);
    let found = world.judge(ALICE, vault.address, 0, all, vault);
    assert!(named(&found, "outflow").is_some_and(|outflow| !outflow.severe));
    assert!(!judge(&found).alarm);
}

#[test]
fn a_migration_by_an_administrator_and_a_payment_to_a_canonical_receiver_are_silent() {
    let world = open_store();
    let mut contract = store();
    contract.admins = vec![ADMIN];
    assert_eq!(world.judge(ADMIN, STORE, 0, Bytes::new(), contract), []);
    let mut contract = store();
    contract.receivers = vec![ALICE];
    assert_eq!(world.judge(ALICE, STORE, 0, Bytes::new(), contract), []);
}

#[test]
fn below_its_share_it_is_silent() {
    let mut contract = store();
    contract.invariants.outflow = OutflowLimits {
        share: 1.0,
        ..OutflowLimits::default()
    };
    let world = open_store();
    assert_eq!(world.judge(MALLORY, STORE, 0, Bytes::new(), contract), []);
}

#[test]
fn what_is_disabled_is_silent_and_a_wrong_name_is_an_error() {
    let mut contract = store();
    contract.invariants.disabled = vec!["outflow".into()];
    let world = open_store();
    let found = world.judge(MALLORY, STORE, 0, Bytes::new(), contract.clone());
    assert_eq!(found, []);
    contract.invariants.disabled = vec!["outflows".into()];
    let error = Protected::new(&contract).expect_err("no such check");
    assert!(error.to_string().contains("outflows"), "{error}");
}
