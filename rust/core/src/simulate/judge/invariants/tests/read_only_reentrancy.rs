use super::assembler::*;
use super::*;
use crate::config::MonitoredContract;

const TOKEN: Address = Address::repeat_byte(0x70);
const POOL: Address = Address::repeat_byte(0x90);
const LENDER: Address = Address::repeat_byte(0x1e);
const ATTACK: Address = Address::repeat_byte(0xaa);

/// A lender pays tokens by a pool's price; the pool pays ether to who leaves it, and that one then borrows.
fn judged(leave: Asm) -> Vec<Violation> {
    let mut world = World::new();
    world.place(TOKEN, token());
    let price = returns(load(word(0)));
    world.place(
        POOL,
        contract(&[("leave()", leave), ("price()", price)], nothing()),
    );
    let borrow = ask(account(POOL), "price()", &[]).then(call(
        account(TOKEN),
        "transfer(address,uint256)",
        &[caller(), answer()],
    ));
    world.place(LENDER, contract(&[("borrow()", borrow)], nothing()));
    let attack = call(account(POOL), "leave()", &[]);
    let paid = call(account(LENDER), "borrow()", &[]);
    world.place(ATTACK, contract(&[("attack()", attack)], paid));
    world.fund(POOL, ETHER);
    world.store(POOL, U256::ZERO, U256::from(500));
    let lenders = U256::from_be_slice(LENDER.as_slice());
    world.store(TOKEN, lenders, U256::from(1_000_000));
    let contract = MonitoredContract {
        name: "Lender".into(),
        address: LENDER,
        ..MonitoredContract::default()
    };
    world.judge(MALLORY, ATTACK, 0, encode("attack()", &[]), contract)
}

fn books() -> Asm {
    store(word(0), word(1))
}

#[test]
fn who_is_asked_while_it_pays_and_writes_afterwards_misleads() {
    let found = judged(pay(caller(), word(1)).then(books()));
    let read = named(&found, "read_only_reentrancy").expect("fires");
    assert!(
        read.explanation.contains(&POOL.to_string()),
        "{}",
        read.explanation
    );
    assert!(judge(&found).alarm, "{found:?}");
    assert!(named(&found, "reentrancy").is_none());
}

#[test]
fn who_writes_before_it_pays_may_be_asked() {
    let found = judged(books().then(pay(caller(), word(1))));
    assert!(named(&found, "read_only_reentrancy").is_none(), "{found:?}");
}

const HOOK: Address = Address::repeat_byte(0x40);

/// A pool whose hook, found in a variable or in a mapping, has the lender act before the pool has written its books.
fn hooked(found: Asm, variable: bool) -> bool {
    let mut world = World::new();
    world.place(TOKEN, token());
    let leave = call(found, "hook()", &[]).then(books());
    let price = returns(load(word(0)));
    world.place(
        POOL,
        contract(&[("leave()", leave), ("price()", price)], nothing()),
    );
    // Where a mapping tells whom to call, hashing has written over the selector.
    let acts = call(load(word(1)), "borrow()", &[]);
    world.place(HOOK, contract(&[], acts));
    let borrow = ask(account(POOL), "price()", &[]).then(call(
        account(TOKEN),
        "transfer(address,uint256)",
        &[caller(), answer()],
    ));
    world.place(LENDER, contract(&[("borrow()", borrow)], nothing()));
    let of = |account: Address| U256::from_be_slice(account.as_slice());
    world.store(TOKEN, of(LENDER), U256::from(1_000_000));
    world.store(POOL, U256::ZERO, U256::from(500));
    if variable {
        world.store(POOL, U256::from(3), of(HOOK));
    }
    let key = keccak256([of(ALICE).to_be_bytes::<32>(), U256::from(4).to_be_bytes()].concat());
    world.store(POOL, key.into(), of(HOOK));
    world.store(HOOK, U256::from(1), of(LENDER));
    let contract = MonitoredContract {
        name: "Lender".into(),
        address: LENDER,
        ..MonitoredContract::default()
    };
    let found = world.judge(MALLORY, POOL, 0, encode("leave()", &[]), contract);
    named(&found, "read_only_reentrancy").is_some()
}

#[test]
fn who_acts_for_the_pool_that_it_asks_may_and_a_registered_hook_may_not() {
    assert!(!hooked(load(word(3)), true));
    assert!(hooked(load(entry(account(ALICE), word(4))), false));
}
