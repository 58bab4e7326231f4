//! What the built-in pack says of scenes that a defender would recognize.

use super::{OTHER, SENDER, Scene, VAULT, code, selector};
use crate::bytecode::CodeFacts;
use crate::decode::Method;
use crate::signatures::RuleSet;
use alloy_primitives::{Address, U256};
use std::path::Path;

/// A detection is made here.
const DETECTED: f32 = 0.7;

fn judge(scene: &Scene) -> (Vec<u32>, f32) {
    scene.evaluate(RuleSet::load(&["builtin".to_owned()]).expect("loads"))
}

#[track_caller]
fn detected(scene: &Scene) -> Vec<u32> {
    let (sids, score) = judge(scene);
    assert!(score >= DETECTED, "{score} by {sids:?}");
    sids
}

#[track_caller]
fn quiet(scene: &Scene) {
    let (sids, score) = judge(scene);
    assert!(score < DETECTED, "{score} by {sids:?}");
}

/// The facts of the demo's attacker, as its compiled runtime has them, ten blocks after its creation.
fn attacker() -> CodeFacts {
    let mut facts = code(&["withdraw(uint256)", "attack()", "deposit()"], &[VAULT]);
    facts.created_at = Some(999_990);
    (
        facts.size,
        facts.call_sites,
        facts.sload_sites,
        facts.sstore_sites,
    ) = (682, 4, 1, 1);
    facts
}

/// The facts of an honest contract that deposits in the vault for its users.
fn router() -> CodeFacts {
    let mut facts = code(
        &[
            "withdraw(uint256)",
            "deposit()",
            "enter()",
            "exit(uint256)",
            "sharesOf(address)",
            "vault()",
        ],
        &[VAULT],
    );
    (
        facts.size,
        facts.call_sites,
        facts.sload_sites,
        facts.sstore_sites,
    ) = (1_083, 3, 3, 2);
    facts
}

fn through(facts: CodeFacts, signature: &str, words: &[U256]) -> Scene {
    let mut scene = Scene::call(OTHER, signature, words);
    scene.tx.value = U256::from(10).pow(U256::from(18));
    scene.touches = vec![0];
    scene.code = Some(facts);
    scene
}

#[test]
fn a_reentrancy_attack_on_the_vault_is_detected_whoever_may_call_it() {
    let sids = detected(&through(attacker(), "attack()", &[]));
    assert!(
        sids.contains(&1_000_107) && sids.contains(&1_000_002),
        "{sids:?}"
    );
    let mut new_sender = through(attacker(), "attack()", &[]);
    new_sender.tx.nonce = 1;
    detected(&new_sender);
    let mut owned = attacker();
    owned.addresses = vec![VAULT, SENDER];
    assert!(detected(&through(owned.clone(), "attack()", &[])).contains(&1_000_008));
    // With arguments, it is made for its sender alone.
    detected(&through(
        owned,
        "attack(uint256,address)",
        &[U256::ONE, U256::ONE],
    ));
}

#[test]
fn an_attack_under_a_well_known_name_is_detected_and_a_router_under_it_is_not() {
    let named = |facts| {
        let mut scene = through(facts, "deposit()", &[]);
        scene.decoded.method = Method::Builtin;
        scene
    };
    detected(&named(attacker()));
    let mut honest = named(router());
    for nonce in [0, 100] {
        honest.tx.nonce = nonce;
        quiet(&honest);
    }
}

#[test]
fn honest_use_of_the_vault_is_no_detection() {
    for (signature, words) in [
        ("deposit()", &[][..]),
        ("withdraw(uint256)", &[U256::from(5)]),
        ("withdraw()", &[]),
    ] {
        for nonce in [0, 5, 1_000] {
            for method in [Method::Abi, Method::Builtin, Method::WordScan] {
                let mut direct = Scene::call(VAULT, signature, words);
                direct.decoded.method = method;
                direct.tx.nonce = nonce;
                let mut vault = code(&["deposit()", "withdraw(uint256)"], &[]);
                vault.sstore_sites = 7;
                direct.code = Some(vault);
                quiet(&direct);
            }
        }
    }
    let mut payment = Scene::call(VAULT, "deposit()", &[]);
    payment.tx.input.clear();
    payment.decoded = crate::decode::Decoded::default();
    quiet(&payment);
}

#[test]
fn an_honest_router_is_no_detection_even_where_all_is_new() {
    for (signature, words) in [("enter()", &[][..]), ("exit(uint256)", &[U256::from(5)])] {
        for created_at in [None, Some(999_999), Some(10)] {
            let mut scene = through(
                CodeFacts {
                    created_at,
                    ..router()
                },
                signature,
                words,
            );
            scene.tx.nonce = 0;
            quiet(&scene);
        }
    }
}

#[test]
fn an_integration_without_books_is_left_alone_where_it_is_old_or_no_node_tells_its_age() {
    for created_at in [Some(10), None] {
        let mut owned = attacker();
        owned.addresses = vec![VAULT, SENDER];
        for facts in [attacker(), owned] {
            let facts = CodeFacts {
                created_at,
                ..facts
            };
            let (sids, score) = judge(&through(facts, "rebalance()", &[]));
            assert!(score < 0.3, "{score} by {sids:?}");
        }
    }
}

#[test]
fn deploying_an_integration_is_no_detection() {
    let mut scene = through(attacker(), "a()", &[]);
    scene.tx.to = None;
    scene.tx.nonce = 0;
    scene.tx.gas = 6_000_000;
    scene.decoded = crate::decode::Decoded {
        method: Method::Creation,
        ..Default::default()
    };
    quiet(&scene);
}

#[test]
fn arbitrage_through_a_monitored_pool_is_no_detection() {
    let mut bot = code(
        &[
            "uniswapV2Call(address,uint256,uint256,bytes)",
            "swap(uint256,uint256,address,bytes)",
            "transfer(address,uint256)",
            "getReserves()",
        ],
        &[VAULT, SENDER],
    );
    bot.size = 5_000;
    let mut scene = through(
        bot,
        "arb(uint256,uint256)",
        &[U256::from(1_000_000), U256::from(3)],
    );
    scene.tx.nonce = 40_000;
    quiet(&scene);
}

#[test]
fn a_flash_loan_attack_on_share_price_is_detected() {
    let mut facts = code(
        &[
            "uniswapV2Call(address,uint256,uint256,bytes)",
            "deposit(uint256)",
            "withdraw(uint256)",
            "exchange_underlying(int128,int128,uint256,uint256)",
        ],
        &[VAULT, SENDER],
    );
    facts.created_at = Some(999_000);
    detected(&through(facts, "run(uint256)", &[U256::from(3)]));
}

#[test]
fn a_price_manipulation_of_a_lending_market_is_detected() {
    let mut facts = code(
        &[
            "onFlashLoan(address,address,uint256,uint256,bytes)",
            "swap(uint256,uint256,address,bytes)",
            "enterMarkets(address[])",
            "borrow(uint256)",
        ],
        &[VAULT],
    );
    (facts.size, facts.created_at) = (6_000, Some(999_000));
    detected(&through(facts, "start()", &[]));
}

#[test]
fn flash_governance_is_detected() {
    let facts = code(
        &[
            "executeOperation(address[],uint256[],uint256[],address,bytes)",
            "vote(uint32)",
            "emergencyCommit(uint32)",
        ],
        &[VAULT],
    );
    assert!(detected(&through(facts, "go(uint256)", &[U256::from(3)])).contains(&1_000_601));
}

#[test]
fn taking_over_a_monitored_contract_is_detected_and_an_owners_hand_over_alone_is_not() {
    let word = |address: Address| U256::from_be_slice(address.as_slice());
    detected(&Scene::call(VAULT, "initialize(address)", &[word(SENDER)]));
    detected(&Scene::call(
        VAULT,
        "transferOwnership(address)",
        &[word(SENDER)],
    ));
    detected(&Scene::call(VAULT, "kill()", &[]));
    quiet(&Scene::call(
        VAULT,
        "transferOwnership(address)",
        &[word(OTHER)],
    ));
    quiet(&Scene::call(
        OTHER,
        "transferOwnership(address)",
        &[word(SENDER)],
    ));
    let mut deployer = Scene::call(VAULT, "initialize(address)", &[word(OTHER)]);
    deployer.code = Some(CodeFacts {
        created_at: Some(999_990),
        ..Default::default()
    });
    quiet(&deployer);
}

#[test]
fn spending_others_allowances_through_a_monitored_contract_is_detected() {
    let mut scene = Scene::call(VAULT, "callBytes(address,bytes)", &[U256::MAX]);
    scene
        .decoded
        .selectors
        .push(selector("transferFrom(address,address,uint256)"));
    scene
        .decoded
        .selectors
        .push(selector("approve(address,uint256)"));
    scene.decoded.depth = 1;
    let sids = detected(&scene);
    assert!(
        sids.contains(&1_000_501) && sids.contains(&1_000_502),
        "{sids:?}"
    );
    // An ordinary approval of, and transfer by, a monitored token.
    for signature in [
        "approve(address,uint256)",
        "transferFrom(address,address,uint256)",
        "transfer(address,uint256)",
    ] {
        let mut scene = Scene::call(
            VAULT,
            signature,
            &[U256::from_be_slice(OTHER.as_slice()), U256::MAX],
        );
        scene.decoded.method = Method::Builtin;
        quiet(&scene);
    }
}

/// The demo's contracts, as compiled, with the vault's address as their first immutable and the sender's as the second.
#[test]
fn the_demos_attacker_is_detected_while_it_is_known_to_be_young_and_its_router_is_not() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/mempool_ids/demo/artifacts");
    if !folder.exists() {
        println!("skipped: no {}", folder.display());
        return;
    }
    for (name, signature, attacks) in [("Attacker", "attack()", true), ("Router", "enter()", false)]
    {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).expect("artifact");
        let artifact: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let code = artifact["deployedBytecode"].as_str().expect("code");
        let mut code = alloy_primitives::hex::decode(code).expect("hex");
        let mut immutables = [VAULT, SENDER].into_iter();
        let mut at = 0;
        while let Some(word) = code.get_mut(at..at + 33) {
            // PUSH32 of zeros: a place the constructor fills. The router has the vault in each.
            if word[0] == 0x7f && word[1..] == [0; 32] {
                let next = if attacks {
                    immutables.next()
                } else {
                    Some(VAULT)
                };
                word[13..].copy_from_slice(next.unwrap_or(VAULT).as_slice());
                at += 32;
            }
            at += 1;
        }
        for (created_at, nonce) in [
            (None, 100),
            (None, 0),
            (Some(999_998), 100),
            (Some(999_998), 0),
        ] {
            let mut scene = through(CodeFacts::scan(&code, created_at), signature, &[]);
            scene.tx.nonce = nonce;
            if attacks && created_at.is_some() {
                detected(&scene);
            } else {
                quiet(&scene);
            }
        }
    }
}
