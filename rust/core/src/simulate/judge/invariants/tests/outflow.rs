use super::assembler::{
    self, Asm, account, arg, call, caller, contract, entry, handed_over, load, nothing, pay,
    returns, store as set, sub, token as token_code, transferred, wide, word,
};
use super::*;
use crate::config::{MonitoredContract, OutflowLimits, WatchedAsset};
use alloy_primitives::B256;

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
fn above_the_owners_own_limit_even_a_booked_withdrawal_alarms_alone() {
    let mut world = World::new();
    let mut vault = vault(&mut world);
    vault.invariants.outflow.amounts = [(WatchedAsset::Native, U256::from(3 * ETHER))].into();
    let withdraw = |contract: &MonitoredContract, ether: u64| {
        let data = encode("withdraw(uint256)", &[U256::from(ether * ETHER)]);
        world.judge(ALICE, contract.address, 0, data, contract.clone())
    };
    let found = withdraw(&vault, 4);
    let outflow = named(&found, "outflow").expect("fires");
    assert!(outflow.severe && judge(&found).alarm);
    let said = "above your own limit of 3 ETH";
    assert!(
        outflow.explanation.contains(said),
        "{}",
        outflow.explanation
    );
    // As much as it says may leave, and to whom it may in any amount.
    assert_eq!(withdraw(&vault, 3), []);
    let to_receiver = MonitoredContract {
        receivers: vec![ALICE],
        ..vault.clone()
    };
    assert_eq!(withdraw(&to_receiver, 4), []);
    let by_admin = MonitoredContract {
        admins: vec![ALICE],
        ..vault
    };
    assert_eq!(withdraw(&by_admin, 4), []);
}

#[test]
fn a_limit_makes_its_asset_watched_even_where_the_contract_takes_no_part() {
    let token = Address::repeat_byte(0x70);
    let of = |who: Address| U256::from_be_slice(who.as_slice());
    let mut world = World::new();
    world.place(STORE, contract(&[], nothing()));
    world.place(token, token_code());
    world.store(token, of(STORE), U256::from(1_000));
    let words = [of(STORE), of(MALLORY), U256::from(100)];
    let pull = encode("transferFrom(address,address,uint256)", &words);
    let severe = |limit: Option<u64>| {
        let mut contract = store();
        let limit = limit.map(|limit| (WatchedAsset::Token(token), U256::from(limit)));
        contract.invariants.outflow.amounts = limit.into_iter().collect();
        let found = world.judge(MALLORY, token, 0, pull.clone(), contract);
        named(&found, "outflow").is_some_and(|outflow| outflow.severe)
    };
    assert!(severe(Some(99)));
    assert!(!severe(Some(100)));
    assert!(!severe(None));
}

#[test]
fn assets_are_watched_beside_ether_and_what_the_contract_calls_and_not_in_their_place() {
    let [given, called] = [0x70, 0x71].map(Address::repeat_byte);
    let of = |who: Address| U256::from_be_slice(who.as_slice());
    let moves = |token| {
        call(
            account(token),
            "transfer(address,uint256)",
            &[caller(), arg(0)],
        )
    };
    let mut world = World::new();
    for token in [given, called] {
        world.place(token, token_code());
        world.store(token, of(STORE), U256::from(1_000));
    }
    world.fund(STORE, 1_000);
    let functions = [
        ("called(uint256)", moves(called)),
        ("ether(uint256)", pay(caller(), arg(0))),
    ];
    world.place(STORE, contract(&functions, nothing()));
    let mut contract = store();
    contract.assets = vec![WatchedAsset::Token(given)];
    // Above dust.
    world.fund(STORE, ETHER);
    let lost = |to, data| {
        let found = world.judge(MALLORY, to, 0, data, contract.clone());
        named(&found, "outflow").map(|outflow| outflow.losses[0].0)
    };
    let take = |function| encode(function, &[U256::from(900)]);
    assert_eq!(
        lost(STORE, take("called(uint256)")),
        Some(Asset::Token(called))
    );
    let ether = encode("ether(uint256)", &[U256::from(ETHER)]);
    assert_eq!(lost(STORE, ether), Some(Asset::Native));
    let words = [of(STORE), of(MALLORY), U256::from(900)];
    let pull = encode("transferFrom(address,address,uint256)", &words);
    assert_eq!(lost(given, pull.clone()), Some(Asset::Token(given)));
    // What nobody named and it does not call may be anything.
    assert_eq!(lost(called, pull), None);
}

#[test]
fn what_a_token_with_decimals_calls_less_than_a_ten_thousandth_is_dust() {
    let token = Address::repeat_byte(0x70);
    let of = |who: Address| U256::from_be_slice(who.as_slice());
    let taken = |amount: u64| {
        let mut world = World::new();
        let moved = store_slot(of(STORE), 0).then(transferred(account(STORE), arg(0), arg(1)));
        let functions = [
            ("transfer(address,uint256)", moved),
            ("balanceOf(address)", returns(load(arg(0)))),
            ("decimals()", returns(word(6))),
        ];
        world.place(token, contract(&functions, nothing()));
        world.store(token, of(STORE), U256::from(amount));
        let give = call(
            account(token),
            "transfer(address,uint256)",
            &[caller(), arg(0)],
        );
        world.place(STORE, contract(&[("give(uint256)", give)], nothing()));
        let give = encode("give(uint256)", &[U256::from(amount)]);
        let found = world.judge(MALLORY, STORE, 0, give, store());
        named(&found, "outflow").map(|outflow| outflow.severe)
    };
    assert_eq!(taken(99), None);
    assert_eq!(taken(100), Some(true));
}

fn store_slot(slot: U256, value: u64) -> Asm {
    assembler::store(wide(slot), word(value))
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

#[test]
fn who_is_paid_makes_up_no_loss_by_being_a_token_and_what_it_asked_an_unknown_one_for_is_one() {
    let helper = Address::repeat_byte(0x4e);
    let dead = || account(Address::repeat_byte(0xde));
    let claim = || entry(caller(), word(1));
    let withdraws = set(claim(), sub(load(claim()), arg(0))).then(pay(caller(), arg(0)));
    let gives = call(arg(0), "transfer(address,uint256)", &[caller(), arg(1)]);
    let mut world = World::new();
    let functions = [
        ("withdraw(uint256)", withdraws),
        ("give(address,uint256)", gives),
    ];
    world.place(STORE, contract(&functions, nothing()));
    world.fund(STORE, 10 * ETHER);
    let slot = [helper.into_word().0, B256::from(U256::from(1)).0].concat();
    world.store(STORE, keccak256(slot).into(), U256::from(ETHER));
    let own = call(account(STORE), "withdraw(uint256)", &[word(ETHER / 100)]);
    let told = ("balanceOf(address)", returns(word(7)));
    for said in [
        transferred(account(STORE), dead(), word(7)),
        handed_over(account(STORE), dead(), word(7)),
    ] {
        let made_up = contract(&[("go()", own.clone()), told.clone()], said);
        world.place(helper, made_up);
        let found = world.judge(MALLORY, helper, 0, encode("go()", &[]), store());
        assert_eq!(found, []);
    }
    // Named by the call alone; it answers for what was asked of it, and for nothing beside.
    let token = U256::from_be_slice(helper.as_slice());
    let severe = |world: &World| {
        let data = encode("give(address,uint256)", &[token, U256::from(900)]);
        let found = world.judge(MALLORY, STORE, 0, data, store());
        named(&found, "outflow").is_some_and(|outflow| outflow.severe)
    };
    world.place(helper, token_code());
    world.store(
        helper,
        U256::from_be_slice(STORE.as_slice()),
        U256::from(1_000),
    );
    assert!(severe(&world));
    let other = transferred(account(STORE), dead(), word(900));
    let says = [
        ("transfer(address,uint256)", other),
        ("balanceOf(address)", returns(word(1_000))),
    ];
    world.place(helper, contract(&says, nothing()));
    assert!(!severe(&world));
}
