//! What is worth what left: wrapped ether, a pool's own formula, a trade of the contract's own.

use super::assembler::{
    Asm, account, add, arg, ask, call, call_paying, caller, contract, load, look, mul, myself,
    nothing, pay, returns, returns_both, store, sub, token, word, wrapper,
};
use super::*;
use crate::config::{MonitoredContract, WatchedAsset};

const TREASURY: Address = Address::repeat_byte(0x7e);
const WETH: Address = Address::repeat_byte(0xee);
const OTHER: Address = Address::repeat_byte(0xef);
const COIN: Address = Address::repeat_byte(0xc0);
const DUST: Address = Address::repeat_byte(0xd5);
const POOL: Address = Address::repeat_byte(0xb0);
const HELPER: Address = Address::repeat_byte(0xe1);
const NAMED: U256 = U256::from_limbs([3, 0, 0, 0]);

fn of(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

fn treasury(functions: &[(&str, Asm)]) -> World {
    let mut world = World::new();
    world.place(TREASURY, contract(functions, nothing()));
    world.fund(TREASURY, 10 * ETHER);
    for coin in [COIN, DUST] {
        world.place(coin, token());
    }
    for wrapped in [WETH, OTHER] {
        world.place(wrapped, wrapper());
        world.fund(wrapped, 9 * ETHER);
    }
    world.store(TREASURY, NAMED, of(WETH));
    world
}

/// What `outflow` makes of a call of one contract that is monitored: whether severe, if anything.
fn outflow(
    world: &World,
    monitored: Address,
    from: Address,
    to: Address,
    data: Bytes,
) -> Option<bool> {
    let contract = MonitoredContract {
        name: "Treasury".into(),
        address: monitored,
        ..MonitoredContract::default()
    };
    let found = world.judge(from, to, 0, data, contract);
    named(&found, "outflow").map(|outflow| outflow.severe)
}

fn eight(function: &str) -> Bytes {
    encode(function, &[U256::from(8 * ETHER), of(OTHER)])
}

#[test]
fn ether_may_be_wrapped_one_to_one_by_whom_the_contract_names() {
    let wraps = |token: Asm| call_paying(token, arg(0), "deposit()", &[]);
    let sends = call(
        load(word(3)),
        "transfer(address,uint256)",
        &[caller(), arg(0)],
    );
    let functions = [
        ("wrap(uint256,address)", wraps(load(word(3)))),
        ("wrapAt(uint256,address)", wraps(arg(1))),
        (
            "wrapAndSend(uint256,address)",
            wraps(load(word(3))).then(sends),
        ),
    ];
    let mut world = treasury(&functions);
    let check =
        |world: &World, function| outflow(world, TREASURY, MALLORY, TREASURY, eight(function));
    assert_eq!(check(&world, "wrap(uint256,address)"), None);
    assert_eq!(check(&world, "wrapAt(uint256,address)"), Some(true));
    assert_eq!(check(&world, "wrapAndSend(uint256,address)"), Some(true));
    // Half as much for it is no wrapping, whoever is named.
    let mints = assembler::transferred(word(0), caller(), word(4 * ETHER));
    let half = contract(
        &[
            ("deposit()", mints),
            ("balanceOf(address)", returns(word(0))),
        ],
        nothing(),
    );
    world.place(WETH, half);
    assert_eq!(check(&world, "wrap(uint256,address)"), Some(true));
}

#[test]
fn wrapped_ether_may_be_unwrapped_and_the_ether_stays() {
    let unwraps = call(load(word(3)), "withdraw(uint256)", &[arg(0)]);
    let sends = || pay(caller(), arg(0));
    let mut world = treasury(&[
        ("unwrap(uint256,address)", unwraps.clone()),
        ("unwrapAndSend(uint256,address)", unwraps.then(sends())),
    ]);
    world.fund(TREASURY, 0);
    world.store(WETH, of(TREASURY), U256::from(8 * ETHER));
    let check = |function| outflow(&world, TREASURY, MALLORY, TREASURY, eight(function));
    assert_eq!(check("unwrap(uint256,address)"), None);
    assert_eq!(check("unwrapAndSend(uint256,address)"), Some(true));
}

#[test]
fn a_wrapper_pays_who_gives_back_what_he_has_and_nobody_else() {
    let mut world = treasury(&[]);
    for holder in [ALICE, ADMIN] {
        world.store(WETH, of(holder), U256::from(8 * ETHER));
    }
    let eight = || encode("withdraw(uint256)", &[U256::from(8 * ETHER)]);
    assert_eq!(outflow(&world, WETH, ALICE, WETH, eight()), None);
    let deposit = encode("deposit()", &[]);
    assert_eq!(outflow(&world, WETH, ALICE, WETH, deposit), None);
    // Of another's, or of nobody's.
    let lowers = |who: Asm| store(who.clone(), sub(load(who), arg(0)));
    let withdraw = |lowers: Asm| lowers.then(pay(caller(), arg(0)));
    for hole in [withdraw(lowers(account(ADMIN))), withdraw(nothing())] {
        world.place(WETH, contract(&[("withdraw(uint256)", hole)], nothing()));
        assert_eq!(outflow(&world, WETH, MALLORY, WETH, eight()), Some(true));
    }
}

/// A pool of 1,000 of each; what it sells goes out first.
fn pool(world: &mut World, functions: &[(&str, Asm)]) {
    world.place(POOL, contract(functions, nothing()));
    for coin in [COIN, DUST] {
        world.store(coin, of(POOL), U256::from(1_000));
        world.store(coin, of(MALLORY), U256::from(1_000));
        world.store(coin, of(HELPER), U256::from(1_000));
    }
}

fn held(coin: Address) -> Asm {
    held_of(account(coin))
}

fn held_of(coin: Asm) -> Asm {
    ask(coin, "balanceOf(address)", &[myself()]).then(assembler::answer())
}

/// Tells the coin that lies at a number.
fn coins() -> Asm {
    returns(load(arg(0)))
}

fn sends(coin: Address, to: Asm, amount: Asm) -> Asm {
    call(account(coin), "transfer(address,uint256)", &[to, amount])
}

fn pulls(coin: Address, amount: Asm) -> Asm {
    let moves = "transferFrom(address,address,uint256)";
    call(account(coin), moves, &[caller(), myself(), amount])
}

#[test]
fn a_pair_that_is_paid_beforehand_keeps_its_product() {
    let writes = store(word(1), held(COIN)).then(store(word(2), held(DUST)));
    let swap = sends(COIN, caller(), arg(0)).then(writes);
    let mut world = treasury(&[]);
    let reserves = returns_both(load(word(1)), load(word(2)));
    pool(
        &mut world,
        &[
            ("swap(uint256)", swap),
            ("getReserves()", reserves),
            ("token0()", returns(account(COIN))),
            ("token1()", returns(account(DUST))),
        ],
    );
    for place in [1, 2] {
        world.store(POOL, U256::from(place), U256::from(1_000));
    }
    let trade =
        sends(DUST, account(POOL), arg(1)).then(call(account(POOL), "swap(uint256)", &[arg(0)]));
    world.place(
        HELPER,
        contract(&[("trade(uint256,uint256)", trade)], nothing()),
    );
    let check = |out: u64, paid: u64| {
        let words = [U256::from(out), U256::from(paid)];
        outflow(
            &world,
            POOL,
            MALLORY,
            HELPER,
            encode("trade(uint256,uint256)", &words),
        )
    };
    assert_eq!(check(400, 680), None);
    assert_eq!(check(400, 60), Some(true));
    assert_eq!(check(400, 0), Some(true));
}

/// Sends the first amount, takes the second, and writes the third down as its price.
fn swap_at_a_price() -> Asm {
    sends(COIN, caller(), arg(0))
        .then(pulls(DUST, arg(1)))
        .then(store(word(7), arg(2)))
}

#[test]
fn a_pool_of_coins_of_one_value_keeps_what_stands_behind_a_share() {
    let mut world = treasury(&[]);
    let functions = [
        ("swap(uint256,uint256,uint256)", swap_at_a_price()),
        ("get_virtual_price()", returns(load(word(7)))),
        ("coins(uint256)", coins()),
        ("balances(uint256)", returns(held_of(load(arg(0))))),
    ];
    pool(&mut world, &functions);
    for (n, coin) in (0_u64..).zip([COIN, DUST]) {
        world.store(POOL, U256::from(n), of(coin));
    }
    world.store(POOL, U256::from(7), U256::from(1_000));
    // There is less of what leaves than a constant product would have.
    let check = |out: u64, paid: u64, price: u64| {
        let words = [out, paid, price].map(U256::from);
        let data = encode("swap(uint256,uint256,uint256)", &words);
        outflow(&world, POOL, MALLORY, POOL, data)
    };
    assert_eq!(check(600, 610, 1_001), None);
    assert_eq!(check(600, 61, 900), Some(true));
    // Nothing came in, whatever the price is said to be.
    assert_eq!(check(600, 0, 1_001), Some(true));
}

#[test]
fn a_pool_of_concentrated_liquidity_trades_between_the_prices_before_and_after() {
    const Q96: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);
    let mut world = treasury(&[]);
    let functions = [
        ("swap(uint256,uint256,uint256)", swap_at_a_price()),
        ("slot0()", returns(load(word(7)))),
    ];
    pool(&mut world, &functions);
    world.store(POOL, U256::from(7), Q96);
    let check = |out: u64, paid: u64, root: U256| {
        let words = [U256::from(out), U256::from(paid), root];
        let data = encode("swap(uint256,uint256,uint256)", &words);
        outflow(&world, POOL, MALLORY, POOL, data)
    };
    // The price goes from 1 to 4: on the way it is 2 in the mean.
    let moved = Q96 * U256::from(2);
    assert_eq!(check(400, 800, moved), None);
    assert_eq!(check(400, 300, moved), Some(true));
    // Less than the price before, which moved the other way to fit.
    assert_eq!(check(400, 100, moved), Some(true));
    // A price that went through nothing fits anything.
    assert_eq!(check(400, 100, Q96 / U256::from(1_000)), Some(true));
}

#[test]
fn a_trade_of_its_own_is_at_the_price_that_a_pool_it_names_had_before() {
    // The treasury pays first; the pool gives what is asked of it.
    let sells = |pool: Asm| {
        look(load(word(8)))
            .then(call(
                account(COIN),
                "transfer(address,uint256)",
                &[pool.clone(), arg(0)],
            ))
            .then(call(pool, "swap(uint256)", &[arg(1)]))
    };
    let functions = [
        ("sell(uint256,uint256)", sells(load(word(4)))),
        ("sellAt(uint256,uint256,address)", sells(arg(2))),
        (
            "pay(uint256,uint256)",
            sends(COIN, caller(), arg(0)).then(call(load(word(4)), "swap(uint256)", &[arg(1)])),
        ),
    ];
    let mut world = treasury(&functions);
    let swap = sends(DUST, caller(), arg(0)).then(store(word(1), mul(load(word(1)), word(9))));
    pool(
        &mut world,
        &[
            ("swap(uint256)", swap),
            ("token0()", returns(account(COIN))),
            ("token1()", returns(account(DUST))),
            ("getReserves()", returns_both(load(word(1)), load(word(2)))),
            ("tilt(uint256)", store(word(1), arg(0))),
        ],
    );
    for place in [1, 2] {
        world.store(POOL, U256::from(place), U256::from(1_000));
    }
    world.store(TREASURY, U256::from(4), of(POOL));
    world.store(TREASURY, U256::from(8), of(DUST));
    world.store(COIN, of(TREASURY), U256::from(30));
    let check = |function: &str, brings: u64| {
        let words = [U256::from(20), U256::from(brings), of(POOL)];
        outflow(
            &world,
            TREASURY,
            MALLORY,
            TREASURY,
            encode(function, &words),
        )
    };
    assert_eq!(check("sell(uint256,uint256)", 20), None);
    assert_eq!(check("sell(uint256,uint256)", 10), Some(true));
    // To a pool that the caller names, or to the caller himself.
    assert_eq!(check("sellAt(uint256,uint256,address)", 20), Some(true));
    assert_eq!(check("pay(uint256,uint256)", 20), Some(true));
    // A price that was moved for it is none.
    let tilts = call(account(POOL), "tilt(uint256)", &[word(2_000)]).then(call(
        account(TREASURY),
        "sell(uint256,uint256)",
        &[word(20), word(10)],
    ));
    world.place(HELPER, contract(&[("rob()", tilts)], nothing()));
    let rob = encode("rob()", &[]);
    assert_eq!(outflow(&world, TREASURY, MALLORY, HELPER, rob), Some(true));
}

#[test]
fn a_token_sells_the_fees_that_it_took_to_the_pool_that_it_names() {
    // The token's own coins: balances by address, its fees at its own.
    let balance = |who: Asm| who;
    let moves = |from: Asm, to: Asm, amount: Asm| {
        store(
            balance(from.clone()),
            sub(load(balance(from.clone())), amount.clone()),
        )
        .then(store(
            balance(to.clone()),
            add(load(balance(to.clone())), amount.clone()),
        ))
        .then(assembler::transferred(from, to, amount))
    };
    let sells = |brings: u64| {
        moves(myself(), load(word(4)), word(900))
            .then(call(load(word(4)), "swap(uint256)", &[word(brings)]))
            .then(moves(caller(), arg(0), arg(1)))
    };
    let check = |brings: u64, assets: Vec<WatchedAsset>| {
        let mut world = treasury(&[]);
        let swap = call(
            account(WETH),
            "transfer(address,uint256)",
            &[caller(), arg(0)],
        );
        pool(
            &mut world,
            &[
                ("swap(uint256)", swap),
                ("token0()", returns(account(TREASURY))),
                ("token1()", returns(account(WETH))),
                ("getReserves()", returns_both(word(1_000), word(1_000))),
            ],
        );
        world.store(WETH, of(POOL), U256::from(1_000));
        let functions = [
            ("transfer(address,uint256)", sells(brings)),
            ("balanceOf(address)", returns(load(arg(0)))),
        ];
        world.place(TREASURY, contract(&functions, nothing()));
        world.store(TREASURY, of(TREASURY), U256::from(1_000));
        world.store(TREASURY, of(ALICE), U256::from(1_000));
        world.store(TREASURY, U256::from(4), of(POOL));
        let words = [of(MALLORY), U256::from(10)];
        let data = encode("transfer(address,uint256)", &words);
        let contract = MonitoredContract {
            name: "Coin".into(),
            address: TREASURY,
            assets,
            ..MonitoredContract::default()
        };
        let found = world.judge(ALICE, TREASURY, 0, data, contract);
        named(&found, "outflow").map(|outflow| outflow.severe)
    };
    // Its own coins are an asset of it where its owner says so.
    let own = || vec![WatchedAsset::Token(TREASURY), WatchedAsset::Token(WETH)];
    assert_eq!(check(9, Vec::new()), None);
    assert_eq!(check(900, own()), None);
    assert_eq!(check(9, own()), Some(true));
}

#[test]
fn what_who_is_paid_adds_of_himself_is_no_price() {
    // It has 1,000 coins and sells 8 ether of 10 for 4,100 more, by its own formula; the thief adds as many while he is paid.
    let take = pay(caller(), arg(0));
    let buys = pulls(COIN, word(4_100)).then(pay(caller(), arg(0)));
    let mut world = treasury(&[
        ("take(uint256)", look(load(word(9))).then(take)),
        ("buy(uint256)", look(load(word(9))).then(buys)),
    ]);
    world.store(TREASURY, U256::from(9), of(COIN));
    world.store(COIN, of(TREASURY), U256::from(1_000));
    let robs = call(account(TREASURY), "take(uint256)", &[word(8 * ETHER)]);
    let adds = sends(COIN, account(TREASURY), word(4_100));
    world.place(HELPER, contract(&[("rob()", robs)], adds));
    world.store(COIN, of(HELPER), U256::from(4_100));
    let rob = encode("rob()", &[]);
    assert_eq!(outflow(&world, TREASURY, MALLORY, HELPER, rob), Some(true));
    // What it takes itself it sells for, unless that is dust.
    world.store(COIN, of(MALLORY), U256::from(4_100));
    let buy = || eight("buy(uint256)");
    assert_eq!(outflow(&world, TREASURY, MALLORY, TREASURY, buy()), None);
    let decimals = ("decimals()", returns(word(18)));
    let moved = (
        "transferFrom(address,address,uint256)",
        assembler::transferred(arg(0), arg(1), arg(2)),
    );
    let balance = ("balanceOf(address)", returns(load(arg(0))));
    world.place(COIN, contract(&[decimals, moved, balance], nothing()));
    assert_eq!(
        outflow(&world, TREASURY, MALLORY, TREASURY, buy()),
        Some(true)
    );
}

#[test]
fn a_thief_that_is_a_token_brings_nothing_of_it() {
    let world = |take: Asm| {
        let mut world = treasury(&[("take(uint256)", take)]);
        let robs = call(account(TREASURY), "take(uint256)", &[word(9 * ETHER)]);
        let says = || assembler::transferred(account(ALICE), account(TREASURY), word(ETHER));
        let functions = [
            ("rob()", robs),
            ("transferFrom(address,address,uint256)", says()),
            ("balanceOf(address)", returns(word(1_000))),
        ];
        world.place(HELPER, contract(&functions, says()));
        world
    };
    let rob = |world: &World| outflow(world, TREASURY, MALLORY, HELPER, encode("rob()", &[]));
    let pays = || pay(caller(), arg(0));
    assert_eq!(rob(&world(pays())), Some(true));
    // Nor where it is asked for it.
    let moves = "transferFrom(address,address,uint256)";
    let asks = call(caller(), moves, &[account(ALICE), myself(), word(ETHER)]);
    let asked = world(asks.then(pays()));
    assert_eq!(rob(&asked), Some(true));
}

#[test]
fn reserves_that_are_only_written_down_keep_no_product() {
    // It gives what it has, takes one unit, and leaves its books as they are.
    let drains = || sends(COIN, caller(), arg(0)).then(pulls(DUST, word(1)));
    let mut world = treasury(&[]);
    pool(
        &mut world,
        &[
            ("drain(uint256)", drains()),
            ("getReserves()", returns_both(word(1_000), word(1_000))),
            ("token0()", returns(account(COIN))),
            ("token1()", returns(account(DUST))),
            ("get_virtual_price()", returns(word(1_000))),
            ("coins(uint256)", coins()),
            ("balances(uint256)", returns(word(1_000))),
        ],
    );
    for (n, coin) in (0_u64..).zip([COIN, DUST]) {
        world.store(POOL, U256::from(n), of(coin));
    }
    let drain = encode("drain(uint256)", &[U256::from(900)]);
    assert_eq!(outflow(&world, POOL, MALLORY, POOL, drain), Some(true));
}
