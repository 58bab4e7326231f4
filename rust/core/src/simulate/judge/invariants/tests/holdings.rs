//! What a monitored token does with what others have of it.

use super::assembler::{
    Asm, add, arg, caller, contract, entry, load, look, nothing, returns, store, sub, transferred,
    wide, word,
};
use super::*;
use crate::config::MonitoredContract;
use alloy_primitives::B256;

const COIN: Address = Address::repeat_byte(0xc0);

fn slot(key: impl Into<B256>, place: impl Into<B256>) -> U256 {
    keccak256([key.into().0, place.into().0].concat()).into()
}

fn place(number: u64) -> B256 {
    U256::from(number).into()
}

fn balance(of: Asm) -> Asm {
    entry(of, word(1))
}

fn lowers(of: Asm, by: Asm) -> Asm {
    store(balance(of.clone()), sub(load(balance(of)), by))
}

fn raises(of: Asm, by: Asm) -> Asm {
    store(balance(of.clone()), add(load(balance(of)), by))
}

fn coin(functions: &[(&str, Asm)]) -> World {
    let mut world = World::new();
    let views = [
        ("balanceOf(address)", returns(load(balance(arg(0))))),
        ("totalSupply()", returns(word(1_000))),
    ];
    world.place(COIN, contract(&[functions, &views].concat(), nothing()));
    for holder in [ALICE, MALLORY] {
        world.store(COIN, slot(holder.into_word(), place(1)), U256::from(100));
    }
    world
}

fn severe(world: &World, from: Address, data: Bytes, check: &str) -> Option<bool> {
    severe_paying(world, from, 0, data, check)
}

fn severe_paying(world: &World, from: Address, wei: u64, data: Bytes, check: &str) -> Option<bool> {
    let contract = MonitoredContract {
        name: "Coin".into(),
        address: COIN,
        ..MonitoredContract::default()
    };
    let found = world.judge(from, COIN, wei, data, contract);
    named(&found, check).map(|violation| violation.severe)
}

fn word_of(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

#[test]
fn who_agreed_to_nothing_keeps_what_he_has() {
    let burn = || lowers(arg(0), arg(1)).then(transferred(arg(0), word(0), arg(1)));
    let allowance = || entry(caller(), entry(arg(0), word(2)));
    let role = || entry(caller(), word(3));
    let mut world = coin(&[
        ("burn(address,uint256)", burn()),
        (
            "burnFrom(address,uint256)",
            look(load(allowance())).then(burn()),
        ),
        ("seize(address,uint256)", look(load(role())).then(burn())),
    ]);
    let of_alice = |function| encode(function, &[word_of(ALICE), U256::from(60)]);
    let check =
        |world: &World, from, function| severe(world, from, of_alice(function), "third_party");
    assert_eq!(check(&world, MALLORY, "burn(address,uint256)"), Some(true));
    assert_eq!(check(&world, ALICE, "burn(address,uint256)"), None);
    assert_eq!(check(&world, MALLORY, "burnFrom(address,uint256)"), None);
    assert_eq!(check(&world, MALLORY, "seize(address,uint256)"), Some(true));
    world.store(COIN, slot(MALLORY.into_word(), place(3)), U256::ONE);
    assert_eq!(check(&world, MALLORY, "seize(address,uint256)"), None);
}

#[test]
fn nobody_has_more_than_was_given_to_him() {
    let pays = |credited: Asm| {
        lowers(caller(), arg(1))
            .then(raises(arg(0), credited))
            .then(transferred(caller(), arg(0), arg(1)))
    };
    let world = coin(&[
        ("transfer(address,uint256)", pays(arg(1))),
        ("counts(address,uint256)", pays(wide(U256::from(500)))),
    ]);
    // To himself, so that he is of the sender's side.
    let to_self = |function| encode(function, &[word_of(MALLORY), U256::from(60)]);
    let check = |function| severe(&world, MALLORY, to_self(function), "unbacked");
    assert_eq!(check("transfer(address,uint256)"), None);
    assert_eq!(check("counts(address,uint256)"), Some(true));
}

#[test]
fn what_is_issued_is_paid_for_by_more_than_dust() {
    let counts = raises(caller(), wide(U256::from(500)));
    let gives = counts.then(transferred(caller(), caller(), word(1)));
    let mut world = coin(&[("buy()", gives)]);
    world.fund(COIN, 10 * ETHER);
    let check = |wei| severe_paying(&world, MALLORY, wei, encode("buy()", &[]), "unbacked");
    assert_eq!(check(1), Some(true));
    assert_eq!(check(5 * ETHER), None);
}

#[test]
fn a_hash_that_is_not_known_must_not_pass_for_known() {
    let root = || load(entry(arg(0), word(1)));
    let confirmed = || load(entry(root(), word(2)));
    let process = look(confirmed());
    let mut world = World::new();
    world.place(COIN, contract(&[("process(bytes32)", process)], nothing()));
    let (message, known) = (keccak256("forged"), keccak256("proven"));
    let root = keccak256("a root");
    world.store(COIN, slot(known, place(1)), root.into());
    world.store(COIN, slot(root, place(2)), U256::ONE);
    let process = |message: B256| encode("process(bytes32)", &[message.into()]);
    assert_eq!(
        severe(&world, MALLORY, process(message), "bridge_release"),
        None
    );
    world.store(COIN, slot(B256::ZERO, place(2)), U256::ONE);
    assert_eq!(
        severe(&world, MALLORY, process(known), "bridge_release"),
        None
    );
    assert_eq!(
        severe(&world, MALLORY, process(message), "bridge_release"),
        Some(false)
    );
}
