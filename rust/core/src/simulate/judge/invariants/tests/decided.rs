//! What was decided before may be carried out, and what is decided on the way may not.

use super::assembler::{
    Asm, account, arg, call, contract, entry, hashed_arguments, load, look, nothing, pay, store,
    token, word,
};
use super::*;
use crate::config::MonitoredContract;

const SAFE: Address = Address::repeat_byte(0x5a);
const VOTES: Address = Address::repeat_byte(0x70);
const COIN: Address = Address::repeat_byte(0xc0);
const HELPER: Address = Address::repeat_byte(0xe1);
const EXECUTE: &str = "execute(address,uint256)";

fn of(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

fn severe(world: &World, contract: Address, from: Address, to: Address, data: Bytes) -> bool {
    let monitored = MonitoredContract {
        name: "Treasury".into(),
        address: contract,
        ..MonitoredContract::default()
    };
    let found = world.judge(from, to, 0, data, monitored);
    let outflow = named(&found, "outflow").expect("fires");
    outflow.severe
}

/// Operations by the hash of what they do, after two days; four ether of ten go to the first argument.
fn delayed(functions: &[(&str, Asm)]) -> World {
    after(172_800, functions)
}

fn after(delay: u64, functions: &[(&str, Asm)]) -> World {
    let mut world = World::new();
    let waits = ("getMinDelay()", assembler::returns(word(delay)));
    world.place(
        SAFE,
        contract(&[&[waits][..], functions].concat(), nothing()),
    );
    world.fund(SAFE, 10 * ETHER);
    world
}

fn operation() -> Asm {
    entry(hashed_arguments(2), word(1))
}

fn pays() -> Asm {
    pay(arg(0), arg(1))
}

fn four(to: Address) -> [U256; 2] {
    [of(to), U256::from(4 * ETHER)]
}

fn slot_of(words: &[U256]) -> U256 {
    let hash = keccak256(
        words
            .iter()
            .flat_map(U256::to_be_bytes::<32>)
            .collect::<Vec<_>>(),
    );
    keccak256([hash.0, U256::from(1).to_be_bytes::<32>()].concat()).into()
}

#[test]
fn an_operation_that_was_kept_by_its_hash_before_may_be_carried_out_by_anybody() {
    let executes = look(load(operation()))
        .then(store(operation(), word(0)))
        .then(pays());
    let mut world = delayed(&[(EXECUTE, executes)]);
    world.store(SAFE, slot_of(&four(ALICE)), U256::from(1_720_000_000));
    let execute = |to| encode(EXECUTE, &four(to));
    assert!(!severe(&world, SAFE, ADMIN, SAFE, execute(ALICE)));
    // Nobody decided this one.
    assert!(severe(&world, SAFE, MALLORY, SAFE, execute(MALLORY)));
    // Where nothing has to wait, it may have been left there a moment ago.
    let at_once = look(load(operation()))
        .then(store(operation(), word(0)))
        .then(pays());
    let mut hasty = after(0, &[(EXECUTE, at_once)]);
    hasty.store(SAFE, slot_of(&four(ALICE)), U256::from(1_720_000_000));
    assert!(severe(&hasty, SAFE, ADMIN, SAFE, execute(ALICE)));
    // By a contract that may have prepared something.
    let by_another = call(account(SAFE), EXECUTE, &[arg(0), arg(1)]);
    world.place(HELPER, contract(&[(EXECUTE, by_another)], nothing()));
    assert!(severe(&world, SAFE, MALLORY, HELPER, execute(ALICE)));
}

#[test]
fn what_is_decided_in_the_same_transaction_was_not_decided() {
    let at_once = store(operation(), word(1))
        .then(look(load(operation())))
        .then(pays());
    let world = delayed(&[(EXECUTE, at_once)]);
    assert!(severe(
        &world,
        SAFE,
        MALLORY,
        SAFE,
        encode(EXECUTE, &four(MALLORY))
    ));
}

/// The scenarios' governor: 60 % of the votes are Alice's, and a treasury of which 40 % are proposed for `to`.
fn governor(to: Address, voted: bool) -> (World, Address) {
    let mut world = World::new();
    let supply = ETHER;
    let votes = contract(
        &[
            ("balanceOf(address)", assembler::returns(load(arg(0)))),
            ("totalSupply()", assembler::returns(word(supply))),
        ],
        nothing(),
    );
    world.place(VOTES, votes);
    world.place(COIN, token());
    for voter in [ALICE, HELPER] {
        world.store(VOTES, of(voter), U256::from(supply / 10 * 6));
    }
    let governor = world.deploy(
        ADMIN,
        "../../../../tests/scenarios/artifacts/Governor",
        VOTES.into_word().as_slice(),
    );
    world.store(COIN, of(governor), U256::from(1_000));
    let pay = encode("transfer(address,uint256)", &[of(to), U256::from(400)]);
    let head = encode(
        "propose(address,bytes)",
        &[of(COIN), U256::from(64), U256::from(pay.len())],
    );
    let padded = [&head[..], &pay, &[0; 28]].concat();
    world.call(ALICE, governor, 0, padded.into());
    if voted {
        world.call(ALICE, governor, 0, encode("vote(uint256)", &[U256::ZERO]));
    }
    (world, governor)
}

#[test]
fn a_grant_that_was_proposed_and_voted_for_before_is_carried_out() {
    let (world, governor) = governor(MALLORY, true);
    let execute = encode("execute(uint256)", &[U256::ZERO]);
    assert!(!severe(&world, governor, ADMIN, governor, execute));
}

/// Votes for the first proposal and has it executed.
fn place_robber(world: &mut World, governor: Address) {
    let robs = call(account(governor), "vote(uint256)", &[word(0)]).then(call(
        account(governor),
        "execute(uint256)",
        &[word(0)],
    ));
    world.place(HELPER, contract(&[("rob()", robs)], nothing()));
}

#[test]
fn votes_of_the_moment_decide_nothing() {
    let (mut world, governor) = governor(MALLORY, false);
    place_robber(&mut world, governor);
    assert!(severe(
        &world,
        governor,
        MALLORY,
        HELPER,
        encode("rob()", &[])
    ));
}

#[test]
fn votes_of_the_moment_decide_nothing_by_code_of_whoever_signs_either() {
    let (mut world, governor) = governor(MALLORY, false);
    place_robber(&mut world, governor);
    world.store(VOTES, of(MALLORY), U256::from(ETHER / 10 * 6));
    // Set by EIP-7702.
    world.place(MALLORY, [&[0xef, 0x01, 0x00], HELPER.as_slice()].concat());
    let signer = world.state.accounts.entry(MALLORY).or_default();
    signer.info.nonce = 0;
    assert!(severe(
        &world,
        governor,
        MALLORY,
        MALLORY,
        encode("rob()", &[])
    ));
}

#[test]
fn what_stands_there_is_carried_out_and_nothing_else() {
    // Whom to call, what with, and the votes for it, in variables; what is done comes as arguments all the same.
    let text: U256 = keccak256(U256::from(6).to_be_bytes::<32>()).into();
    let reads = |n: u64| look(load(assembler::wide(text + U256::from(n))));
    let executes = look(load(word(5)))
        .then(look(load(word(7))))
        .then(reads(0))
        .then(reads(1))
        .then(reads(2))
        .then(call(
            load(word(5)),
            "transfer(address,uint256)",
            &[arg(0), arg(1)],
        ));
    let world = |votes: u64, to: Address| {
        let mut world = World::new();
        world.place(SAFE, contract(&[(EXECUTE, executes.clone())], nothing()));
        world.place(COIN, token());
        world.store(COIN, of(SAFE), U256::from(1_000));
        world.store(SAFE, U256::from(5), of(COIN));
        world.store(SAFE, U256::from(7), U256::from(votes));
        let call = encode("transfer(address,uint256)", &[of(to), U256::from(400)]);
        for (n, part) in (0_u64..).zip(call.chunks(32)) {
            let mut word = [0; 32];
            word[..part.len()].copy_from_slice(part);
            world.store(SAFE, text + U256::from(n), U256::from_be_bytes(word));
        }
        world
    };
    let execute = encode(EXECUTE, &[of(ALICE), U256::from(400)]);
    let check = |world: World| severe(&world, SAFE, ADMIN, SAFE, execute.clone());
    assert!(!check(world(3 * ETHER, ALICE)));
    assert!(check(world(0, ALICE)));
    // It says something else.
    assert!(check(world(3 * ETHER, MALLORY)));
}

#[test]
fn whom_a_decided_call_reaches_takes_no_more_than_was_decided() {
    // It was decided to call the helper, whose code may have become another since.
    const RUN: &str = "run(address,uint256)";
    let runs = look(load(operation())).then(call(arg(0), "done()", &[]));
    let hole = pay(arg(0), arg(1));
    let mut world = delayed(&[(RUN, runs), ("hole(address,uint256)", hole)]);
    let words = [of(HELPER), U256::from(1)];
    world.store(SAFE, slot_of(&words), U256::from(1_720_000_000));
    let robs = call(
        account(SAFE),
        "hole(address,uint256)",
        &[account(MALLORY), word(4 * ETHER)],
    );
    world.place(HELPER, contract(&[("done()", robs)], nothing()));
    assert!(severe(&world, SAFE, ADMIN, SAFE, encode(RUN, &words)));
}
