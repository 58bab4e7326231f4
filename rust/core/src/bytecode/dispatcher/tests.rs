use super::*;
use alloy_primitives::hex;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn selectors(found: &Dispatcher) -> BTreeSet<[u8; 4]> {
    found.entries.iter().map(|entry| entry.selector).collect()
}

/// Runtime code of a compiled contract, its selectors, and whether it takes other and empty calldata.
fn artifact(folder: &str, name: &str) -> (Vec<u8>, BTreeSet<[u8; 4]>, bool, bool) {
    let text = std::fs::read(format!("{REPOSITORY}/{folder}/{name}.json")).expect("an artifact");
    let artifact: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let code = hex::decode(artifact["deployedBytecode"].as_str().expect("code")).expect("hex");
    let known = artifact["selectors"]
        .as_object()
        .expect("selectors")
        .values();
    let known = known.map(|told| {
        let bytes = hex::decode(told.as_str().expect("a selector")).expect("hex");
        <[u8; 4]>::try_from(bytes).expect("four bytes")
    });
    let abi = artifact["abi"].as_array().expect("an ABI");
    let has = |kind: &str| abi.iter().any(|item| item["type"] == kind);
    (
        code,
        known.collect(),
        has("fallback"),
        has("receive") || has("fallback"),
    )
}

#[test]
fn what_solc_compiles_has_the_functions_that_it_says() {
    let demo = "python/mempool_ids/demo/artifacts";
    let (scenarios, stages) = ("tests/scenarios/artifacts", "tests/defense/artifacts");
    for (folder, name) in [
        (demo, "Vault"),
        (demo, "Attacker"),
        (demo, "Token"),
        (demo, "Router"),
        (scenarios, "LendingMarket"),
        (scenarios, "Proxy"),
        (scenarios, "Sleeper"),
        (scenarios, "Governor"),
        (stages, "Safe"),
        (stages, "AccessManager"),
    ] {
        let (code, known, fallback, receive) = artifact(folder, name);
        let found = Dispatcher::of(&code);
        assert_eq!(selectors(&found), known, "{name}");
        assert_eq!(
            (found.fallback, found.receive, found.cut),
            (fallback, receive, false),
            "{name}"
        );
    }
}

#[test]
fn other_ways_to_compare_are_understood() {
    let one = [0xaa, 0xbb, 0xcc, 0xdd];
    for code in [
        // Vyper: PUSH4 DUP2 XOR PUSH JUMPI, what matches falls through.
        "5f3560e01c63aabbccdd8118601257005b5f5ffd5b",
        // Vyper before 0.3: MSTORE(28, the word), MLOAD(0).
        "5f35601c5263aabbccdd5f5114601557005b5f5ffd",
        // Of the word, with all else masked away.
        "5f3563ffffffff60e01b1663aabbccdd60e01b14601857005b5f5ffd",
        // A constant that is computed: 0x55443322 XOR 0xffffffff.
        "5f3560e01c635544332263ffffffff1814601857005b5f5ffd",
        // Not before the caller has been asked for.
        "3373aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa14601f575f5ffd5b5b5b5f3560e01c63aabbccdd14603657005b",
        // By the length first, as ISZERO(SHR(2, CALLDATASIZE)).
        "3660021c15601b575f3560e01c63aabbccdd14601f57005b5f5ffd5b00",
    ] {
        let code = hex::decode(code).unwrap();
        let found = Dispatcher::of(&code);
        assert_eq!(
            selectors(&found),
            BTreeSet::from([one]),
            "{}",
            hex::encode(&code)
        );
    }
}

#[test]
fn where_the_way_is_lost_comparisons_stand_in() {
    // JUMP(MLOAD(selector % 4)), and behind it what a bucket compares.
    let code = hex!("5f3560e01c60038116515663aabbccdd8118601a57005b5b00");
    let found = Dispatcher::of(&code);
    assert_eq!(
        selectors(&found),
        BTreeSet::from([[0xaa, 0xbb, 0xcc, 0xdd]])
    );
}

/// PUSH0 CALLDATALOAD PUSH1 224 SHR, and for each DUP1 PUSH4 EQ PUSH3 JUMPI.
fn linear(count: u32) -> Vec<u8> {
    let mut code = hex!("5f3560e01c").to_vec();
    for selector in 1..=count {
        code.extend([0x80, 0x63]);
        code.extend(selector.to_be_bytes());
        code.extend(hex!("1462ffffff57"));
    }
    code.extend(hex!("5f5ffd"));
    code
}

#[test]
fn a_dispatcher_of_ten_thousand_is_cut_and_soon_done() {
    let few = Dispatcher::of(&linear(1_000));
    assert_eq!(
        (few.entries.len(), few.cut, few.fallback),
        (1_000, false, false)
    );
    let begun = Instant::now();
    let many = Dispatcher::of(&linear(10_000));
    assert_eq!((many.entries.len(), many.cut), (MAX_ENTRIES, true));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_maze_of_jumps_has_an_end() {
    // Each destination branches on what is not known to two others: JUMPDEST CALLER PUSH2 JUMPI PUSH2 JUMP, with one more
    // item on the stack each time.
    let rooms = 4_000_u32;
    let mut code = Vec::new();
    for room in 0..rooms {
        let door = |n: u32| ((n % rooms * 11) as u16).to_be_bytes();
        let (one, other) = (door(room * 7 + 1), door(room * 13 + 5));
        code.extend([
            0x5b, 0x33, 0x33, 0x61, one[0], one[1], 0x57, 0x61, other[0], other[1], 0x56,
        ]);
    }
    let begun = Instant::now();
    Dispatcher::of(&code);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn an_account_without_code_takes_everything() {
    let found = Dispatcher::of(&[]);
    assert!(found.entries.is_empty() && found.fallback && found.receive);
}

proptest! {
    #[test]
    fn every_code_has_an_answer(code in prop::collection::vec(any::<u8>(), 0..2048)) {
        let found = Dispatcher::of(&code);
        prop_assert!(found.entries.len() <= MAX_ENTRIES);
        prop_assert_eq!(selectors(&found).len(), found.entries.len());
    }
}
