//! What accounts for an outflow, and what only looks as if it did.

use super::assembler::{
    Asm, account, add, arg, ask, call, call_paying, caller, contract, div, entry, load, look, mul,
    myself, nothing, paid, pay, returns, store, sub, token, transferred, wide, word,
};
use super::*;
use crate::config::MonitoredContract;
use alloy_primitives::B256;

const BANK: Address = Address::repeat_byte(0xba);
const HELPER: Address = Address::repeat_byte(0xe1);
const COIN: Address = Address::repeat_byte(0xc0);
const DUST: Address = Address::repeat_byte(0xd5);

fn monitored() -> MonitoredContract {
    MonitoredContract {
        name: "Bank".into(),
        address: BANK,
        ..MonitoredContract::default()
    }
}

/// The slot of an account in a mapping, as the contracts' own code finds it.
fn slot(key: impl Into<B256>, place: u64) -> U256 {
    let place = B256::from(U256::from(place));
    keccak256([key.into().0, place.0].concat()).into()
}

fn bank(functions: &[(&str, Asm)]) -> World {
    let mut world = World::new();
    world.place(BANK, contract(functions, nothing()));
    world.fund(BANK, 10 * ETHER);
    world
}

fn outflow(world: &World, from: Address, to: Address, data: Bytes) -> Option<Violation> {
    let found = world.judge(from, to, 0, data, monitored());
    named(&found, "outflow").cloned()
}

fn severe(found: Option<Violation>) {
    let found = found.expect("fires");
    assert!(found.severe, "{}", found.explanation);
}

fn lowers(slot: fn() -> Asm) -> Asm {
    store(slot(), sub(load(slot()), arg(0)))
}

fn raises(slot: fn() -> Asm, by: Asm) -> Asm {
    store(slot(), add(load(slot()), by))
}

fn own() -> Asm {
    entry(caller(), word(1))
}

#[test]
fn a_claim_that_falls_accounts_for_it_and_a_counter_of_nobody_does_not() {
    let gives = |slot| [("take(uint256)", lowers(slot).then(pay(caller(), arg(0))))];
    let all = || encode("take(uint256)", &[U256::from(10 * ETHER)]);

    let mut claims = bank(&gives(own));
    claims.store(BANK, slot(ALICE.into_word(), 1), U256::from(10 * ETHER));
    assert_eq!(outflow(&claims, ALICE, BANK, all()), None);

    let mut counter = bank(&gives(|| word(1)));
    counter.store(BANK, U256::from(1), U256::from(10 * ETHER));
    severe(outflow(&counter, MALLORY, BANK, all()));

    // Somebody else's claim is none of the thief.
    let mut other = bank(&gives(|| entry(account(ALICE), word(1))));
    other.store(BANK, slot(ALICE.into_word(), 1), U256::from(10 * ETHER));
    severe(outflow(&other, MALLORY, BANK, all()));
}

#[test]
fn a_debt_that_rises_while_it_is_paid_accounts_for_it_and_a_credit_does_not() {
    let borrow = raises(own, arg(0)).then(pay(caller(), arg(0)));
    let lender = bank(&[("borrow(uint256)", borrow)]);
    let four = encode("borrow(uint256)", &[U256::from(4 * ETHER)]);
    assert_eq!(outflow(&lender, ALICE, BANK, four), None);

    // What is brought is credited, what is taken never debited: 4 are brought, 8 taken, and 4 more are owed.
    let fund = raises(own, paid());
    let robbed = &[("fund()", fund), ("take(uint256)", pay(caller(), arg(0)))];
    let mut robbed = bank(robbed);
    let robber = call_paying(account(BANK), word(4 * ETHER), "fund()", &[]).then(call(
        account(BANK),
        "take(uint256)",
        &[word(8 * ETHER)],
    ));
    robbed.place(HELPER, contract(&[("rob()", robber)], nothing()));
    robbed.fund(HELPER, 4 * ETHER);
    severe(outflow(&robbed, MALLORY, HELPER, encode("rob()", &[])));
}

#[test]
fn an_allowance_is_no_debt() {
    let both = || entry(account(HELPER), own());
    let world = bank(&[(
        "take(uint256)",
        raises(both, arg(0)).then(pay(caller(), arg(0))),
    )]);
    let take = encode("take(uint256)", &[U256::from(8 * ETHER)]);
    severe(outflow(&world, MALLORY, BANK, take));
}

#[test]
fn a_position_by_number_is_a_claim_of_its_owner_and_a_pools_reserve_is_nobodys() {
    let position = || entry(arg(1), word(1));
    let owner = || entry(arg(1), word(2));
    let take = lowers(position)
        .then(look(load(owner())))
        .then(pay(caller(), arg(0)));
    let mut world = bank(&[("take(uint256,uint256)", take)]);
    let number = U256::from(77);
    world.store(BANK, slot(number, 1), U256::from(10 * ETHER));
    let take = || encode("take(uint256,uint256)", &[U256::from(8 * ETHER), number]);
    severe(outflow(&world, MALLORY, BANK, take()));
    world.store(BANK, slot(number, 2), U256::from_be_slice(ALICE.as_slice()));
    assert_eq!(outflow(&world, ALICE, BANK, take()), None);
    severe(outflow(&world, MALLORY, BANK, take()));
}

#[test]
fn a_debt_in_units_of_its_own_is_read_by_its_index() {
    const INDEX: u64 = 1_300_000_000_000_000_000;
    let scaled = div(mul(arg(0), word(ETHER)), load(word(5)));
    let mut world = bank(&[(
        "borrow(uint256)",
        raises(own, scaled).then(pay(caller(), arg(0))),
    )]);
    world.store(BANK, U256::from(5), U256::from(INDEX));
    let borrow = || encode("borrow(uint256)", &[U256::from(8 * ETHER)]);
    assert_eq!(outflow(&world, ALICE, BANK, borrow()), None);
    // By half of what it should be it explains nothing.
    world.store(BANK, U256::from(5), U256::from(2 * INDEX));
    let half = div(mul(arg(0), word(ETHER)), wide(U256::from(2 * INDEX)));
    let cheats = raises(own, half).then(pay(caller(), arg(0)));
    world.place(BANK, contract(&[("borrow(uint256)", cheats)], nothing()));
    severe(outflow(&world, MALLORY, BANK, borrow()));
}

#[test]
fn a_lock_of_a_worthless_token_is_no_claim_on_another() {
    // A lock: which token, how much; paid out in the token that the caller names.
    let amount = || add(own(), word(1));
    let take = lowers(amount)
        .then(look(load(own())))
        .then(ask(load(own()), "balanceOf(address)", &[caller()]))
        .then(call(
            arg(1),
            "transfer(address,uint256)",
            &[caller(), arg(0)],
        ));
    let mut world = bank(&[("take(uint256,address)", take)]);
    for coin in [COIN, DUST] {
        world.place(coin, token());
        world.store(
            coin,
            U256::from_be_slice(BANK.as_slice()),
            U256::from(1_000),
        );
    }
    let take = encode(
        "take(uint256,address)",
        &[U256::from(900), U256::from_be_slice(COIN.as_slice())],
    );
    let locks = |world: &mut World, token: Address| {
        let lock = slot(MALLORY.into_word(), 1);
        world.store(BANK, lock, U256::from_be_slice(token.as_slice()));
        world.store(BANK, lock + U256::ONE, U256::from(900));
    };
    locks(&mut world, COIN);
    assert_eq!(outflow(&world, MALLORY, BANK, take.clone()), None);
    locks(&mut world, DUST);
    severe(outflow(&world, MALLORY, BANK, take));
}

#[test]
fn who_pays_anothers_debt_may_have_as_much_of_what_that_one_has() {
    // Of Alice's 10 ether, for her 1,000 coins owed.
    let (debt, claim) = (|of| entry(of, word(1)), |of| entry(of, word(2)));
    let less = |slot: Asm, by: Asm| store(slot.clone(), sub(load(slot), by));
    let seize = |debtor: Address| {
        call(
            account(COIN),
            "transferFrom(address,address,uint256)",
            &[caller(), myself(), arg(0)],
        )
        .then(less(debt(account(debtor)), arg(0)))
        .then(less(claim(account(ALICE)), arg(1)))
        .then(pay(caller(), arg(1)))
    };
    let mut world = bank(&[
        ("liquidate(uint256,uint256)", seize(ALICE)),
        ("confused(uint256,uint256)", seize(ADMIN)),
    ]);
    world.place(COIN, token());
    for holder in [BANK, MALLORY] {
        let coins = U256::from_be_slice(holder.as_slice());
        world.store(COIN, coins, U256::from(1_000));
    }
    for debtor in [ALICE, ADMIN] {
        let owed = slot(debtor.into_word(), 1);
        world.store(BANK, owed, U256::from(1_000));
    }
    world.store(BANK, slot(ALICE.into_word(), 2), U256::from(10 * ETHER));
    let check = |function, paid: u64| {
        let words = [U256::from(paid), U256::from(4 * ETHER)];
        outflow(&world, MALLORY, BANK, encode(function, &words))
    };
    assert_eq!(check("liquidate(uint256,uint256)", 500), None);
    severe(check("liquidate(uint256,uint256)", 1));
    severe(check("confused(uint256,uint256)", 500));
}

#[test]
fn a_strangers_books_say_nothing() {
    // The bank asks whomever the caller names to write it down.
    let take =
        call(arg(1), "book(address,uint256)", &[caller(), arg(0)]).then(pay(caller(), arg(0)));
    let mut world = bank(&[("take(uint256,address)", take)]);
    let books = || entry(arg(0), word(1));
    let book = store(books(), sub(load(books()), arg(1)));
    world.place(
        HELPER,
        contract(&[("book(address,uint256)", book)], nothing()),
    );
    world.store(HELPER, slot(MALLORY.into_word(), 1), U256::from(10 * ETHER));
    let helper = U256::from_be_slice(HELPER.as_slice());
    let take = encode("take(uint256,address)", &[U256::from(8 * ETHER), helper]);
    severe(outflow(&world, MALLORY, BANK, take));
}

#[test]
fn a_pool_of_concentrated_liquidity_trades_by_its_price() {
    // 1,000 of each at a price of 1, all of it in reach: 600 leave for 606.
    const Q96: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);
    let swap = call(
        account(COIN),
        "transfer(address,uint256)",
        &[caller(), arg(0)],
    )
    .then(call(
        account(DUST),
        "transferFrom(address,address,uint256)",
        &[caller(), myself(), arg(1)],
    ))
    .then(transferred(word(0), word(0), word(0)));
    let slot0 = returns(wide(Q96));
    let mut world = bank(&[("swap(uint256,uint256)", swap), ("slot0()", slot0)]);
    for (coin, holder) in [(COIN, BANK), (DUST, BANK), (DUST, ALICE)] {
        world.place(coin, token());
        world.store(
            coin,
            U256::from_be_slice(holder.as_slice()),
            U256::from(1_000),
        );
    }
    let swap = |paid: u64| {
        encode(
            "swap(uint256,uint256)",
            &[U256::from(600), U256::from(paid)],
        )
    };
    assert_eq!(outflow(&world, ALICE, BANK, swap(606)), None);
    severe(outflow(&world, ALICE, BANK, swap(60)));
}

#[test]
fn a_gift_beside_a_theft_is_no_price() {
    let take = call(
        account(COIN),
        "transfer(address,uint256)",
        &[caller(), arg(0)],
    );
    let mut world = bank(&[("take(uint256)", take)]);
    world.fund(BANK, 1);
    world.place(COIN, token());
    world.store(
        COIN,
        U256::from_be_slice(BANK.as_slice()),
        U256::from(1_000),
    );
    let robs = call(account(BANK), "take(uint256)", &[word(999)])
        .then(pay(account(BANK), word(1_000_000_000)));
    world.place(HELPER, contract(&[("rob()", robs)], nothing()));
    world.fund(HELPER, 1_000_000_000);
    severe(outflow(&world, MALLORY, HELPER, encode("rob()", &[])));
}

#[test]
fn a_number_of_ones_own_that_falls_in_another_call_is_no_claim() {
    let lets = store(own(), arg(0));
    let take = pay(caller(), arg(0));
    let mut world = bank(&[("let(uint256)", lets), ("take(uint256)", take)]);
    world.store(BANK, slot(HELPER.into_word(), 1), U256::from(8 * ETHER));
    let robs = call(account(BANK), "take(uint256)", &[word(8 * ETHER)]).then(call(
        account(BANK),
        "let(uint256)",
        &[word(0)],
    ));
    world.place(HELPER, contract(&[("rob()", robs)], nothing()));
    severe(outflow(&world, MALLORY, HELPER, encode("rob()", &[])));
}

#[test]
fn a_claim_that_was_made_up_for_it_is_none() {
    // Anybody may say what they have elsewhere, and take it here.
    let migrates = raises(own, arg(0));
    let take = lowers(own).then(pay(caller(), arg(0)));
    let mut world = bank(&[("migrate(uint256)", migrates), ("take(uint256)", take)]);
    let amount = || [word(8 * ETHER)];
    let robs = call(account(BANK), "migrate(uint256)", &amount()).then(call(
        account(BANK),
        "take(uint256)",
        &amount(),
    ));
    world.place(HELPER, contract(&[("rob()", robs)], nothing()));
    severe(outflow(&world, MALLORY, HELPER, encode("rob()", &[])));
}

#[test]
fn a_number_is_no_index_where_nobody_looked_or_out_of_scale() {
    const INDEX: u64 = 1_300_000_000_000_000_000;
    // A debt of as little as some variable makes of it.
    let scaled = |by: U256| div(mul(arg(0), word(ETHER)), wide(by));
    let borrows = |by: U256| raises(own, scaled(by)).then(pay(caller(), arg(0)));
    let peeks = || look(load(word(5)));
    let check = |index: U256, looks: bool| {
        let borrow = match looks {
            true => peeks().then(borrows(index)),
            false => borrows(index),
        };
        let mut world = bank(&[("borrow(uint256)", borrow), ("peek()", peeks())]);
        world.store(BANK, U256::from(5), index);
        let robs = call(account(BANK), "peek()", &[]).then(call(
            account(BANK),
            "borrow(uint256)",
            &[word(8 * ETHER)],
        ));
        world.place(HELPER, contract(&[("rob()", robs)], nothing()));
        let found = outflow(&world, MALLORY, HELPER, encode("rob()", &[]));
        found.is_some_and(|outflow| outflow.severe)
    };
    assert!(!check(U256::from(INDEX), true));
    assert!(check(U256::from(INDEX), false));
    assert!(check(U256::from(INDEX) * U256::from(100), true));
}
