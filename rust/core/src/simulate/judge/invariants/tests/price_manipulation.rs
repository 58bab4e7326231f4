//! A lender that believes a pool, and who borrows to move it.

use super::assembler::*;
use super::*;
use crate::config::{MonitoredContract, WatchedAsset};
use alloy_consensus::crypto::secp256k1::{recover_signer, sign_message};
use alloy_primitives::B256;

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

const ORACLE: Address = Address::repeat_byte(0x0c);
/// Four words of a signature, and a price.
const PUSH: &str = "push(bytes32,uint256,bytes32,bytes32,uint256)";
const KEEP: &str = "keep(bytes32,uint256,bytes32,bytes32,uint256)";

fn manipulated(world: &World, data: Bytes, contract: MonitoredContract) -> bool {
    let found = world.judge(MALLORY, ATTACK, 0, data, contract);
    let manipulation = named(&found, "price_manipulation");
    assert_eq!(manipulation.is_some(), judge(&found).alarm, "{found:?}");
    manipulation.is_some()
}

/// The same with the attacker's own tokens.
fn with_own_money(meanwhile: Asm) -> World {
    let mut world = world(nothing());
    world.place(ATTACK, contract(&[("attack()", meanwhile)], nothing()));
    let own = U256::from_be_slice(ATTACK.as_slice());
    world.store(TOKEN, own, U256::from(1_000_000));
    world
}

fn attack() -> Bytes {
    encode("attack()", &[])
}

#[test]
fn a_price_moved_with_own_money_and_paid_for_alarms_and_a_trade_beside_a_loan_does_not() {
    for (bought, moved) in [(1_000_000, true), (50_000, false)] {
        let world = with_own_money(buy(bought).then(borrow()));
        assert_eq!(manipulated(&world, attack(), lender()), moved, "{bought}");
    }
    let found =
        with_own_money(buy(1_000_000).then(borrow())).judge(MALLORY, ATTACK, 0, attack(), lender());
    let said = &named(&found, "price_manipulation")
        .expect("fires")
        .explanation;
    assert!(
        said.contains("100 % higher") && said.contains("pays 2 ETH"),
        "{said}"
    );
    // After it was paid, or where nothing is, anybody may trade.
    let later = with_own_money(borrow().then(buy(1_000_000)));
    assert!(!manipulated(&later, attack(), lender()));
    let asks = ask(account(LENDER), "look()", &[]);
    let mut idle = with_own_money(buy(1_000_000).then(asks));
    let looks = ask(account(POOL), "price()", &[]);
    idle.place(LENDER, contract(&[("look()", looks)], nothing()));
    assert!(!manipulated(&idle, attack(), lender()));
}

#[test]
fn ether_that_is_sent_moves_the_price_of_who_is_priced_by_it() {
    // A pool that is worth what it has: nothing is written.
    let mut world = with_own_money(pay(account(POOL), word(ETHER)).then(borrow()));
    let worth = returns(div(own_balance(), word(1_000_000_000_000)));
    world.place(POOL, contract(&[("price()", worth)], nothing()));
    world.fund(POOL, ETHER);
    world.fund(ATTACK, ETHER);
    assert!(manipulated(&world, attack(), lender()));
}

#[test]
fn what_the_contract_moves_itself_is_nobodys_manipulation_without_a_loan() {
    let mut world = with_own_money(borrow());
    let own = U256::from_be_slice(LENDER.as_slice());
    world.store(TOKEN, own, U256::from(1_000_000));
    let wei = || mul(answer(), word(1_000_000_000_000_u64));
    let harvest = buy(1_000_000)
        .then(ask(account(POOL), "price()", &[]))
        .then(pay(caller(), wei()));
    world.place(LENDER, contract(&[("borrow()", harvest)], nothing()));
    let found = world.judge(MALLORY, ATTACK, 0, attack(), lender());
    assert!(named(&found, "price_manipulation").is_none(), "{found:?}");
}

/// A market that believes an oracle, whose prices are pushed to it; it checks who signed where `checked`.
fn with_oracle(checked: bool) -> (World, [U256; 4], Address) {
    let message = keccak256("a price");
    let signature = sign_message(B256::repeat_byte(9), message).expect("signs");
    let reporter = recover_signer(&signature, message).expect("its own");
    let v = U256::from(27 + u64::from(signature.v()));
    let words = [message.into(), v, signature.r(), signature.s()];
    let own: Vec<_> = (0..5).map(arg).collect();
    // Reports cost a fee.
    let keeps = call_paying(account(ORACLE), word(1), PUSH, &own).then(borrow());
    let mut world = with_own_money(nothing());
    world.fund(ATTACK, 1);
    world.place(ATTACK, contract(&[(KEEP, keeps)], nothing()));
    let recovers = signer(arg(0), arg(1), arg(2), arg(3));
    let check = match checked {
        true => look(load(entry(recovers, word(1)))),
        false => nothing(),
    };
    let push = check.then(store(word(0), arg(4)));
    let functions = [(PUSH, push), ("price()", returns(load(word(0))))];
    world.place(ORACLE, contract(&functions, nothing()));
    world.store(ORACLE, U256::ZERO, U256::from(1_000_000));
    let wei = || mul(answer(), word(1_000_000_000_000_u64));
    let pays = ask(account(ORACLE), "price()", &[])
        .then(store(caller(), add(load(caller()), wei())))
        .then(pay(caller(), wei()));
    world.place(LENDER, contract(&[("borrow()", pays)], nothing()));
    (world, words, reporter)
}

fn reports(world: &mut World, reporter: Address) {
    let place = B256::from(U256::from(1));
    let known = keccak256([reporter.into_word().0, place.0].concat());
    world.store(ORACLE, known.into(), U256::ONE);
}

#[test]
fn a_keeper_may_bring_a_signed_price_and_act_on_it() {
    let price = U256::from(2_000_000);
    let (mut world, words, reporter) = with_oracle(true);
    let keep = encode(KEEP, &[&words[..], &[price]].concat());
    assert!(
        manipulated(&world, keep.clone(), lender()),
        "a signer of the thief's own"
    );
    reports(&mut world, reporter);
    assert!(!manipulated(&world, keep.clone(), lender()));
    let (world, ..) = with_oracle(false);
    assert!(manipulated(&world, keep, lender()), "anybody may push");
}

#[test]
fn a_signature_that_the_thief_has_checked_meanwhile_signs_no_price() {
    // The pool calls its trader back, whose own contract knows the signer.
    let (mut world, words, reporter) = with_oracle(false);
    let own: Vec<_> = (0..5).map(arg).collect();
    let checks = look(load(entry(signer(arg(0), arg(1), arg(2), arg(3)), word(1))));
    let thief = Address::repeat_byte(0x3c);
    world.place(thief, contract(&[(PUSH, checks)], nothing()));
    let known = keccak256([reporter.into_word().0, B256::from(U256::from(1)).0].concat());
    world.store(thief, known.into(), U256::ONE);
    let back = call(arg(4), PUSH, &own).then(store(word(0), word(2_000_000)));
    let functions = [(PUSH, back), ("price()", returns(load(word(0))))];
    world.place(ORACLE, contract(&functions, nothing()));
    let told = U256::from_be_slice(thief.as_slice());
    let keep = encode(KEEP, &[&words[..], &[told]].concat());
    assert!(manipulated(&world, keep, lender()));
}

#[test]
fn who_lends_hears_nothing_of_what_its_borrower_asks() {
    let bank = MonitoredContract {
        name: "Bank".into(),
        address: BANK,
        ..MonitoredContract::default()
    };
    // The borrower gains somewhere else, by a price that it moved and asked itself.
    let asks = || ask(account(POOL), "price()", &[]);
    let meanwhile = buy(900_000).then(asks()).then(borrow()).then(sell(900_000));
    let lent = world(meanwhile);
    assert!(!manipulated(&lent, attack(), bank.clone()));
    assert!(manipulated(&lent, attack(), lender()));
}

#[test]
fn an_oracle_that_the_contract_names_asks_for_it_and_whom_the_caller_names_does_not() {
    let wei = || mul(answer(), word(1_000_000_000_000_u64));
    let pays = |oracle: Asm| call(oracle, "value()", &[]).then(pay(caller(), wei()));
    let value = returns(ask(account(POOL), "price()", &[]).then(answer()));
    let functions = [
        ("borrow(address)", pays(arg(0))),
        ("borrow()", pays(load(word(3)))),
    ];
    let oracle = U256::from_be_slice(ORACLE.as_slice());
    for (asked, named) in [
        (call(account(LENDER), "borrow()", &[]), true),
        (
            call(account(LENDER), "borrow(address)", &[wide(oracle)]),
            false,
        ),
    ] {
        let mut world = with_own_money(buy(1_000_000).then(asked));
        world.place(ORACLE, contract(&[("value()", value.clone())], nothing()));
        world.place(LENDER, contract(&functions, nothing()));
        world.store(LENDER, U256::from(3), oracle);
        let found = world.judge(MALLORY, ATTACK, 0, attack(), lender());
        let fires = super::named(&found, "price_manipulation").is_some();
        assert_eq!(fires, named, "{found:?}");
    }
}

#[test]
fn who_gives_a_token_of_his_own_away_gains_no_less() {
    let fires = |token: Address| {
        let gives = call(account(token), "give()", &[]);
        let asked = buy(50_000).then(borrow()).then(sell(50_000));
        let mut world = world(asked.then(gives));
        let says = transferred(caller(), word(0xdead), word(1));
        world.place(token, contract(&[("give()", says)], nothing()));
        let found = world.judge(MALLORY, ATTACK, 0, encode("attack()", &[]), lender());
        named(&found, "price_manipulation").is_some()
    };
    // Of the contract it calls or of its sender, who made it before; not what he traded in.
    assert!(fires(ATTACK.create(0)) && fires(MALLORY.create(0)));
    assert!(!fires(ORACLE));
}
