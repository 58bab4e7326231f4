//! A lender that believes a pool, and who borrows to move it.

use super::assembler::*;
use super::*;
use crate::config::{MonitoredContract, WatchedAsset};

const TOKEN: Address = Address::repeat_byte(0x70);
const BANK: Address = Address::repeat_byte(0xba);
const POOL: Address = Address::repeat_byte(0x90);
const LENDER: Address = Address::repeat_byte(0x1e);
const ATTACK: Address = Address::repeat_byte(0xaa);

fn lender() -> MonitoredContract {
    MonitoredContract {
        name: "Lender".into(),
        address: LENDER,
        ..MonitoredContract::default()
    }
}

/// A bank that lends a million tokens, a pool whose price is what it was paid, and a lender with ten ether that pays by
/// the pool's price and writes down the debt. `meanwhile` is what the borrower of the bank does.
fn world(meanwhile: Asm) -> World {
    let mut world = World::new();
    world.place(TOKEN, token());
    world.place(BANK, bank(TOKEN));
    let pull = [caller(), myself(), arg(0)];
    let buy = call(
        account(TOKEN),
        "transferFrom(address,address,uint256)",
        &pull,
    )
    .then(store(word(0), add(load(word(0)), arg(0))));
    let sell = store(word(0), sub(load(word(0)), arg(0))).then(call(
        account(TOKEN),
        "transfer(address,uint256)",
        &[caller(), arg(0)],
    ));
    world.place(
        POOL,
        contract(
            &[
                ("buy(uint256)", buy),
                ("sell(uint256)", sell),
                ("price()", returns(load(word(0)))),
            ],
            nothing(),
        ),
    );
    let wei = || mul(answer(), word(1_000_000_000_000_u64));
    let borrow = ask(account(POOL), "price()", &[])
        .then(store(caller(), add(load(caller()), wei())))
        .then(pay(caller(), wei()));
    world.place(LENDER, contract(&[("borrow()", borrow)], nothing()));
    let attack = call(account(BANK), "flash(uint256)", &[word(1_000_000)]);
    let repay = call(
        account(TOKEN),
        "transfer(address,uint256)",
        &[account(BANK), word(1_000_000)],
    );
    let borrowed = meanwhile.then(repay);
    world.place(
        ATTACK,
        contract(&[("attack()", attack), ("borrowed()", borrowed)], nothing()),
    );
    let balance = |account: Address| U256::from_be_slice(account.as_slice());
    world.store(TOKEN, balance(BANK), U256::from(1_000_000));
    world.store(TOKEN, balance(POOL), U256::from(1_000_000));
    world.store(POOL, U256::ZERO, U256::from(1_000_000));
    world.fund(LENDER, 10 * ETHER);
    world
}

fn buy(amount: u64) -> Asm {
    call(account(POOL), "buy(uint256)", &[word(amount)])
}

fn sell(amount: u64) -> Asm {
    call(account(POOL), "sell(uint256)", &[word(amount)])
}

fn borrow() -> Asm {
    call(account(LENDER), "borrow()", &[])
}

fn judged(meanwhile: Asm) -> Vec<Violation> {
    world(meanwhile).judge(MALLORY, ATTACK, 0, encode("attack()", &[]), lender())
}

#[test]
fn a_price_moved_with_borrowed_money_and_believed_alarms() {
    let found = judged(buy(1_000_000).then(borrow()).then(sell(1_000_000)));
    let manipulation = named(&found, "price_manipulation").expect("fires");
    for said in ["1000000 units", "100 % higher", "2 ETH", &POOL.to_string()] {
        assert!(
            manipulation.explanation.contains(said),
            "{}",
            manipulation.explanation
        );
    }
    let judgement = judge(&found);
    assert!(
        judgement.alarm && judgement.probability >= 0.85,
        "{judgement:?}"
    );
}

#[test]
fn a_liquidation_with_borrowed_money_at_the_true_price_is_silent() {
    // What it got it sells afterwards: the price moves when the contract has asked already.
    let found = judged(borrow().then(buy(1_000_000)).then(sell(1_000_000)));
    assert!(named(&found, "price_manipulation").is_none(), "{found:?}");
    assert!(!judge(&found).alarm);
}

#[test]
fn an_arbitrage_with_a_flash_loan_is_silent() {
    // It takes 500 tokens more out of the pool than it put in, and keeps them.
    let world = world(buy(1_000_000).then(sell(1_000_500)));
    let pool = MonitoredContract {
        name: "Pool".into(),
        address: POOL,
        assets: vec![WatchedAsset::Token(TOKEN)],
        ..MonitoredContract::default()
    };
    for contract in [pool, lender()] {
        let found = world.judge(MALLORY, ATTACK, 0, encode("attack()", &[]), contract);
        assert_eq!(found, []);
    }
}

#[test]
fn a_price_within_the_tolerance_is_silent() {
    let found = judged(buy(20_000).then(borrow()).then(sell(20_000)));
    assert!(named(&found, "price_manipulation").is_none(), "{found:?}");
}
