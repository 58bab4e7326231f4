use super::*;
use alloy_primitives::{address, hex};

const TOKEN: Address = address!("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48");

fn scan(code: &[u8]) -> CodeFacts {
    CodeFacts::scan(code, None)
}

#[test]
fn push_data_is_never_read_as_opcodes() {
    // PUSH4 f4f15554, PUSH2 f4fa, then CALL, SLOAD, STATICCALL, SSTORE.
    let facts = scan(&hex!("63f4f15554" "61f4fa" "f1" "54" "fa" "55"));
    assert!(!facts.delegatecall);
    assert_eq!(
        (facts.call_sites, facts.sload_sites, facts.sstore_sites),
        (2, 1, 1)
    );
    assert_eq!(facts.selectors, [[0xf4, 0xf1, 0x55, 0x54]]);
    // A push that the code's end cuts off.
    assert_eq!(scan(&hex!("f1" "7f" "f1f1")).call_sites, 1);
    assert_eq!(scan(&[]), CodeFacts::default());
}

#[test]
fn metadata_is_left_out() {
    let metadata = hex!("a264697066735822" "1220" "f4f1f1f155f4f4f4f1f1f155f4f4f4f4f1f155f455f4f1f155f4f4f455f1f4f4" "64736f6c63" "43080014" "0033");
    assert_eq!(metadata.len(), 0x33 + 2);
    let code = [hex!("60015500fe").as_slice(), &metadata].concat();
    let facts = scan(&code);
    assert_eq!(
        (facts.call_sites, facts.sstore_sites, facts.delegatecall),
        (0, 1, false)
    );
    assert_eq!(facts.size as usize, code.len());
    // Inside init code: what follows the first contract's metadata is still read.
    let outer = scan(&[code.as_slice(), &hex!("f155")].concat());
    assert_eq!(
        (outer.call_sites, outer.sstore_sites, outer.delegatecall),
        (1, 2, false)
    );
}

#[test]
fn selectors_and_addresses_are_collected_sorted_and_once() {
    let facts = scan(&hex!(
        "63a9059cbb" "63022c0d9f" "63a9059cbb" "63ffffffff"
        "620023de" "01"                 // PUSH3 that is added: a number
        "6223de29" "14"                 // PUSH3 that is compared: tokensReceived
        "73ba12222222228d8ba445958a75a0704d566bf2c8"
        "73ffffffffffffffffffffffffffffffffffffffff"
        "7f000000000000000000000000a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
        "7f23b872dd00000000000000000000000000000000000000000000000000000000"
    ));
    let selectors = [0x0023de29_u32, 0x022c0d9f, 0x23b872dd, 0xa9059cbb].map(u32::to_be_bytes);
    assert_eq!(facts.selectors, selectors);
    assert_eq!(
        facts.addresses,
        [TOKEN, address!("ba12222222228d8ba445958a75a0704d566bf2c8")]
    );
    assert!(
        facts.roles.has(Roles::TOKEN_CALLBACK)
            && facts.roles.has(Roles::MARKET)
            && facts.roles.has(Roles::FLASH_ADDRESS)
    );
    assert!(!facts.roles.has(Roles::CREDIT));
}

#[test]
fn known_proxies_are_recognised() {
    let minimal = hex!(
        "363d3d373d3d3d363d73bebebebebebebebebebebebebebebebebebebebe5af43d82803e903d91602b57fd5bf3"
    );
    let slot = hex!("7f360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc" "54" "5f5f365f845af4");
    let beacon =
        hex!("7fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50" "54" "5af4");
    let uups =
        hex!("7fc5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7" "54" "5af4");
    let safe = hex!(
        "608060405273ffffffffffffffffffffffffffffffffffffffff600054167fa619486e"
        "0000000000000000000000000000000000000000000000000000000060003514156050"
        "578060005260206000f35b3660008037600080366000845af43d6000803e600081"
        "14156070573d6000fd5b3d6000f3"
    );
    for code in [&minimal[..], &slot, &beacon, &uups, &safe] {
        let facts = scan(code);
        assert!(
            facts.delegatecall && facts.known_proxy,
            "{}",
            hex::encode(code)
        );
    }
    let plain = scan(&hex!(
        "5f5f365f73bebebebebebebebebebebebebebebebebebebebebe5af4"
    ));
    assert!(plain.delegatecall && !plain.known_proxy);
}

#[test]
fn a_delegation_names_its_delegate() {
    let facts = scan(&hex!("ef0100" "bebebebebebebebebebebebebebebebebebebebe"));
    assert!(facts.known_proxy && !facts.delegatecall);
    assert_eq!(facts.addresses, [Address::repeat_byte(0xbe)]);
}

#[test]
fn a_value_call_before_a_store_is_the_reentrancy_shape() {
    // out size, out offset, in size, in offset: 0; value: SLOAD(0); CALLER, GAS, CALL; POP; SSTORE(0) = 0; STOP.
    let vulnerable = hex!("5f5f5f5f" "5f54" "335af1" "50" "5f5f55" "00");
    assert!(scan(&vulnerable).value_call_before_sstore);
    let checks_effects_interactions = hex!("5f5f55" "5f5f5f5f" "5f54" "335af1" "50" "00");
    assert!(!scan(&checks_effects_interactions).value_call_before_sstore);
    let token_call = hex!("5f5f5f5f" "5f" "335af1" "50" "5f5f55" "00");
    assert!(!scan(&token_call).value_call_before_sstore);
    let another_function = hex!("5f5f5f5f" "5f54" "335af1" "50" "00" "5b" "5f5f55" "00");
    assert!(!scan(&another_function).value_call_before_sstore);
    // solc before 0.8.10: the zero value is pushed, then EXTCODESIZE is checked in a branch of its own.
    let with_code_check =
        hex!("5f5f5f5f" "5f" "33" "803b1580156012575f80fd5b50" "5af1" "50" "5f5f55" "00");
    assert!(!scan(&with_code_check).value_call_before_sstore);
    // The success check's revert lies between the call and the store.
    let with_success_check = hex!("5f5f5f5f" "5f54" "335af1" "6012575f80fd5b" "5f5f55" "00");
    assert!(scan(&with_success_check).value_call_before_sstore);
}

#[test]
fn swapped_and_duplicated_zeros_are_followed() {
    // Value from SLOAD swapped below: 0 is on top where the value belongs, so the call sends nothing.
    let swapped = hex!("5f5f5f5f" "5f" "5f54" "90" "335af1" "50" "5f5f55" "00");
    assert!(!scan(&swapped).value_call_before_sstore);
    let duplicated = hex!("5f5f5f5f" "80" "335af1" "50" "5f5f55" "00");
    assert!(!scan(&duplicated).value_call_before_sstore);
}

#[test]
fn a_scan_is_bounded() {
    let many: Vec<u8> = (0..20_000_u32)
        .flat_map(|i| [&[0x63], (i + 0x1000_0000).to_be_bytes().as_slice()].concat())
        .collect();
    assert_eq!(scan(&many).selectors.len(), 512);
    let addresses: Vec<u8> = (0..2000_u32)
        .flat_map(|i| [&[0x73, 0xaa][..], &[0; 15], &i.to_be_bytes()].concat())
        .collect();
    assert_eq!(scan(&addresses).addresses.len(), 128);
    assert_eq!(scan(&vec![0xf1; 1 << 20]).call_sites, 64 << 10);
    // Every byte could be the start of metadata.
    assert_eq!(scan(&b"\xa2\x64ipfs".repeat(10_000)).call_sites, 0);
}
