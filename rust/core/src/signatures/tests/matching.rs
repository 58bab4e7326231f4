use super::{OTHER, SENDER, Scene, VAULT, address, code, load, selector};
use crate::decode::Method;
use crate::signatures::Matcher;
use alloy_primitives::{Address, U256};
use std::sync::Arc;

fn word_of(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

fn all(scene: &Scene, hold: &[&str], fail: &[&str]) {
    for condition in hold {
        assert!(scene.holds(condition), "should hold: {condition}");
    }
    for condition in fail {
        assert!(!scene.holds(condition), "should not hold: {condition}");
    }
}

#[test]
fn functions_and_selectors_are_the_calls_own_and_calls_are_nested_ones_too() {
    let mut scene = Scene::call(OTHER, "multicall(bytes[])", &[]);
    scene.decoded.selectors.push(selector("withdraw(uint256)"));
    scene.decoded.depth = 1;
    all(
        &scene,
        &[
            "{function: 'multicall(bytes[])'}",
            "{function: ['a()', 'multicall(bytes[])']}",
            "{function: 'function multicall(bytes[] calldata data) external'}",
            "{selector: 0xac9650d8}",
            "{calls: 'withdraw(uint wad)'}",
            "{calls: withdraw(uint256)}",
            "{calls: [0x2e1a7d4d]}",
            "{calls: 0xac9650d8}",
            "{depth: '1', nested_calls: '1'}",
            "{nested_calls: '>= 1'}",
        ],
        &[
            "{function: withdraw(uint256)}",
            "{selector: 0x2e1a7d4d}",
            "{calls: 'deposit()'}",
            "{depth: '> 1'}",
            "{nested_calls: '0'}",
        ],
    );
}

#[test]
fn amounts_have_units_and_comparisons_are_exact() {
    let mut scene = Scene::call(OTHER, "a()", &[]);
    scene.tx.value = U256::from(1_500_000_000_000_000_000_u64);
    all(
        &scene,
        &[
            "{value: 1.5 ether}",
            "{value: '= 1_500_000_000 gwei'}",
            "{value: 15e17}",
            "{value: 0x14d1120d7b160000}",
            "{value: '> 1.499999999999999999 ether'}",
            "{value: '1 ether .. 2 ether'}",
            "{value: '<= max'}",
            "{gas: 300000, nonce: '<= 100', tx_type: 0, calldata_size: 4}",
        ],
        &[
            "{value: '> 1.5 ether'}",
            "{value: '< 1.5 ether'}",
            "{value: '0 .. 1 ether'}",
            "{gas: '< 300000'}",
            "{nonce: '> 100'}",
        ],
    );
}

#[test]
fn words_are_compared_at_an_index_or_anywhere() {
    let unlimited = (U256::ONE << 160) - U256::ONE;
    let scene = Scene::call(
        OTHER,
        "a(address,uint256,uint256)",
        &[word_of(SENDER), U256::from(7), unlimited],
    );
    all(
        &scene,
        &[
            "{word: {at: 0, is: sender}}",
            "{word: {is: sender}}",
            "{word: {at: 1, is: [3, 7]}}",
            "{word: {is: '5 .. 9'}}",
            "{word: {at: 2, is: max_uint}}",
            "{word: {is: '0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}}",
            "{word: {at: 0, is: '> 1 ether'}}",
        ],
        &[
            "{word: {at: 1, is: sender}}",
            "{word: {at: 3, is: '>= 0'}}",
            "{word: {is: callee}}",
            "{word: {is: monitored}}",
            "{word: {is: max}}",
            "{word: {at: 1, is: max_uint}}",
        ],
    );
    let mut deposit = Scene::call(OTHER, "depositFor(address)", &[word_of(VAULT)]);
    assert!(
        !deposit.holds("{word: {is: monitored}}"),
        "it is not said to touch the vault"
    );
    deposit.touches = vec![0];
    assert!(deposit.holds("{word: {is: monitored}}"));
    // Trailing bytes are no word, and a creation's bytes are code.
    let mut short = Scene::call(OTHER, "a()", &[]);
    short.tx.input.extend_from_slice(&[0; 31]);
    assert!(!short.holds("{word: {is: '>= 0'}}"));
    short.tx.input.push(0);
    assert!(short.holds("{word: {is: '>= 0'}}"));
    short.tx.to = None;
    assert!(!short.holds("{word: {is: '>= 0'}}"));
}

#[test]
fn contact_with_a_monitored_contract_is_told_by_its_way() {
    let direct = Scene::call(VAULT, "a()", &[]);
    all(
        &direct,
        &[
            "{to: monitored}",
            "{touches: monitored}",
            "{touches: callee}",
            "{touches: [code, callee]}",
        ],
        &[
            "{touches: code}",
            "{touches: calldata}",
            "{touches: none}",
            "{from: monitored}",
        ],
    );
    let mut by_data = Scene::call(OTHER, "a()", &[]);
    by_data.touches = vec![0];
    by_data.decoded.addresses = vec![VAULT];
    all(
        &by_data,
        &["{touches: calldata}", "{touches: monitored}"],
        &["{to: monitored}", "{touches: [callee, code]}"],
    );
    let mut by_code = Scene::call(OTHER, "a()", &[]);
    by_code.touches = vec![0];
    by_code.code = Some(code(&[], &[VAULT]));
    all(
        &by_code,
        &["{touches: code}", "{code: {addresses: monitored}}"],
        &["{touches: calldata}", "{code: {addresses: sender}}"],
    );
    // What neither the decoder nor the scan reports is looked for as packed bytes, and is else in the code's data.
    let mut packed = Scene::call(OTHER, "a()", &[]);
    packed.touches = vec![0];
    packed.tx.input.extend_from_slice(&[7; 5]);
    all(&packed, &["{touches: code}"], &["{touches: calldata}"]);
    packed.tx.input.extend_from_slice(VAULT.as_slice());
    all(&packed, &["{touches: calldata}"], &["{touches: code}"]);
    packed.tx.to = None;
    all(
        &packed,
        &["{touches: calldata, creation: true}"],
        &["{touches: code}"],
    );
    let none = Scene::call(OTHER, "a()", &[]);
    all(&none, &["{touches: none}"], &["{touches: monitored}"]);
    let mut broken = Scene::call(OTHER, "a()", &[]);
    broken.touches = vec![9];
    all(
        &broken,
        &["{touches: monitored}"],
        &["{to: monitored}", "{word: {is: monitored}}"],
    );
}

#[test]
fn addresses_are_matched_in_lists() {
    let mut scene = Scene::call(OTHER, "a()", &[]);
    scene.decoded.addresses = vec![address(0x33)];
    let (a, b) = (format!("'{OTHER}'"), format!("'{}'", address(0x44)));
    all(
        &scene,
        &[
            &format!("{{to: [{b}, {a}]}}"),
            &format!("{{to: [monitored, {a}]}}"),
            &format!("{{from: '{SENDER}'}}"),
            &format!("{{mentions: '{}'}}", address(0x33)),
        ],
        &[
            &format!("{{to: [monitored, {b}]}}"),
            &format!("{{mentions: {a}}}"),
            &format!("{{from: {a}}}"),
        ],
    );
}

#[test]
fn code_conditions_are_false_without_code_and_age_without_a_block() {
    let mut scene = Scene::call(OTHER, "a()", &[]);
    all(
        &scene,
        &["{code: {known: false}}"],
        &[
            "{code: {size: '>= 0'}}",
            "{code: {delegatecall: false}}",
            "{code: {known: true}}",
        ],
    );
    let mut facts = code(&["swap()", "borrow(uint256)"], &[SENDER, OTHER]);
    facts.created_at = Some(999_990);
    facts.delegatecall = true;
    facts.sload_sites = 2;
    facts.sstore_sites = 1;
    scene.code = Some(facts);
    let with_address = format!("{{code: {{addresses: ['{OTHER}', '{VAULT}']}}}}");
    all(
        &scene,
        &[
            "{code: {known: true, size: 700, delegatecall: true, proxy: false}}",
            "{code: {call_sites: 3, sload_sites: 2, sstore_sites: 1}}",
            "{code: {selectors: [mint(), swap()]}}",
            "{code: {addresses: sender}}",
            "{code: {age: 10}}",
            &with_address,
        ],
        &[
            "{code: {selectors: mint()}}",
            "{code: {age: '> 10'}}",
            "{code: {proxy: true}}",
            "{code: {addresses: monitored}}",
        ],
    );
    scene.block_number = None;
    all(&scene, &[], &["{code: {age: '>= 0'}}"]);
}

#[test]
fn an_age_that_no_node_tells_is_neither_young_nor_old_and_that_of_a_creation_is_none() {
    let mut scene = Scene::call(OTHER, "a()", &[]);
    scene.code = Some(code(&[], &[]));
    let ages = ["{code: {age: '< 7200'}}", "{code: {age: '>= 7200'}}"];
    all(&scene, &[], &ages);
    scene.tx.to = None;
    all(&scene, &["{code: {age: 0}}", ages[0]], &ages[1..]);
    scene.block_number = None;
    all(&scene, &["{code: {age: 0}}"], &[]);
}

#[test]
fn creations_and_ways_of_decoding_are_told_apart() {
    let mut scene = Scene::call(OTHER, "a()", &[]);
    all(
        &scene,
        &[
            "{creation: false}",
            "{decoded_by: word_scan}",
            "{decoded_by: [abi, word_scan]}",
        ],
        &["{creation: true}", "{decoded_by: empty}"],
    );
    scene.tx.to = None;
    scene.decoded.method = Method::Creation;
    scene.decoded.selectors.clear();
    all(
        &scene,
        &[
            "{creation: true}",
            "{decoded_by: creation}",
            "{nested_calls: 0}",
        ],
        &["{selector: 0x00000000}", "{function: a()}"],
    );
}

#[test]
fn the_keys_of_one_mapping_are_all_needed_and_groups_nest() {
    let scene = Scene::call(OTHER, "a()", &[]);
    all(
        &scene,
        &[
            "{any: [{creation: true}, {function: a()}]}",
            "{not: {value: 1, function: a()}}",
            "{all: [{function: a()}, {any: [{value: 1}, {not: {value: 1}}]}]}",
        ],
        &[
            "{function: a(), value: 1}",
            "{not: {any: [{function: a()}]}}",
            "{all: [{function: a()}, {value: 1}]}",
        ],
    );
}

#[test]
fn weights_combine_as_independent_evidence_in_the_order_of_sids() {
    let rule = |sid: u32, weight: f32, function: &str| {
        format!(
            "- {{sid: {sid}, msg: m, classtype: other, weight: {weight}, match: {{function: {function}}}}}\n"
        )
    };
    let text = format!(
        "rules:\n{}{}{}{}",
        rule(9, 0.5, "a()"),
        rule(3, 0.4, "a()"),
        rule(5, 0.9, "b()"),
        rule(4, 0.0, "a()")
    );
    let scene = Scene::call(OTHER, "a()", &[]);
    let (sids, score) = scene.evaluate(load(&text));
    assert_eq!(sids, [3, 4, 9]);
    assert!((score - 0.7).abs() < 1e-6, "{score}");
    let (sids, score) = Scene::call(OTHER, "c()", &[]).evaluate(load(&text));
    assert!(sids.is_empty() && score == 0.0);
    let certain = text.replace("weight: 0.5", "weight: 1");
    assert_eq!(scene.evaluate(load(&certain)).1, 1.0);
}

#[test]
fn disabled_rules_never_match_and_a_rule_matches_once() {
    let text = "rules:\n- {sid: 1, msg: m, classtype: other, weight: 0.5, match: {calls: [a(), b()]}}\n- {sid: 2, enabled: false, msg: m, classtype: other, weight: 0.5, match: {calls: a()}}\n";
    let mut scene = Scene::call(OTHER, "a()", &[]);
    scene.decoded.selectors.push(selector("b()"));
    scene.decoded.selectors.push(selector("b()"));
    let mut matcher = Matcher::new(Arc::new(load(text)));
    let mut out = vec![77];
    matcher.evaluate(&scene.subject(), &mut out);
    assert_eq!(out, [1]);
    let costs = matcher.costs();
    assert_eq!(costs.len(), 1);
    assert_eq!(
        (costs[0].sid, costs[0].evaluated, costs[0].matched),
        (1, 1, 1)
    );
    assert!(costs[0].mean_ns > 0.0, "the first transaction is timed");
}

#[test]
fn a_reload_keeps_the_costs_of_rules_that_stay() {
    let text = "rules:\n- {sid: 1, msg: m, classtype: other, weight: 0.5, match: {calls: a()}}\n- {sid: 2, msg: m, classtype: other, weight: 0.5, match: {calls: a()}}\n";
    let scene = Scene::call(OTHER, "a()", &[]);
    let mut matcher = Matcher::new(Arc::new(load(text)));
    let mut out = Vec::new();
    matcher.evaluate(&scene.subject(), &mut out);
    let newer = text.replace("sid: 2,", "sid: 2, rev: 2,")
        + "- {sid: 3, msg: m, classtype: other, weight: 0.5, match: {calls: a()}}\n";
    matcher.reload(Arc::new(load(&newer)));
    let costs: Vec<_> = matcher
        .costs()
        .iter()
        .map(|c| (c.sid, c.evaluated))
        .collect();
    assert_eq!(costs, [(1, 1), (2, 0), (3, 0)]);
    matcher.evaluate(&scene.subject(), &mut out);
    assert_eq!(out, [1, 2, 3]);
    // Sids of a rule that is gone are passed over.
    matcher.reload(Arc::new(load("rules: []")));
    assert!(matcher.report(&scene.subject(), &out).is_empty());
}
