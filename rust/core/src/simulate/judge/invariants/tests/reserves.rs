//! A pair that keeps both its reserves in one slot.

use super::assembler::{
    Asm, account, add, arg, call, caller, contract, entry, load, mul, myself, nothing, store, sub,
    token, wide, word,
};
use super::*;
use crate::config::{MonitoredContract, WatchedAsset};

const PAIR: Address = Address::repeat_byte(0x90);
const FIRST: Address = Address::repeat_byte(0xc0);
const SECOND: Address = Address::repeat_byte(0xc1);
/// What a pair has of both, and packs so: the first in the low 112 bits, the second in the next.
const HELD: u64 = 1_000_000;

fn high(amount: Asm) -> Asm {
    mul(amount, wide(U256::ONE << 112))
}

/// Pays so much of the first, takes so much of the second, and writes its reserves down, which lie in a slot.
fn trades(reserves: fn() -> Asm) -> Asm {
    let pays = call(
        account(FIRST),
        "transfer(address,uint256)",
        &[caller(), arg(0)],
    );
    let takes = call(
        account(SECOND),
        "transferFrom(address,address,uint256)",
        &[caller(), myself(), arg(1)],
    );
    let less = sub(load(reserves()), arg(0));
    pays.then(takes)
        .then(store(reserves(), add(less, high(arg(1)))))
}

/// Whether it is severe that so much of the first leaves for so much of the second.
fn severe(reserves: fn() -> Asm, place: U256, paid: u64, taken: u64) -> Option<bool> {
    let mut world = World::new();
    let functions = [("trade(uint256,uint256)", trades(reserves))];
    world.place(PAIR, contract(&functions, nothing()));
    let of = |account: Address| U256::from_be_slice(account.as_slice());
    for coin in [FIRST, SECOND] {
        world.place(coin, token());
        for holder in [PAIR, MALLORY] {
            world.store(coin, of(holder), U256::from(HELD));
        }
    }
    let held = U256::from(HELD);
    let time = U256::from(1_720_000_000) << 224;
    world.store(PAIR, place, held | held << 112 | time);
    let pair = MonitoredContract {
        name: "Pair".into(),
        address: PAIR,
        assets: vec![WatchedAsset::Token(FIRST), WatchedAsset::Token(SECOND)],
        ..MonitoredContract::default()
    };
    let words = [U256::from(paid), U256::from(taken)];
    let data = encode("trade(uint256,uint256)", &words);
    let found = world.judge(MALLORY, PAIR, 0, data, pair);
    named(&found, "outflow").map(|outflow| outflow.severe)
}

/// Where a pair's own variable lies, and where one that keeps many pools, by their number, has its seventh.
fn places() -> [(fn() -> Asm, U256); 2] {
    let seventh: fn() -> Asm = || entry(word(7), word(2));
    let words = [U256::from(7), U256::from(2)].map(|word| word.to_be_bytes::<32>());
    let key = keccak256(words.concat());
    [(|| word(8), U256::from(8)), (seventh, key.into())]
}

#[test]
fn reserves_that_fall_by_what_is_taken_account_for_nothing() {
    for (reserves, place) in places() {
        // Nine tenths, for nothing or for next to nothing.
        for brought in [0, 1_000] {
            let found = severe(reserves, place, 900_000, brought);
            assert_eq!(found, Some(true), "{place:#x} {brought}");
        }
    }
}

#[test]
fn a_trade_that_keeps_the_product_is_booked_though_it_is_large() {
    for (reserves, place) in places() {
        // Half of the one for as much of the other as there was.
        assert_eq!(severe(reserves, place, 499_000, 1_000_000), None);
    }
}
