//! What leaves because somebody was allowed to, and who only seems so.

use super::assembler::{
    Asm, account, arg, ask, call, caller, contract, delegate, entry, load, look, nothing, pay,
    returns, signer, store, token, wide, word,
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

/// A signature over a message, as four words, and who signed.
fn signature() -> ([U256; 4], Address) {
    let message = keccak256("pay");
    let signature = sign_message(B256::repeat_byte(7), message).expect("signs");
    let person = recover_signer(&signature, message).expect("its own");
    let v = U256::from(27 + u64::from(signature.v()));
    let words = [message.into(), v, signature.r(), signature.s()];
    (words, person)
}

/// Looks whether who signed has a yes of the first mapping's.
fn checks() -> Asm {
    look(load(entry(signer(arg(0), arg(1), arg(2), arg(3)), word(1))))
}

fn registers(world: &mut World, person: Address) {
    let place = B256::from(U256::from(1));
    let slot = keccak256([person.into_word().0, place.0].concat());
    world.store(SAFE, slot.into(), U256::ONE);
}

#[test]
fn what_was_verified_once_pays_once_and_a_fee_beside_it() {
    let pays = |wei: u64| pay(caller(), word(wei));
    let six = (0..6).fold(checks(), |paid, _| paid.then(pays(ETHER)));
    let fee = checks().then(pays(4 * ETHER)).then(pays(ETHER / 10));
    let three = checks()
        .then(pays(4 * ETHER))
        .then(pays(ETHER))
        .then(pays(2 * ETHER));
    let many = checks()
        .then(pay(account(ALICE), word(2 * ETHER)))
        .then(pay(account(ADMIN), word(2 * ETHER)));
    let mut world = safe(&[
        ("six(bytes32,uint256,bytes32,bytes32)", six),
        ("fee(bytes32,uint256,bytes32,bytes32)", fee),
        ("three(bytes32,uint256,bytes32,bytes32)", three),
        ("many(bytes32,uint256,bytes32,bytes32)", many),
    ]);
    let (words, person) = signature();
    registers(&mut world, person);
    let check = |name: &str| {
        let data = encode(&format!("{name}(bytes32,uint256,bytes32,bytes32)"), &words);
        severe(&world, MALLORY, SAFE, data)
    };
    assert!(check("six") && check("three"));
    assert!(!check("fee") && !check("many"));
}

#[test]
fn a_signature_answers_for_the_call_it_was_verified_in_alone() {
    let mut world = safe(&[
        (
            "pay(bytes32,uint256,bytes32,bytes32)",
            checks().then(pay(caller(), word(ETHER))),
        ),
        ("hole(uint256)", pay(caller(), arg(0))),
    ]);
    let (words, person) = signature();
    registers(&mut world, person);
    let own: Vec<_> = (0..4).map(arg).collect();
    let voucher = call(account(SAFE), "pay(bytes32,uint256,bytes32,bytes32)", &own);
    let robs = voucher
        .clone()
        .then(call(account(SAFE), "hole(uint256)", &[word(8 * ETHER)]));
    world.place(
        HELPER,
        contract(&[("rob(bytes32,uint256,bytes32,bytes32)", robs)], nothing()),
    );
    let rob = encode("rob(bytes32,uint256,bytes32,bytes32)", &words);
    assert!(severe(&world, MALLORY, HELPER, rob));
}

#[test]
fn what_the_signer_has_run_pays_as_often_as_it_says() {
    const RUN: &str = "run(bytes32,uint256,bytes32,bytes32,address)";
    let deposits = (0..6).fold(nothing(), |paid, _| {
        paid.then(pay(account(ALICE), word(ETHER)))
    });
    let runs = checks().then(delegate(arg(4), "go()"));
    let mut world = safe(&[(RUN, look(load(word(3))).then(runs))]);
    world.place(HELPER, contract(&[("go()", deposits)], nothing()));
    let (words, person) = signature();
    registers(&mut world, person);
    let helper = U256::from_be_slice(HELPER.as_slice());
    let run = encode(RUN, &[&words[..], &[helper]].concat());
    assert!(!severe(&world, MALLORY, SAFE, run.clone()));
    // Its own code does not become the signer's by standing in the calldata.
    world.store(SAFE, U256::from(3), helper);
    assert!(severe(&world, MALLORY, SAFE, run));
}

#[test]
fn a_contract_that_it_knows_signs_by_saying_yes() {
    let valid = ask(arg(0), "isValidSignature(bytes32,bytes)", &[arg(1)]);
    let pays = valid.then(pay(caller(), word(4 * ETHER)));
    let knows = look(load(word(3))).then(pays.clone());
    let mut world = safe(&[
        ("known(address,bytes32)", knows),
        ("told(address,bytes32)", pays),
    ]);
    let yes = U256::from_be_slice(&selector("isValidSignature(bytes32,bytes)")) << 224;
    let wallet = contract(
        &[("isValidSignature(bytes32,bytes)", returns(wide(yes)))],
        nothing(),
    );
    world.place(LENDER, wallet.clone());
    world.place(HELPER, wallet);
    world.store(SAFE, U256::from(3), U256::from_be_slice(LENDER.as_slice()));
    let by = |function: &str, who: Address| {
        let words = [U256::from_be_slice(who.as_slice()), U256::from(99)];
        severe(&world, MALLORY, SAFE, encode(function, &words))
    };
    assert!(!by("known(address,bytes32)", LENDER));
    assert!(by("known(address,bytes32)", HELPER), "the thief's own");
    assert!(
        by("told(address,bytes32)", LENDER),
        "it never looked whom it knows"
    );
}

#[test]
fn whom_it_says_itself_are_its_owners_and_modules_may_take_it() {
    let kept = |place: u64| load(entry(arg(0), word(place)));
    let sweep = || pay(caller(), arg(0));
    let joins = store(entry(caller(), word(4)), word(1));
    let mut world = safe(&[
        ("isOwner(address)", returns(kept(4))),
        ("isModuleEnabled(address)", returns(kept(5))),
        ("sweep(uint256)", sweep()),
        ("join(uint256)", joins.then(sweep())),
    ]);
    let run = call(account(SAFE), "sweep(uint256)", &[arg(0)]);
    world.place(HELPER, contract(&[("run(uint256)", run)], nothing()));
    let all = [U256::from(10 * ETHER)];
    let (sweep, join) = (
        encode("sweep(uint256)", &all),
        encode("join(uint256)", &all),
    );
    let run = encode("run(uint256)", &all);
    assert!(severe(&world, ADMIN, SAFE, sweep.clone()));
    assert!(severe(&world, ALICE, HELPER, run.clone()));
    for (who, place) in [(ADMIN, 4_u64), (HELPER, 5)] {
        let words = [who.into_word().0, B256::from(U256::from(place)).0];
        world.store(SAFE, keccak256(words.concat()).into(), U256::ONE);
    }
    assert!(!severe(&world, ADMIN, SAFE, sweep.clone()));
    assert!(!severe(&world, ALICE, HELPER, run));
    assert!(severe(&world, MALLORY, SAFE, sweep));
    assert!(severe(&world, MALLORY, SAFE, join), "since this very call");
}

#[test]
fn whom_it_names_may_vouch_for_a_caller() {
    let asks = |whom: Asm, question: &str| ask(whom, question, &[caller()]);
    let sweep = || pay(caller(), arg(0));
    let named = || load(word(3));
    let mut world = safe(&[
        (
            "named(uint256)",
            asks(named(), "may(address)").then(sweep()),
        ),
        (
            "told(uint256,address)",
            asks(arg(1), "may(address)").then(sweep()),
        ),
        (
            "held(uint256)",
            asks(named(), "balanceOf(address)").then(sweep()),
        ),
    ]);
    let yes = || returns(word(1));
    let registry = |may: Asm| {
        contract(
            &[("may(address)", may), ("balanceOf(address)", yes())],
            nothing(),
        )
    };
    world.place(LENDER, registry(yes()));
    world.place(HELPER, registry(yes()));
    world.store(SAFE, U256::from(3), U256::from_be_slice(LENDER.as_slice()));
    let all = U256::from(10 * ETHER);
    let helper = U256::from_be_slice(HELPER.as_slice());
    let named = encode("named(uint256)", &[all]);
    assert!(!severe(&world, ALICE, SAFE, named.clone()));
    let told = encode("told(uint256,address)", &[all, helper]);
    assert!(
        severe(&world, MALLORY, SAFE, told),
        "a registry of the thief's"
    );
    let held = encode("held(uint256)", &[all]);
    assert!(
        severe(&world, MALLORY, SAFE, held),
        "one of a token is no yes"
    );
    world.place(LENDER, registry(returns(word(0))));
    assert!(severe(&world, MALLORY, SAFE, named), "it said no");
}

#[test]
fn what_came_by_mistake_goes_to_whom_it_names_and_nowhere_else() {
    let sends = |token: Asm, to: Asm| call(token, "transfer(address,uint256)", &[to, word(900)]);
    let named = || load(word(3));
    let mut world = safe(&[
        ("rescue(address)", sends(arg(0), named())),
        ("send(address,address)", sends(arg(0), arg(1))),
        ("own()", sends(load(word(5)), named())),
    ]);
    for coin in [LENDER, HELPER] {
        world.place(coin, token());
        let safe = U256::from_be_slice(SAFE.as_slice());
        world.store(coin, safe, U256::from(1_000));
    }
    world.store(SAFE, U256::from(3), owned());
    world.store(SAFE, U256::from(5), U256::from_be_slice(HELPER.as_slice()));
    let of = |account: Address| U256::from_be_slice(account.as_slice());
    let rescue = encode("rescue(address)", &[of(LENDER)]);
    assert!(!severe(&world, ALICE, SAFE, rescue));
    let send = encode("send(address,address)", &[of(LENDER), of(MALLORY)]);
    assert!(severe(&world, MALLORY, SAFE, send));
    assert!(
        severe(&world, MALLORY, SAFE, encode("own()", &[])),
        "it is its own"
    );
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

#[test]
fn hashes_of_one_thing_twice_are_gone_down_once() {
    let last = || load(word(7));
    let hashes = (0..64).fold(look(load(word(2))), |hashed, _| {
        hashed.then(store(word(7), entry(last(), last())))
    });
    let mut world = safe(&[("claim(uint256)", hashes.then(pay(caller(), arg(0))))]);
    let pair = |hash: B256| keccak256([hash.0, hash.0].concat());
    let leaf = B256::repeat_byte(0x77);
    let root = (0..64).fold(leaf, |hash, _| pair(hash));
    world.store(SAFE, U256::from(7), leaf.into());
    world.store(SAFE, U256::from(2), root.into());
    let claim = encode("claim(uint256)", &[U256::from(9 * ETHER)]);
    let begun = std::time::Instant::now();
    assert!(severe(&world, MALLORY, SAFE, claim));
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
}
