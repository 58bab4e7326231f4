//! Whom the contract relies on, what runs as it, and what it alone may command.

use super::assembler::{
    Asm, account, arg, ask, call, caller, contract, delegate, entry, load, look, nothing, pay,
    store, wide, word,
};
use super::*;
use crate::config::MonitoredContract;
use alloy_primitives::B256;

const INBOX: Address = Address::repeat_byte(0x1b);
const BRIDGE: Address = Address::repeat_byte(0xb4);
const OTHER: Address = Address::repeat_byte(0x07);

fn monitored() -> MonitoredContract {
    MonitoredContract {
        name: "Inbox".into(),
        address: INBOX,
        ..MonitoredContract::default()
    }
}

fn word_of(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

fn slot(key: impl Into<B256>, place: u64) -> U256 {
    let place = B256::from(U256::from(place));
    keccak256([key.into().0, place.0].concat()).into()
}

fn inbox(functions: &[(&str, Asm)]) -> World {
    let mut world = World::new();
    world.place(INBOX, contract(functions, nothing()));
    for address in [BRIDGE, OTHER] {
        world.place(address, contract(&[], nothing()));
    }
    world
}

fn found(world: &World, from: Address, to: Address, data: Bytes, check: &str) -> Option<bool> {
    let found = world.judge(from, to, 0, data, monitored());
    named(&found, check).map(|violation| violation.severe)
}

#[test]
fn a_stranger_who_puts_another_contract_in_place_of_the_one_relied_on_rewires_it() {
    let open = store(word(1), arg(0));
    let guarded = look(load(word(0))).then(open.clone());
    let mut world = inbox(&[("initialize(address)", open), ("set(address)", guarded)]);
    world.store(INBOX, U256::from(1), word_of(BRIDGE));
    let put = |function: &str, what| encode(function, &[word_of(what)]);
    let severe = |from, function, what| found(&world, from, INBOX, put(function, what), "rewiring");
    assert_eq!(severe(MALLORY, "initialize(address)", OTHER), Some(true));
    // The next of a line writes himself there.
    assert_eq!(severe(MALLORY, "initialize(address)", MALLORY), Some(false));
    // Who stood there was a person, and nothing was relied on.
    let mut line = world_with(&world, INBOX, U256::from(1), word_of(ALICE));
    assert_eq!(
        found(
            &line,
            MALLORY,
            INBOX,
            put("initialize(address)", OTHER),
            "rewiring"
        ),
        None
    );
    // The contract names its owner, and looks.
    line = world_with(&world, INBOX, U256::from(0), word_of(ADMIN));
    assert_eq!(
        found(&line, ADMIN, INBOX, put("set(address)", OTHER), "rewiring"),
        None
    );
    assert_eq!(
        found(
            &line,
            MALLORY,
            INBOX,
            put("set(address)", OTHER),
            "rewiring"
        ),
        Some(true)
    );
}

fn world_with(_: &World, address: Address, place: U256, value: U256) -> World {
    let open = store(word(1), arg(0));
    let guarded = look(load(word(0))).then(open.clone());
    let mut world = inbox(&[("initialize(address)", open), ("set(address)", guarded)]);
    world.store(INBOX, U256::from(1), word_of(BRIDGE));
    world.store(address, place, value);
    world
}

#[test]
fn everybodys_own_choice_and_a_source_by_asset_are_told_apart() {
    let choose = store(entry(caller(), word(1)), arg(0));
    let source = store(entry(account(OTHER), word(1)), arg(0));
    let mut world = inbox(&[("choose(address)", choose), ("source(address)", source)]);
    world.store(INBOX, slot(ALICE.into_word(), 1), word_of(BRIDGE));
    world.store(INBOX, slot(OTHER.into_word(), 1), word_of(BRIDGE));
    let to_other = |function| encode(function, &[word_of(OTHER)]);
    assert_eq!(
        found(
            &world,
            ALICE,
            INBOX,
            to_other("choose(address)"),
            "rewiring"
        ),
        None
    );
    assert_eq!(
        found(
            &world,
            ALICE,
            INBOX,
            to_other("source(address)"),
            "rewiring"
        ),
        Some(true)
    );
}

#[test]
fn code_that_the_contract_did_not_know_must_not_run_as_it() {
    let runs = delegate(arg(0), "go()");
    let known = look(load(word(1))).then(runs.clone());
    let owned = look(load(word(0))).then(runs.clone());
    let mut world = inbox(&[
        ("any(address)", runs),
        ("own(address)", known),
        ("owned(address)", owned),
    ]);
    world.store(INBOX, U256::from(1), word_of(BRIDGE));
    world.store(INBOX, U256::from(0), word_of(ADMIN));
    let of = |function, what| encode(function, &[word_of(what)]);
    let check = |from, data| found(&world, from, INBOX, data, "foreign_code");
    assert_eq!(check(MALLORY, of("any(address)", OTHER)), Some(true));
    assert_eq!(check(MALLORY, of("own(address)", BRIDGE)), None);
    assert_eq!(check(MALLORY, of("own(address)", OTHER)), Some(true));
    assert_eq!(check(ADMIN, of("owned(address)", OTHER)), None);
    // It may name whom it likes.
    world.place(OTHER, contract(&[], look(account(MALLORY))));
    let named = of("any(address)", OTHER);
    assert_eq!(
        found(&world, MALLORY, INBOX, named, "foreign_code"),
        Some(true)
    );
}

#[test]
fn who_is_in_a_list_that_was_looked_up_may_have_any_code_run() {
    let list = U256::from_be_bytes(keccak256(U256::from(4).to_be_bytes::<32>()).0);
    let run = || delegate(arg(0), "go()");
    let mut world = inbox(&[
        ("listed(address)", look(load(wide(list))).then(run())),
        (
            "counted(address)",
            look(load(word(4))).then(look(load(wide(list)))).then(run()),
        ),
        (
            "owned(address)",
            look(load(entry(word(7), word(5)))).then(run()),
        ),
        ("any(address)", run()),
    ]);
    world.store(INBOX, list, U256::from_be_slice(ALICE.as_slice()));
    let check = |world: &World, who, signature| {
        let data = encode(signature, &[U256::from_be_slice(OTHER.as_slice())]);
        found(world, who, INBOX, data, "foreign_code")
    };
    assert_eq!(
        check(&world, ALICE, "listed(address)"),
        Some(true),
        "of no known length"
    );
    world.store(INBOX, U256::from(4), U256::from(33));
    assert_eq!(
        check(&world, ALICE, "counted(address)"),
        Some(true),
        "anybody may be in it"
    );
    world.store(INBOX, U256::from(4), U256::from(2));
    assert_eq!(check(&world, ALICE, "counted(address)"), None);
    assert_eq!(check(&world, MALLORY, "counted(address)"), Some(true));
    assert_eq!(check(&world, ALICE, "any(address)"), Some(true));
    // Whoever owns a number is in no list.
    world.store(INBOX, slot(U256::from(7), 5), word_of(ALICE));
    assert_eq!(check(&world, ALICE, "owned(address)"), Some(true));
}

#[test]
fn what_foreign_code_or_calldata_has_it_read_names_nobody() {
    // A number is anybody's: whose it is was worked out beforehand.
    let theirs = slot(MALLORY.into_word(), 6);
    let any = || delegate(arg(0), "go()");
    let mut world = inbox(&[
        ("any(address)", any()),
        ("read(address,uint256)", look(load(arg(1))).then(any())),
    ]);
    world.store(INBOX, theirs, word_of(MALLORY));
    let go = look(load(wide(theirs)));
    world.place(OTHER, contract(&[("go()", go)], nothing()));
    let other = word_of(OTHER);
    let check = |data| found(&world, MALLORY, INBOX, data, "foreign_code");
    assert_eq!(check(encode("any(address)", &[other])), Some(true));
    assert_eq!(
        check(encode("read(address,uint256)", &[other, theirs])),
        Some(true)
    );
}

#[test]
fn a_registry_that_the_contract_names_may_vouch_for_code_and_a_strangers_may_not() {
    let runs = |registry| ask(registry, "valid(address)", &[arg(0)]).then(delegate(arg(0), "go()"));
    let mut world = inbox(&[
        ("named(address)", runs(load(word(1)))),
        ("told(address,address)", runs(arg(1))),
    ]);
    let yes = super::assembler::returns(word(1));
    for registry in [BRIDGE, MALLORY_OWN] {
        world.place(
            registry,
            contract(&[("valid(address)", yes.clone())], nothing()),
        );
    }
    world.store(INBOX, U256::from(1), word_of(BRIDGE));
    let named = encode("named(address)", &[word_of(OTHER)]);
    let told = encode(
        "told(address,address)",
        &[word_of(OTHER), word_of(MALLORY_OWN)],
    );
    assert_eq!(found(&world, MALLORY, INBOX, named, "foreign_code"), None);
    assert_eq!(
        found(&world, MALLORY, INBOX, told, "foreign_code"),
        Some(true)
    );
}

#[test]
fn code_that_callers_keep_for_themselves_is_none_of_its_own() {
    let runs = |key| delegate(load(entry(key, word(4))), "go()");
    let mut world = inbox(&[
        ("mine()", runs(caller())),
        ("numbered(uint256)", runs(arg(0))),
    ]);
    world.store(
        INBOX,
        slot(U256::from_be_slice(MALLORY.as_slice()), 4),
        word_of(OTHER),
    );
    world.store(INBOX, slot(U256::from(7), 4), word_of(OTHER));
    let check = |data| found(&world, MALLORY, INBOX, data, "foreign_code");
    assert_eq!(check(encode("mine()", &[])), Some(true));
    assert_eq!(check(encode("numbered(uint256)", &[U256::from(7)])), None);
}

const MALLORY_OWN: Address = Address::repeat_byte(0x3b);

#[test]
fn a_proposal_may_pay_and_must_not_write_what_somebody_has() {
    // Proposals by number; what is voted for runs as the contract.
    let execute = delegate(load(entry(arg(0), word(1))), "go()");
    let mut world = inbox(&[("execute(uint256)", execute)]);
    world.fund(INBOX, 10 * ETHER);
    world.store(INBOX, slot(U256::from(7), 1), word_of(BRIDGE));
    world.store(INBOX, slot(U256::from(8), 1), word_of(OTHER));
    let grant = pay(account(ALICE), word(ETHER));
    let votes = store(entry(account(MALLORY), word(2)), word(1_000_000));
    world.place(BRIDGE, contract(&[("go()", grant)], nothing()));
    world.place(OTHER, contract(&[("go()", votes)], nothing()));
    let execute = |number: u64| encode("execute(uint256)", &[U256::from(number)]);
    assert_eq!(
        found(&world, MALLORY, INBOX, execute(7), "foreign_code"),
        None
    );
    assert_eq!(
        found(&world, MALLORY, INBOX, execute(8), "foreign_code"),
        Some(true)
    );
}

#[test]
fn a_message_must_not_command_what_obeys_the_contract_alone() {
    // A manager calls what its messages say; its data store obeys it.
    let runs = look(load(word(1))).then(call(arg(0), "put(uint256)", &[arg(1)]));
    let own = call(load(word(1)), "put(uint256)", &[arg(0)]);
    let mut world = inbox(&[("run(address,uint256)", runs), ("own(uint256)", own)]);
    world.store(INBOX, U256::from(1), word_of(BRIDGE));
    let put = look(load(word(0))).then(store(word(5), arg(0)));
    for target in [BRIDGE, OTHER] {
        world.place(
            target,
            contract(&[("put(uint256)", put.clone())], nothing()),
        );
    }
    world.store(BRIDGE, U256::from(0), word_of(INBOX));
    let run = |target| encode("run(address,uint256)", &[word_of(target), U256::from(9)]);
    let check = |data| found(&world, MALLORY, INBOX, data, "confused_deputy");
    assert_eq!(check(run(BRIDGE)), Some(true));
    assert_eq!(check(run(OTHER)), None);
    assert_eq!(check(encode("own(uint256)", &[U256::from(9)])), None);
}
