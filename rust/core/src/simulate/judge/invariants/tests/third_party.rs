//! A token's balances that fall without a word.

use super::assembler::{
    Asm, account, arg, call, caller, contract, div, entry, load, look, mul, nothing, returns,
    store, sub, transferred, word,
};
use super::*;
use crate::config::MonitoredContract;
use alloy_primitives::B256;

const TOKEN: Address = Address::repeat_byte(0x70);
const HELPER: Address = Address::repeat_byte(0xe1);
const TAKE: &str = "take(address,uint256)";

fn slot(account: Address, place: u64) -> U256 {
    let place = B256::from(U256::from(place));
    keccak256([account.into_word().0, place.0].concat()).into()
}

fn balance(of: Asm) -> Asm {
    entry(of, word(1))
}

fn less(slot: Asm, by: Asm) -> Asm {
    store(slot.clone(), sub(load(slot), by))
}

/// A token whose balances are worth an index each, with one more function.
fn token(takes: Asm) -> World {
    let mut world = World::new();
    let worth = div(mul(load(balance(arg(0))), load(word(0))), word(1_000));
    let reset = store(word(0), arg(1));
    let functions = [
        (TAKE, takes),
        ("balanceOf(address)", returns(worth)),
        ("rebase(address,uint256)", reset),
    ];
    world.place(TOKEN, contract(&functions, nothing()));
    world.store(TOKEN, U256::ZERO, U256::from(1_000));
    for (place, held) in [(1, 10_000), (2, 10_000)] {
        world.store(TOKEN, slot(ALICE, place), U256::from(held));
    }
    world
}

fn taken(world: &World, from: Address, to: Address, function: &str) -> bool {
    let words = [U256::from_be_slice(ALICE.as_slice()), U256::from(900)];
    let monitored = MonitoredContract {
        name: "Token".into(),
        address: TOKEN,
        ..MonitoredContract::default()
    };
    let found = world.judge(from, to, 0, encode(function, &words), monitored);
    let theft = named(&found, "third_party");
    if let Some(one) = theft {
        assert!(one.severe && judge(&found).alarm);
        assert!(one.losses.contains(&(Asset::Token(TOKEN), U256::from(900))));
    }
    theft.is_some()
}

fn takes() -> Asm {
    less(balance(arg(0)), arg(1))
}

#[test]
fn a_balance_that_falls_without_its_owner_is_taken_event_or_not() {
    let silent = token(takes());
    assert!(taken(&silent, MALLORY, TOKEN, TAKE));
    assert!(!taken(&silent, ALICE, TOKEN, TAKE), "who calls may");
    let told = transferred(arg(0), word(0), arg(1));
    assert!(taken(&token(takes().then(told)), MALLORY, TOKEN, TAKE));
    // An event that says less than is taken.
    let little = transferred(arg(0), word(0), word(1));
    let found = token(takes().then(little));
    let words = [U256::from_be_slice(ALICE.as_slice()), U256::from(900)];
    let monitored = MonitoredContract {
        name: "Token".into(),
        address: TOKEN,
        ..MonitoredContract::default()
    };
    let found = found.judge(MALLORY, TOKEN, 0, encode(TAKE, &words), monitored);
    assert!(named(&found, "third_party").is_some());
}

#[test]
fn whom_the_owner_or_the_token_allowed_it_may_take_it() {
    let looks = look(load(entry(caller(), entry(arg(0), word(3)))));
    assert!(!taken(&token(looks.then(takes())), MALLORY, TOKEN, TAKE));
    let owned = || token(look(load(word(4))).then(takes()));
    assert!(taken(&owned(), ADMIN, TOKEN, TAKE), "it names nobody");
    let mut named = owned();
    let admin = U256::from_be_slice(ADMIN.as_slice());
    named.store(TOKEN, U256::from(4), admin);
    assert!(!taken(&named, ADMIN, TOKEN, TAKE));
    assert!(taken(&named, MALLORY, TOKEN, TAKE));
}

#[test]
fn other_numbers_of_theirs_and_everybodys_index_may_fall() {
    let rewards = less(entry(arg(0), word(2)), arg(1));
    assert!(!taken(&token(rewards), MALLORY, TOKEN, TAKE));
    let touched = look(load(balance(arg(0)))).then(store(word(0), arg(1)));
    assert!(!taken(&token(touched), MALLORY, TOKEN, TAKE));
    // Nobody named whose it is: a market burns its own pool's.
    let own = less(balance(account(ALICE)), word(900));
    let burns = call(account(TOKEN), TAKE, &[word(0), word(900)]);
    let mut pool = token(own);
    pool.place(HELPER, contract(&[(TAKE, burns)], nothing()));
    assert!(!taken(&pool, MALLORY, HELPER, TAKE));
}
