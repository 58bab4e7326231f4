//! Orders that owners signed, and what only looks as if they had.

use super::assembler::{
    Asm, account, arg, ask, call, caller, contract, entry, load, look, nothing, returns, signer,
    token, wide, word,
};
use super::*;
use crate::config::MonitoredContract;
use alloy_consensus::crypto::secp256k1::{recover_signer, sign_message};
use alloy_primitives::B256;

const ROUTER: Address = Address::repeat_byte(0x60);
const TOKEN: Address = Address::repeat_byte(0x70);
const OTHER: Address = Address::repeat_byte(0x07);
/// A contract that owns tokens, and says yes to any signature.
const WALLET: Address = Address::repeat_byte(0x4a);
const HELPER: Address = Address::repeat_byte(0xe1);
const FILL: &str = "fill(bytes32,uint256,bytes32,bytes32,address,address)";
const AMOUNT: u64 = 100;

struct Order {
    owner: Address,
    words: [U256; 4],
}

/// What the owner of a key signed.
fn order(key: u8) -> Order {
    let message = keccak256([key]);
    let signature = sign_message(B256::repeat_byte(key), message).expect("signs");
    let v = U256::from(27 + u64::from(signature.v()));
    Order {
        owner: recover_signer(&signature, message).expect("its own"),
        words: [message.into(), v, signature.r(), signature.s()],
    }
}

fn fill(order: &Order, owner: Address, last: Address) -> Bytes {
    let accounts = [owner, last].map(|one| U256::from_be_slice(one.as_slice()));
    encode(FILL, &[&order.words[..], &accounts].concat())
}

fn recover() -> Asm {
    look(signer(arg(0), arg(1), arg(2), arg(3)))
}

fn moves(token: Address, to: Asm) -> Asm {
    let words = [arg(4), to, word(AMOUNT)];
    call(
        account(token),
        "transferFrom(address,address,uint256)",
        &words,
    )
}

fn to_caller() -> Asm {
    moves(TOKEN, caller())
}

fn to(n: u8) -> Asm {
    moves(TOKEN, account(Address::repeat_byte(0xc0 + n)))
}

/// A router that fills orders so.
fn world(fills: Asm) -> World {
    let mut world = World::new();
    world.place(ROUTER, contract(&[(FILL, fills)], nothing()));
    let yes = U256::from_be_slice(&selector("isValidSignature(bytes32,bytes)")) << 224;
    let valid = returns(wide(yes));
    world.place(
        WALLET,
        contract(&[("isValidSignature(bytes32,bytes)", valid)], nothing()),
    );
    for place in [TOKEN, OTHER] {
        world.place(place, token());
        for owner in [order(7).owner, ALICE, WALLET] {
            let holder = U256::from_be_slice(owner.as_slice());
            world.store(place, holder, U256::from(10_000));
        }
    }
    world
}

/// Of what a stranger has filled: whether it counts as taken from who owns it.
fn taken(world: &World, to: Address, data: Bytes) -> bool {
    let router = MonitoredContract {
        name: "Router".into(),
        address: ROUTER,
        ..MonitoredContract::default()
    };
    let found = world.judge(MALLORY, to, 0, data, router);
    named(&found, "approval_drain").is_some()
}

#[test]
fn what_an_owner_signed_is_moved_once() {
    let order = order(7);
    let data = || fill(&order, order.owner, TOKEN);
    assert!(!taken(&world(recover().then(to_caller())), ROUTER, data()));
    assert!(taken(&world(to_caller()), ROUTER, data()), "never asked");
    let six = (0..6).fold(recover(), |fills, _| fills.then(to_caller()));
    assert!(
        taken(&world(six), ROUTER, data()),
        "asked once, paid six times"
    );
    let twice = recover().then(to_caller());
    let twice = twice.clone().then(twice);
    assert!(
        taken(&world(twice), ROUTER, data()),
        "asked twice of one order"
    );
}

#[test]
fn one_signature_may_sell_several_tokens_and_pay_a_few() {
    let order = order(7);
    let data = || fill(&order, order.owner, TOKEN);
    let batch = recover().then(to_caller()).then(moves(OTHER, caller()));
    assert!(!taken(&world(batch), ROUTER, data()));
    let parts = |count: u8| (0..count).fold(recover(), |fills, n| fills.then(to(n)));
    assert!(
        !taken(&world(parts(3)), ROUTER, data()),
        "a price and two fees"
    );
    assert!(
        taken(&world(parts(6)), ROUTER, data()),
        "one voucher, six thieves"
    );
}

#[test]
fn the_signature_of_another_is_none_of_the_owners() {
    let own = order(7);
    let filled = world(recover().then(to_caller()));
    assert!(taken(&filled, ROUTER, fill(&own, ALICE, TOKEN)));
}

#[test]
fn a_contract_that_owns_it_is_asked() {
    let valid = |whom: Asm| ask(whom, "isValidSignature(bytes32,bytes)", &[arg(0)]);
    let order = order(7);
    let asked = world(valid(arg(4)).then(to_caller()));
    assert!(!taken(&asked, ROUTER, fill(&order, WALLET, TOKEN)));
    let six = (0..6).fold(valid(arg(4)), |fills, _| fills.then(to_caller()));
    assert!(taken(&world(six), ROUTER, fill(&order, WALLET, TOKEN)));
    // Whom the thief brings along says yes for himself alone.
    let other = world(valid(account(WALLET)).then(to_caller()));
    assert!(taken(&other, ROUTER, fill(&order, ALICE, TOKEN)));
}

#[test]
fn a_signature_counts_where_the_contract_or_whom_it_relies_on_asked() {
    let order = order(7);
    // A thief recovers what the owner signed long ago for something else.
    let mut theft = world(to_caller());
    let words: Vec<_> = (0..6).map(arg).collect();
    let robs = recover().then(call(account(ROUTER), FILL, &words));
    theft.place(HELPER, contract(&[(FILL, robs)], nothing()));
    let data = fill(&order, order.owner, TOKEN);
    assert!(taken(&theft, HELPER, data.clone()));
    // The market that it lets in does so by its calling.
    let names = look(load(word(3)));
    let mut market = world(names.then(to_caller()));
    let words: Vec<_> = (0..6).map(arg).collect();
    let sells = recover().then(call(account(ROUTER), FILL, &words));
    market.place(HELPER, contract(&[(FILL, sells)], nothing()));
    let helper = U256::from_be_slice(HELPER.as_slice());
    market.store(ROUTER, U256::from(3), helper);
    assert!(!taken(&market, HELPER, data.clone()));
    market.store(ROUTER, U256::from(3), U256::ZERO);
    assert!(taken(&market, HELPER, data.clone()));
    // As a conduit does, by a list of its own.
    let listed = look(load(entry(caller(), word(5))));
    let mut conduit = world(listed.then(to_caller()));
    let words: Vec<_> = (0..6).map(arg).collect();
    let sells = recover().then(call(account(ROUTER), FILL, &words));
    conduit.place(HELPER, contract(&[(FILL, sells)], nothing()));
    assert!(taken(&conduit, HELPER, data.clone()));
    let key = keccak256([HELPER.into_word().0, B256::from(U256::from(5)).0].concat());
    conduit.store(ROUTER, key.into(), U256::ONE);
    assert!(!taken(&conduit, HELPER, data));
}

#[test]
fn a_permit_that_a_named_token_checks_covers_nothing() {
    let order = order(7);
    let robbed = |checks: &'static str| {
        let words = [4, 4, 0, 0, 1, 2, 3].map(arg);
        let asks = call(load(word(3)), checks, &words);
        let mut world = world(asks.then(to_caller()));
        let recovers = look(signer(arg(2), arg(4), arg(5), arg(6)));
        world.place(HELPER, contract(&[(checks, recovers)], nothing()));
        let helper = U256::from_be_slice(HELPER.as_slice());
        world.store(ROUTER, U256::from(3), helper);
        taken(&world, ROUTER, fill(&order, order.owner, TOKEN))
    };
    for permit in [
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)",
        "permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)",
        "permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)",
        "permit(address,address,uint256,uint256,bytes)",
    ] {
        assert!(robbed(permit), "{permit}");
    }
    // What moves by a signature that it checks is another matter.
    assert!(!robbed(
        "order(address,address,uint256,uint256,uint8,bytes32,bytes32)"
    ));
}

#[test]
fn an_old_signature_that_anybody_has_checked_elsewhere_covers_nothing() {
    const CHECKS: &str = "check(bytes32,uint256,bytes32,bytes32)";
    let order = order(7);
    let thief = Address::repeat_byte(0x3c);
    let checked = |by: Address, before: bool, within: Asm| {
        let mut world = world(look(load(word(3))).then(within).then(to_caller()));
        let fills = contract(
            &[
                (CHECKS, recover()),
                (FILL, look(load(word(3))).then(to_caller())),
            ],
            nothing(),
        );
        world.place(HELPER, contract(&[(CHECKS, recover())], nothing()));
        if by == ROUTER {
            world.place(ROUTER, fills);
        }
        let helper = U256::from_be_slice(HELPER.as_slice());
        world.store(ROUTER, U256::from(3), helper);
        let words: Vec<_> = (0..6).map(arg).collect();
        let check = call(account(by), CHECKS, &words[..4]);
        let robs = call(account(ROUTER), FILL, &words);
        let both = match before {
            true => check.then(robs),
            false => robs.then(check),
        };
        world.place(thief, contract(&[(FILL, both)], nothing()));
        taken(&world, thief, fill(&order, order.owner, TOKEN))
    };
    for before in [true, false] {
        assert!(checked(ROUTER, before, nothing()), "by the contract");
        assert!(checked(HELPER, before, nothing()), "by whom it relies on");
    }
    // Where the contract has it checked on its way to what moves, it is an order.
    let words: Vec<_> = (0..4).map(arg).collect();
    let checks = call(account(HELPER), CHECKS, &words);
    assert!(!checked(HELPER, false, checks.clone()));
    let late = world(to_caller().then(recover()));
    assert!(taken(&late, ROUTER, fill(&order, order.owner, TOKEN)));
}

/// What comes of a fill where these contracts take part, each judged as if it were monitored.
fn judged(world: &World, data: &Bytes, contracts: &[Address]) -> Vec<Judgement> {
    let each = contracts.iter().map(|address| {
        let contract = MonitoredContract {
            name: "Protocol".into(),
            address: *address,
            ..MonitoredContract::default()
        };
        judge(&world.judge(MALLORY, ROUTER, 0, data.clone(), contract))
    });
    each.collect()
}

#[test]
fn an_order_that_is_filled_raises_no_alarm_for_whoever_takes_part() {
    const PERMIT2: Address = Address::repeat_byte(0x22);
    let order = order(7);
    let data = fill(&order, order.owner, TOKEN);
    let pays = || {
        call(
            account(OTHER),
            "transferFrom(address,address,uint256)",
            &[caller(), arg(4), word(AMOUNT)],
        )
    };
    let funded = |fills: Asm| {
        let mut world = world(fills);
        let taker = U256::from_be_slice(MALLORY.as_slice());
        world.store(OTHER, taker, U256::from(1_000));
        world
    };
    // Seaport, 0x, 1inch: the protocol recovers who signed, and moves both sides.
    let seaport = funded(recover().then(to_caller()).then(pays()));
    // UniswapX: the reactor has Permit2 do so, and pays.
    let words: Vec<_> = (0..5).map(arg).chain([caller()]).collect();
    let permitted = call(account(PERMIT2), FILL, &words);
    let mut uniswap = funded(permitted.then(pays()));
    let moves = recover().then(moves(TOKEN, arg(5)));
    uniswap.place(PERMIT2, contract(&[(FILL, moves)], nothing()));
    for (world, contracts) in [
        (&seaport, &[ROUTER][..]),
        (&uniswap, &[ROUTER, PERMIT2][..]),
    ] {
        for judgement in judged(world, &data, contracts) {
            assert!(
                !judgement.alarm && judgement.probability < 0.3,
                "{judgement:?}"
            );
        }
    }
    // Who had it validated before signed nothing here; but it is paid for.
    let validated = funded(to_caller().then(pays()));
    for judgement in judged(&validated, &data, &[ROUTER]) {
        assert!(judgement.probability < 0.7, "{judgement:?}");
    }
}
