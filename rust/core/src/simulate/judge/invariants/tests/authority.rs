//! What leaves because somebody was allowed to, and who only seems so.

use super::assembler::{
    Asm, account, arg, ask, call, caller, contract, entry, load, look, nothing, pay, returns,
    signer, store, wide, word,
};
use super::*;
use crate::config::{MonitoredContract, WatchedAsset};
use alloy_consensus::crypto::secp256k1::{recover_signer, sign_message};
use alloy_primitives::B256;

const SAFE: Address = Address::repeat_byte(0x5a);
const LENDER: Address = Address::repeat_byte(0x1e);
const HELPER: Address = Address::repeat_byte(0xe1);

fn monitored() -> MonitoredContract {
    MonitoredContract {
        name: "Safe".into(),
        address: SAFE,
        ..MonitoredContract::default()
    }
}

fn safe(functions: &[(&str, Asm)]) -> World {
    let mut world = World::new();
    world.place(SAFE, contract(functions, nothing()));
    world.fund(SAFE, 10 * ETHER);
    world
}

fn severe(world: &World, from: Address, to: Address, data: Bytes) -> bool {
    let found = world.judge(from, to, 0, data, monitored());
    let outflow = named(&found, "outflow").expect("fires");
    assert_eq!(
        judge(&found).alarm,
        outflow.severe,
        "{}",
        outflow.explanation
    );
    outflow.severe
}

fn owned() -> U256 {
    U256::from_be_slice(ADMIN.as_slice())
}

#[test]
fn whom_a_variable_named_before_may_take_it_and_who_writes_himself_there_may_not() {
    let sweeps = look(load(word(3))).then(pay(caller(), arg(0)));
    let seize = store(word(3), caller());
    let mut world = safe(&[
        ("sweep(uint256)", sweeps.clone()),
        ("seize(uint256)", seize.then(sweeps)),
    ]);
    world.store(SAFE, U256::from(3), owned());
    let all = [U256::from(10 * ETHER)];
    assert!(!severe(&world, ADMIN, SAFE, encode("sweep(uint256)", &all)));
    assert!(severe(
        &world,
        MALLORY,
        SAFE,
        encode("sweep(uint256)", &all)
    ));
    assert!(severe(
        &world,
        MALLORY,
        SAFE,
        encode("seize(uint256)", &all)
    ));
}

#[test]
fn a_yes_for_the_caller_counts_where_the_contract_keeps_nothing_else_for_anybody() {
    let owners = || look(load(entry(caller(), word(4))));
    let sweeps = || pay(caller(), arg(0));
    let books = look(load(entry(account(ALICE), word(5))));
    let mut world = safe(&[
        ("sweep(uint256)", owners().then(sweeps())),
        ("withdraw(uint256)", owners().then(books).then(sweeps())),
    ]);
    let of = |who: Address| {
        let words = [who.into_word().0, B256::from(U256::from(4)).0];
        U256::from_be_bytes(keccak256(words.concat()).0)
    };
    world.store(SAFE, of(ADMIN), U256::ONE);
    let all = [U256::from(10 * ETHER)];
    let sweep = || encode("sweep(uint256)", &all);
    assert!(!severe(&world, ADMIN, SAFE, sweep()));
    assert!(severe(&world, MALLORY, SAFE, sweep()));
    // There it may be the yes of a user.
    let withdraw = encode("withdraw(uint256)", &all);
    assert!(severe(&world, ADMIN, SAFE, withdraw));
}

#[test]
fn a_lender_that_is_named_calls_back_for_anybody() {
    // The safe pays whoever a loan was for, when its lender calls.
    let borrowed = look(load(word(3))).then(pay(arg(0), word(8 * ETHER)));
    let mut world = safe(&[("borrowed(address)", borrowed)]);
    world.store(SAFE, U256::from(3), U256::from_be_slice(LENDER.as_slice()));
    let lends = call(account(SAFE), "borrowed(address)", &[arg(0)]);
    world.place(LENDER, contract(&[("flash(address)", lends)], nothing()));
    let robs = call(account(LENDER), "flash(address)", &[caller()]);
    world.place(HELPER, contract(&[("rob()", robs)], nothing()));
    assert!(severe(&world, MALLORY, HELPER, encode("rob()", &[])));
    // Its own user calls it himself.
    let own = encode("flash(address)", &[U256::from_be_slice(ALICE.as_slice())]);
    assert!(!severe(&world, ALICE, LENDER, own));
}

#[test]
fn what_it_pays_when_called_back_is_for_whoever_had_it_call_there() {
    // The safe buys at a market, which asks it to pay; whoever signs must be its owner.
    let buys = look(load(word(3))).then(call(arg(0), "swap()", &[]));
    let mut world = safe(&[
        ("buy(address)", buys),
        ("owed(uint256)", pay(caller(), arg(0))),
    ]);
    world.store(SAFE, U256::from(3), owned());
    let swap = call(caller(), "owed(uint256)", &[word(8 * ETHER)]);
    world.place(LENDER, contract(&[("swap()", swap.clone())], nothing()));
    let buy = encode("buy(address)", &[U256::from_be_slice(LENDER.as_slice())]);
    assert!(!severe(&world, ADMIN, SAFE, buy.clone()));
    assert!(severe(&world, MALLORY, SAFE, buy.clone()));
    // Nobody had it call: its owner was led to who robs it, at once or by way of the market.
    let robs = || call(account(SAFE), "owed(uint256)", &[word(8 * ETHER)]);
    let led = call(account(HELPER), "rob()", &[]);
    world.place(HELPER, contract(&[("rob()", robs())], nothing()));
    world.place(LENDER, contract(&[("swap()", led)], nothing()));
    assert!(severe(&world, ADMIN, HELPER, encode("rob()", &[])));
    assert!(severe(&world, ADMIN, SAFE, buy));
}

#[test]
fn a_signature_of_whom_it_knows_allows_it_once() {
    let message = keccak256("pay 4 ether");
    let signature = sign_message(B256::repeat_byte(7), message).expect("signs");
    let person = recover_signer(&signature, message).expect("its own");
    let v = U256::from(27 + u64::from(signature.v()));
    let pays = || {
        look(load(entry(signer(arg(0), arg(1), arg(2), arg(3)), word(1))))
            .then(pay(caller(), word(4 * ETHER)))
    };
    let mut world = safe(&[
        ("once(bytes32,uint256,bytes32,bytes32)", pays()),
        (
            "twice(bytes32,uint256,bytes32,bytes32)",
            pays().then(pays()),
        ),
    ]);
    let words = [message.into(), v, signature.r(), signature.s()];
    let once = encode("once(bytes32,uint256,bytes32,bytes32)", &words);
    let twice = encode("twice(bytes32,uint256,bytes32,bytes32)", &words);
    assert!(severe(&world, ALICE, SAFE, once.clone()));
    let place = B256::from(U256::from(1));
    let registered = keccak256([person.into_word().0, place.0].concat());
    world.store(SAFE, registered.into(), U256::ONE);
    assert!(!severe(&world, ALICE, SAFE, once.clone()));
    assert!(severe(&world, ALICE, SAFE, twice));
    // A balance of one's own is no permission.
    world.store(SAFE, registered.into(), U256::from(5 * ETHER));
    assert!(severe(&world, ALICE, SAFE, once));
}

#[test]
fn a_root_that_it_held_proves_who_is_paid() {
    // The leaf is who and how much, beside its neighbour in the tree.
    let leaf = entry(caller(), arg(0));
    let root = entry(leaf, arg(1));
    let claim = look(root)
        .then(look(load(word(2))))
        .then(pay(caller(), arg(0)));
    let mut world = safe(&[("claim(uint256,bytes32)", claim)]);
    let pair = |a: B256, b: B256| keccak256([a.0, b.0].concat());
    let amount = U256::from(9 * ETHER);
    let neighbour = B256::repeat_byte(0x77);
    let root = pair(pair(ALICE.into_word(), amount.into()), neighbour);
    world.store(SAFE, U256::from(2), root.into());
    let claim = encode("claim(uint256,bytes32)", &[amount, neighbour.into()]);
    assert!(!severe(&world, ALICE, SAFE, claim.clone()));
    assert!(severe(&world, MALLORY, SAFE, claim));
}

#[test]
fn who_is_in_the_tree_proves_nothing_by_hashing_it_himself() {
    let hole = look(load(word(2))).then(pay(arg(0), arg(1)));
    let mut world = safe(&[("hole(address,uint256)", hole)]);
    let root = entry(entry(caller(), arg(0)), arg(1));
    let robs = look(root).then(call(
        account(SAFE),
        "hole(address,uint256)",
        &[caller(), arg(0)],
    ));
    world.place(
        HELPER,
        contract(&[("rob(uint256,bytes32)", robs)], nothing()),
    );
    let pair = |a: B256, b: B256| keccak256([a.0, b.0].concat());
    let amount = U256::from(9 * ETHER);
    let neighbour = B256::repeat_byte(0x77);
    let root = pair(pair(ALICE.into_word(), amount.into()), neighbour);
    world.store(SAFE, U256::from(2), root.into());
    let rob = encode("rob(uint256,bytes32)", &[amount, neighbour.into()]);
    assert!(severe(&world, ALICE, HELPER, rob));
}

#[test]
fn who_is_in_a_list_is_not_named_by_it() {
    // Whoever joined is in the list of the eighth variable; the compiler knows where it lies.
    let member: U256 = keccak256(U256::from(8).to_be_bytes::<32>()).into();
    let member = member + U256::from(40);
    let sweeps = look(load(wide(member))).then(pay(caller(), arg(0)));
    let mut world = safe(&[("sweep(uint256)", sweeps)]);
    world.store(SAFE, member, U256::from_be_slice(MALLORY.as_slice()));
    let all = encode("sweep(uint256)", &[U256::from(10 * ETHER)]);
    assert!(severe(&world, MALLORY, SAFE, all));
}

#[test]
fn whom_it_names_may_take_no_more_than_the_owners_own_limit() {
    let sweeps = look(load(word(3))).then(pay(caller(), arg(0)));
    let mut world = safe(&[("sweep(uint256)", sweeps)]);
    world.store(SAFE, U256::from(3), owned());
    let sweep = |ether: u64| {
        let mut contract = monitored();
        let limit = (WatchedAsset::Native, U256::from(5 * ETHER));
        contract.invariants.outflow.amounts = [limit].into();
        let data = encode("sweep(uint256)", &[U256::from(ether * ETHER)]);
        let found = world.judge(ADMIN, SAFE, 0, data, contract);
        (
            named(&found, "outflow").map(|outflow| outflow.severe),
            judge(&found).alarm,
        )
    };
    // The keys may be stolen.
    assert_eq!(sweep(6), (Some(true), true));
    assert_eq!(sweep(4), (Some(false), false));
}

#[test]
fn a_signature_of_nobody_beside_a_good_one_allows_nothing() {
    let message = keccak256("pay 4 ether");
    let signature = sign_message(B256::repeat_byte(7), message).expect("signs");
    let person = recover_signer(&signature, message).expect("its own");
    let known = |signer: Asm| look(load(entry(signer, word(1))));
    let pays = known(signer(arg(0), arg(1), arg(2), arg(3)))
        .then(known(signer(arg(0), arg(4), arg(2), arg(3))))
        .then(pay(caller(), word(4 * ETHER)));
    const RELEASE: &str = "release(bytes32,uint256,bytes32,bytes32,uint256)";
    let mut world = safe(&[(RELEASE, pays)]);
    let place = B256::from(U256::from(1));
    let registered = keccak256([person.into_word().0, place.0].concat());
    world.store(SAFE, registered.into(), U256::ONE);
    let v = U256::from(27 + u64::from(signature.v()));
    let other = U256::from(28 - u64::from(signature.v()));
    let release = |second: U256| {
        let words = [message.into(), v, signature.r(), signature.s(), second];
        severe(&world, ALICE, SAFE, encode(RELEASE, &words))
    };
    // No number of a signature recovers nobody; the other one somebody unknown, as a user beside an operator is.
    assert!(release(U256::ZERO));
    assert!(!release(other));
}

#[test]
fn a_settlement_pays_from_its_buffer_for_a_solver_whom_its_list_vouches_for() {
    const SOLVERS: Address = Address::repeat_byte(0x50);
    let settles = ask(load(word(3)), "isSolver(address)", &[caller()]).then(pay(arg(0), arg(1)));
    let careless = look(load(word(3))).then(pay(arg(0), arg(1)));
    let mut world = safe(&[
        ("settle(address,uint256)", settles),
        ("careless(address,uint256)", careless),
    ]);
    let solver = returns(load(arg(0)));
    world.place(
        SOLVERS,
        contract(&[("isSolver(address)", solver)], nothing()),
    );
    world.store(SAFE, U256::from(3), U256::from_be_slice(SOLVERS.as_slice()));
    world.store(SOLVERS, owned(), U256::ONE);
    let words = [U256::from_be_slice(ALICE.as_slice()), U256::from(4 * ETHER)];
    let settle = encode("settle(address,uint256)", &words);
    assert!(!severe(&world, ADMIN, SAFE, settle.clone()));
    // Who is on no list, and where nobody looks.
    assert!(severe(&world, MALLORY, SAFE, settle));
    let careless = encode("careless(address,uint256)", &words);
    assert!(severe(&world, ADMIN, SAFE, careless));
}
