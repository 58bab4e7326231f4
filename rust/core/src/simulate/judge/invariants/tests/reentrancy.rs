use super::assembler::{
    Asm, account, arg, call, caller, contract, entry, load, look, nothing, pay, store, word,
};
use super::*;
use crate::config::MonitoredContract;
use crate::simulate::judge::invariants::case::Case;
use crate::simulate::judge::invariants::reentrancy::{Reentry, Reliance};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The demo's vault with ten ether of others, and its ABI.
fn vault(world: &mut World) -> MonitoredContract {
    let address = world.deploy(ADMIN, "Vault", ADMIN.into_word().as_slice());
    world.call(ALICE, address, 10 * ETHER, encode("deposit()", &[]));
    MonitoredContract {
        name: "Vault".into(),
        address,
        abi: Some(r#"[{"type":"function","name":"withdraw","inputs":[{"name":"amount","type":"uint256"}],"outputs":[],"stateMutability":"nonpayable"}]"#.into()),
        ..MonitoredContract::default()
    }
}

#[test]
fn a_drain_by_reentrancy_is_told_with_amount_and_number() {
    let mut world = World::new();
    let vault = vault(&mut world);
    let attacker = world.deploy(MALLORY, "Attacker", vault.address.into_word().as_slice());
    let found = world.judge(MALLORY, attacker, 2 * ETHER, encode("attack()", &[]), vault);
    let reentrancy = named(&found, "reentrancy").expect("fires");
    assert_eq!(
        reentrancy.explanation,
        format!(
            "10 ETH leave Vault to {attacker}, re-entered 5 times in withdraw() before its books were written"
        )
    );
    let judgement = judge(&found);
    assert!(
        judgement.alarm && judgement.probability > 0.9,
        "{judgement:?}"
    );
}

#[test]
fn an_honest_router_that_the_payment_calls_is_silent() {
    let mut world = World::new();
    let vault = vault(&mut world);
    let router = world.deploy(ADMIN, "Router", vault.address.into_word().as_slice());
    world.call(ALICE, router, 3 * ETHER, encode("enter()", &[]));
    let exit = encode("exit(uint256)", &[U256::from(3 * ETHER)]);
    assert_eq!(world.judge(ALICE, router, 0, exit, vault), []);
}

const MARKET: Address = Address::repeat_byte(0x4e);
const COMPTROLLER: Address = Address::repeat_byte(0xc0);
const DISTRIBUTOR: Address = Address::repeat_byte(0xd1);
const ATTACK: Address = Address::repeat_byte(0xaa);

/// A market that asks whom it does before it pays, and writes its books afterwards; `back` is what it is called back for.
fn market(asks: Asm, passes_on: Asm, back: Asm) -> World {
    let mut world = World::new();
    let borrow = asks
        .then(store(word(0), word(1)))
        .then(pay(caller(), word(ETHER)));
    let functions = [("borrow(address)", borrow), ("back()", back)];
    world.place(MARKET, contract(&functions, nothing()));
    world.fund(MARKET, 10 * ETHER);
    let set = store(word(1), arg(0));
    let functions = [("allowed()", passes_on), ("set(address)", set)];
    world.place(COMPTROLLER, contract(&functions, nothing()));
    // Where a mapping tells whom to call, hashing has written over the selector.
    let back = || call(account(MARKET), "back()", &[]);
    let comes_back = contract(&[("distribute()", back())], back());
    world.place(DISTRIBUTOR, comes_back);
    let of = |account: Address| U256::from_be_slice(account.as_slice());
    world.store(MARKET, U256::from(1), of(COMPTROLLER));
    world.store(MARKET, U256::from(2), of(DISTRIBUTOR));
    world.store(COMPTROLLER, U256::from(1), of(DISTRIBUTOR));
    let listed = keccak256([word_of(ALICE), U256::from(3).to_be_bytes()].concat());
    world.store(COMPTROLLER, listed.into(), of(DISTRIBUTOR));
    world
}

fn word_of(account: Address) -> [u8; 32] {
    account.into_word().0
}

fn reentered(world: &World, to: Address) -> bool {
    let comptroller = U256::from_be_slice(COMPTROLLER.as_slice());
    let data = encode("borrow(address)", &[comptroller]);
    let monitored = MonitoredContract {
        name: "Market".into(),
        address: MARKET,
        ..MonitoredContract::default()
    };
    let found = world.judge(MALLORY, to, 0, data, monitored);
    named(&found, "reentrancy").is_some()
}

/// Reads the books, and writes something else.
fn accrues() -> Asm {
    look(load(word(0))).then(store(word(5), word(1)))
}

fn asks() -> Asm {
    call(load(word(1)), "allowed()", &[])
}

fn distributes() -> Asm {
    call(load(word(1)), "distribute()", &[])
}

#[test]
fn whom_those_rely_on_that_the_contract_relies_on_may_come_back_for_nothing() {
    let world = market(asks(), distributes(), accrues());
    assert!(!reentered(&world, MARKET));
    let in_code = call(account(DISTRIBUTOR), "distribute()", &[]);
    assert!(!reentered(&market(asks(), in_code, accrues()), MARKET));
    let takes = accrues().then(pay(account(ALICE), word(ETHER)));
    let robbed = market(asks(), distributes(), takes);
    assert!(reentered(&robbed, MARKET), "it takes something meanwhile");
}

#[test]
fn who_put_himself_where_it_looks_may_not() {
    let listed = call(load(entry(account(ALICE), word(3))), "distribute()", &[]);
    let world = market(asks(), listed, accrues());
    assert!(reentered(&world, MARKET), "anybody may be in a mapping");
    let told = call(arg(0), "allowed()", &[]);
    let mut world = market(told, distributes(), accrues());
    world.store(MARKET, U256::from(1), U256::ZERO);
    assert!(reentered(&world, MARKET), "whom the caller names");
    let mut world = market(asks(), distributes(), accrues());
    let of = |account: Address| U256::from_be_slice(account.as_slice());
    world.store(COMPTROLLER, U256::from(1), of(ALICE));
    let wires = call(
        account(COMPTROLLER),
        "set(address)",
        &[account(DISTRIBUTOR)],
    );
    let robs = wires.then(call(account(MARKET), "borrow(address)", &[arg(0)]));
    world.place(ATTACK, contract(&[("borrow(address)", robs)], nothing()));
    assert!(reentered(&world, ATTACK), "since this transaction");
}

#[test]
fn who_is_paid_comes_for_himself_though_a_variable_names_him() {
    // The highest bidder, who gets his money back.
    let refunds = pay(load(word(2)), word(1));
    assert!(reentered(&market(refunds, nothing(), accrues()), MARKET));
}

#[test]
fn a_named_token_that_calls_whom_it_pays_lends_them_no_trust() {
    let hook = call(load(entry(caller(), word(9))), "distribute()", &[]);
    let mut world = market(asks(), hook, accrues());
    let registered = keccak256([word_of(MARKET), U256::from(9).to_be_bytes()].concat());
    let hooked = U256::from_be_slice(DISTRIBUTOR.as_slice());
    world.store(COMPTROLLER, registered.into(), hooked);
    assert!(reentered(&world, MARKET));
}

/// How long it takes to look at so many calls back by one who has as many slots; all of them are excused.
fn crowded(count: u32) -> Duration {
    let mut world = market(asks(), distributes(), accrues());
    for slot in 0..u64::from(count) {
        world.store(COMPTROLLER, U256::from(1_000 + slot), U256::from(slot));
    }
    let reads = (0..u64::from(count)).fold(nothing(), |all, slot| {
        all.then(look(load(word(1_000 + slot))))
    });
    let passes_on = distributes().then(reads);
    world.place(
        COMPTROLLER,
        contract(&[("allowed()", passes_on)], nothing()),
    );
    let monitored = MonitoredContract {
        name: "Market".into(),
        address: MARKET,
        ..MonitoredContract::default()
    };
    let data = encode("borrow(address)", &[U256::ZERO]);
    world.look(MALLORY, MARKET, 0, data, monitored, |effects| {
        let case = Case::new(effects);
        let strangers = BTreeSet::new();
        let frames = &effects.execution.trace.frames;
        let back = frames
            .iter()
            .position(|one| one.depth > 0 && one.to == Some(MARKET));
        let inner = back.expect("it comes back") as u32;
        let times = (0..5).map(|_| {
            let reliance = Reliance::new(&case, &strangers);
            let begun = Instant::now();
            for _ in 0..count {
                assert!(reliance.excuses(MARKET, Reentry { inner, outer: 0 }));
            }
            begun.elapsed()
        });
        times.min().unwrap()
    })
}

#[test]
fn who_comes_back_a_thousand_times_is_looked_for_once() {
    // If each scanned all slots anew, 16 times.
    let (few, many) = (crowded(150), crowded(600));
    assert!(
        many < 10 * few.max(Duration::from_millis(1)),
        "{few:?} {many:?}"
    );
}
