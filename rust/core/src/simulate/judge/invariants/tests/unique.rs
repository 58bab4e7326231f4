//! Unique tokens: each counts, however few of many it is.

use super::assembler::{
    Asm, account, add, arg, call, call_paying, caller, collection, contract, entry, load, look,
    myself, nothing, paid, pay, store, sub, token, word,
};
use super::*;
use crate::config::MonitoredContract;
use alloy_primitives::B256;

const KEEPER: Address = Address::repeat_byte(0x4e);
const ART: Address = Address::repeat_byte(0x72);
const COIN: Address = Address::repeat_byte(0xc0);
const FAKE: Address = Address::repeat_byte(0xfa);
const HELPER: Address = Address::repeat_byte(0xe1);
const NUMBER: u64 = 7_001;

fn word_of(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

fn slot(key: impl Into<B256>, place: u64) -> U256 {
    let place = B256::from(U256::from(place));
    keccak256([key.into().0, place.0].concat()).into()
}

/// Hands the first argument's token to who calls.
fn hands(number: Asm) -> Asm {
    let moves = "transferFrom(address,address,uint256)";
    call(account(ART), moves, &[myself(), caller(), number])
}

/// A keeper of twelve unique tokens, one of which is Alice's by the first mapping.
fn keeper(functions: &[(&str, Asm)]) -> World {
    let mut world = World::new();
    world.place(ART, collection());
    world.store(ART, word_of(KEEPER), U256::from(12));
    world.place(KEEPER, contract(functions, nothing()));
    world.store(KEEPER, slot(U256::from(NUMBER), 1), word_of(ALICE));
    world
}

fn owner() -> Asm {
    entry(arg(0), word(1))
}

fn clears() -> Asm {
    look(load(owner())).then(store(owner(), word(0)))
}

fn severe(world: &World, from: Address, to: Address, wei: u64, data: Bytes) -> bool {
    let contract = MonitoredContract {
        name: "Keeper".into(),
        address: KEEPER,
        ..MonitoredContract::default()
    };
    let found = world.judge(from, to, wei, data, contract);
    named(&found, "outflow").is_some_and(|outflow| outflow.severe)
}

fn data(function: &str) -> Bytes {
    encode(function, &[U256::from(NUMBER)])
}

#[test]
fn one_of_twelve_that_nothing_accounts_for_is_a_severe_loss() {
    let world = keeper(&[("take(uint256)", hands(arg(0)))]);
    let contract = MonitoredContract {
        name: "Keeper".into(),
        address: KEEPER,
        ..MonitoredContract::default()
    };
    let found = world.judge(MALLORY, KEEPER, 0, data("take(uint256)"), contract);
    let outflow = named(&found, "outflow").expect("fires");
    assert!(outflow.severe && judge(&found).alarm);
    let said = format!("number {NUMBER} of {ART}");
    assert!(
        outflow.explanation.contains(&said),
        "{}",
        outflow.explanation
    );
}

#[test]
fn ones_own_may_be_withdrawn_and_anothers_not() {
    let world = keeper(&[("withdraw(uint256)", clears().then(hands(arg(0))))]);
    let withdraw = || data("withdraw(uint256)");
    assert!(!severe(&world, ALICE, KEEPER, 0, withdraw()));
    assert!(severe(&world, MALLORY, KEEPER, 0, withdraw()));
    // Who writes himself there in the same transaction has deposited nothing.
    let forges = store(owner(), caller()).then(clears()).then(hands(arg(0)));
    let world = keeper(&[("withdraw(uint256)", forges)]);
    assert!(severe(&world, MALLORY, KEEPER, 0, withdraw()));
}

#[test]
fn a_count_of_ones_own_does_not_buy_what_is_anothers() {
    let count = || entry(caller(), word(2));
    let lowers = || store(count(), sub(load(count()), word(1)));
    let mut world = keeper(&[
        ("unstake(uint256)", lowers().then(hands(arg(0)))),
        (
            "withdraw(uint256)",
            clears().then(lowers()).then(hands(arg(0))),
        ),
    ]);
    for staker in [ALICE, MALLORY] {
        world.store(KEEPER, slot(staker.into_word(), 2), U256::from(3));
    }
    assert!(!severe(&world, ALICE, KEEPER, 0, data("unstake(uint256)")));
    assert!(severe(
        &world,
        MALLORY,
        KEEPER,
        0,
        data("withdraw(uint256)")
    ));
    // A count that rises is no debt.
    let raises = store(count(), add(load(count()), word(1))).then(hands(arg(0)));
    let world = keeper(&[("take(uint256)", raises)]);
    assert!(severe(&world, MALLORY, KEEPER, 0, data("take(uint256)")));
}

#[test]
fn a_sale_is_paid_to_whose_it_was_by_more_than_dust() {
    let sells = pay(load(owner()), paid())
        .then(clears())
        .then(hands(arg(0)));
    let mut world = keeper(&[("buy(uint256)", sells)]);
    let buy = || data("buy(uint256)");
    assert!(!severe(&world, MALLORY, KEEPER, ETHER, buy()));
    assert!(severe(&world, MALLORY, KEEPER, 0, buy()));
    assert!(severe(&world, MALLORY, KEEPER, 1, buy()));
    // What is paid to another is none of the seller's.
    let keeps = pay(account(ADMIN), paid())
        .then(clears())
        .then(hands(arg(0)));
    world.place(KEEPER, contract(&[("buy(uint256)", keeps)], nothing()));
    assert!(severe(&world, MALLORY, KEEPER, ETHER, buy()));
}

#[test]
fn inventory_is_sold_for_ether_or_for_what_the_contract_names_and_for_no_made_up_token() {
    let pulls = |token: Asm| {
        let moves = "transferFrom(address,address,uint256)";
        call(token, moves, &[caller(), myself(), word(5_000)])
    };
    let mut world = keeper(&[
        ("sell(uint256)", hands(arg(0))),
        ("trade(uint256)", pulls(load(word(3))).then(hands(arg(0)))),
        ("barter(uint256,address)", pulls(arg(1)).then(hands(arg(0)))),
    ]);
    world.store(KEEPER, U256::from(3), word_of(COIN));
    for coin in [COIN, FAKE] {
        world.place(coin, token());
        world.store(coin, word_of(MALLORY), U256::from(9_000));
    }
    assert!(!severe(
        &world,
        MALLORY,
        KEEPER,
        ETHER,
        data("sell(uint256)")
    ));
    assert!(severe(&world, MALLORY, KEEPER, 1, data("sell(uint256)")));
    assert!(!severe(&world, MALLORY, KEEPER, 0, data("trade(uint256)")));
    let barter = encode(
        "barter(uint256,address)",
        &[U256::from(NUMBER), word_of(FAKE)],
    );
    assert!(severe(&world, MALLORY, KEEPER, 0, barter));
    // What the thief adds in a call of his own is no price.
    let robs = call(account(KEEPER), "sell(uint256)", &[arg(0)]).then(call_paying(
        account(KEEPER),
        word(ETHER),
        "gift()",
        &[],
    ));
    world.place(HELPER, contract(&[("rob(uint256)", robs)], nothing()));
    world.fund(HELPER, ETHER);
    assert!(severe(&world, MALLORY, HELPER, 0, data("rob(uint256)")));
}

#[test]
fn collateral_goes_back_to_who_borrowed_on_it() {
    // A loan by its own number: which token of which collection, and whose.
    let loan = |n| add(entry(arg(0), word(2)), word(n));
    let repay = look(load(loan(0)))
        .then(look(load(loan(2))))
        .then(hands(load(loan(1))))
        .then(store(loan(2), word(0)));
    let mut world = keeper(&[("repay(uint256)", repay)]);
    let first = slot(U256::from(31), 2);
    let words = [word_of(ART), U256::from(8_002), word_of(ALICE)];
    for (n, value) in (0_u64..).zip(words) {
        world.store(KEEPER, first + U256::from(n), value);
    }
    let repay = || encode("repay(uint256)", &[U256::from(31)]);
    assert!(!severe(&world, ALICE, KEEPER, 0, repay()));
    assert!(severe(&world, MALLORY, KEEPER, 0, repay()));
}

#[test]
fn an_auction_is_settled_for_its_winner_by_anybody() {
    // Which token, and the highest bidder, in variables.
    let moves = "transferFrom(address,address,uint256)";
    let settle = look(load(word(5)))
        .then(call(
            account(ART),
            moves,
            &[myself(), load(word(6)), load(word(5))],
        ))
        .then(store(word(6), word(0)));
    let other = look(load(word(5))).then(look(load(word(6)))).then(call(
        account(ART),
        moves,
        &[myself(), load(word(6)), arg(0)],
    ));
    let mut world = keeper(&[("settle()", settle), ("other(uint256)", other)]);
    world.store(KEEPER, U256::from(5), U256::from(8_003));
    world.store(KEEPER, U256::from(6), word_of(MALLORY));
    assert!(!severe(&world, ALICE, KEEPER, 0, encode("settle()", &[])));
    // What the winner of one may have is that one.
    assert!(severe(&world, ALICE, KEEPER, 0, data("other(uint256)")));
}

/// Owner by number, cleared as it leaves, of the first so many numbers.
fn exits(count: u64) -> World {
    let own = |n| entry(word(n), word(1));
    let each = (1..=count).map(|n| {
        look(load(own(n)))
            .then(store(own(n), word(0)))
            .then(hands(word(n)))
    });
    let exit = each.fold(nothing(), Asm::then);
    let mut world = keeper(&[("exit()", exit)]);
    world.store(ART, word_of(KEEPER), U256::from(100));
    for n in 1..=count {
        world.store(KEEPER, slot(U256::from(n), 1), word_of(ALICE));
    }
    world
}

#[test]
fn who_takes_more_of_his_own_than_are_looked_up_is_no_thief() {
    let exit = || encode("exit()", &[]);
    for count in [64, 65] {
        let world = exits(count);
        assert!(!severe(&world, ALICE, KEEPER, 0, exit()));
        assert!(severe(&world, MALLORY, KEEPER, 0, exit()));
    }
}

#[test]
fn one_payment_buys_one_and_silence_is_bought_of_the_owner_alone() {
    let all = (1..=12).map(|n| hands(word(n))).fold(nothing(), Asm::then);
    let world = keeper(&[("sell(uint256)", hands(arg(0))), ("all()", all)]);
    let check = |wei: u64, data: Bytes| {
        let contract = MonitoredContract {
            name: "Keeper".into(),
            address: KEEPER,
            ..MonitoredContract::default()
        };
        let found = world.judge(MALLORY, KEEPER, wei, data, contract);
        let outflow = named(&found, "outflow").expect("fires");
        (outflow.severe, outflow.weight)
    };
    let all = || encode("all()", &[]);
    let little = ETHER / 5_000;
    assert_eq!(check(little, all()), (true, 0.85));
    assert_eq!(check(12 * little, all()), (false, 0.3));
    assert_eq!(
        check(little, encode("sell(uint256)", &[U256::from(1)])),
        (false, 0.3)
    );
    // Whose they were is paid once for two.
    let own = |n| entry(word(n), word(1));
    let each = [1, 2].map(|n| {
        look(load(own(n)))
            .then(store(own(n), word(0)))
            .then(hands(word(n)))
    });
    let both = each
        .into_iter()
        .fold(pay(account(ALICE), paid()), Asm::then);
    let mut world = keeper(&[("both()", both)]);
    for n in [1, 2] {
        world.store(KEEPER, slot(U256::from(n), 1), word_of(ALICE));
    }
    let both = || encode("both()", &[]);
    assert!(severe(&world, MALLORY, KEEPER, ETHER / 6_000, both()));
    assert!(!severe(&world, MALLORY, KEEPER, ETHER / 4_000, both()));
}

#[test]
fn a_bid_of_ones_own_under_the_number_makes_it_nobodys() {
    let bid = || entry(caller(), entry(arg(0), word(2)));
    let mut world = keeper(&[("take(uint256)", look(load(bid())).then(hands(arg(0))))]);
    let bids: B256 = slot(U256::from(NUMBER), 2).into();
    let of = |bidder: Address| keccak256([bidder.into_word().0, bids.0].concat());
    world.store(KEEPER, of(MALLORY).into(), U256::from(5));
    assert!(severe(&world, MALLORY, KEEPER, 0, data("take(uint256)")));
}
