use super::assembler::*;
use super::*;
use crate::config::MonitoredContract;
use crate::simulate::judge::invariants::takeover;
use alloy_primitives::B256;

const PROXY: Address = Address::repeat_byte(0x40);

fn proxy() -> MonitoredContract {
    let mut contract = MonitoredContract {
        name: "Proxy".into(),
        address: PROXY,
        ..MonitoredContract::default()
    };
    contract.invariants.takeover.slots = vec![B256::ZERO];
    contract
}

/// Owner in slot 0, which `upgrade` looks at and `initialize` does not.
fn world() -> World {
    let implementation = takeover::SLOTS[0].1;
    let implementation = || wide(U256::from_be_bytes(implementation.0));
    let upgrade = look(load(word(0))).then(store(implementation(), arg(0)));
    let mut world = World::new();
    world.place(
        PROXY,
        contract(
            &[
                ("initialize(address)", store(word(0), arg(0))),
                ("upgrade(address)", upgrade),
                ("touch()", store(word(1), word(1))),
            ],
            nothing(),
        ),
    );
    world.store(PROXY, U256::ZERO, U256::from_be_slice(ADMIN.as_slice()));
    world
}

fn to(signature: &str, account: Address) -> Bytes {
    encode(signature, &[U256::from_be_slice(account.as_slice())])
}

#[test]
fn a_stranger_who_becomes_the_owner_alarms_where_the_administrators_are_known() {
    let mut contract = proxy();
    contract.admins = vec![ADMIN];
    let call = to("initialize(address)", MALLORY);
    let found = world().judge(MALLORY, PROXY, 0, call, contract);
    let takeover = named(&found, "takeover").expect("fires");
    assert!(takeover.severe && judge(&found).alarm);
    assert!(takeover.explanation.contains("none of its administrators"));
}

#[test]
fn without_known_administrators_it_is_a_sign_and_no_alarm() {
    let call = to("initialize(address)", MALLORY);
    let found = world().judge(MALLORY, PROXY, 0, call, proxy());
    assert!(named(&found, "takeover").is_some_and(|takeover| !takeover.severe));
    assert!(!judge(&found).alarm);
}

#[test]
fn an_upgrade_by_an_administrator_or_by_whom_the_contract_names_is_silent() {
    let mut contract = proxy();
    contract.admins = vec![ADMIN];
    let call = || to("upgrade(address)", ALICE);
    assert_eq!(world().judge(ADMIN, PROXY, 0, call(), contract), []);
    assert_eq!(world().judge(ADMIN, PROXY, 0, call(), proxy()), []);
    // The same call by another is not.
    let found = world().judge(MALLORY, PROXY, 0, call(), proxy());
    assert!(named(&found, "takeover").is_some());
}

#[test]
fn whom_its_code_names_without_the_zeros_in_front_may_change_it() {
    let keeper = Address::left_padding_from(&[0x5a; 14]);
    let mut world = world();
    let names = |keeper| look(short(keeper)).then(store(word(0), arg(0)));
    world.place(
        PROXY,
        contract(&[("set(address)", names(keeper))], nothing()),
    );
    let set = || to("set(address)", ALICE);
    assert_eq!(world.judge(keeper, PROXY, 0, set(), proxy()), []);
    for other in [MALLORY, Address::left_padding_from(&[0x5a; 13])] {
        let found = world.judge(other, PROXY, 0, set(), proxy());
        assert!(named(&found, "takeover").is_some());
    }
    // Who is named and calls for something else in the same transaction is nobody.
    world.place(
        keeper,
        contract(
            &[("ping()", call(account(PROXY), "ping()", &[]))],
            nothing(),
        ),
    );
    let both =
        call(account(PROXY), "set(address)", &[arg(0)]).then(call(account(keeper), "ping()", &[]));
    let helper = Address::repeat_byte(0x4e);
    world.place(helper, contract(&[("both(address)", both)], nothing()));
    let found = world.judge(MALLORY, helper, 0, to("both(address)", ALICE), proxy());
    assert!(named(&found, "takeover").is_some());
    // With so few bytes left it is a number.
    let few = Address::left_padding_from(&[0x5a; 11]);
    world.place(PROXY, contract(&[("set(address)", names(few))], nothing()));
    let found = world.judge(few, PROXY, 0, set(), proxy());
    assert!(named(&found, "takeover").is_some());
}

#[test]
fn other_slots_may_change() {
    let mut contract = proxy();
    contract.admins = vec![ADMIN];
    let call = encode("touch()", &[]);
    assert_eq!(world().judge(MALLORY, PROXY, 0, call, contract), []);
}

#[test]
fn slots_and_events_are_the_hashes_that_the_standards_say() {
    let before = |text: &str| U256::from_be_bytes(keccak256(text).0) - U256::ONE;
    let namespaced = |text: &str| {
        let hash = keccak256(before(text).to_be_bytes::<32>());
        U256::from_be_bytes(hash.0) >> 8 << 8
    };
    let slots = [
        before("eip1967.proxy.implementation"),
        before("eip1967.proxy.admin"),
        before("eip1967.proxy.beacon"),
        U256::from_be_bytes(keccak256("PROXIABLE").0),
        namespaced("openzeppelin.storage.Ownable"),
        namespaced("openzeppelin.storage.Initializable"),
    ];
    let known = takeover::SLOTS
        .iter()
        .map(|(_, slot)| U256::from_be_bytes(slot.0));
    assert!(known.eq(slots));
    let events = [
        "OwnershipTransferred(address,address)",
        "Upgraded(address)",
        "AdminChanged(address,address)",
        "Initialized(uint8)",
        "Initialized(uint64)",
    ];
    let known = takeover::EVENTS.iter().map(|(_, event)| *event);
    assert!(known.eq(events.map(keccak256)));
    let granted = keccak256("RoleGranted(bytes32,address,address)");
    assert_eq!(takeover::ROLE_GRANTED, granted);
}
