use super::*;
use crate::config::MonitoredContract;

/// The demo's vault with ten ether of others, and its ABI.
fn vault(world: &mut World) -> MonitoredContract {
    let address = world.deploy(ADMIN, "Vault", ADMIN.into_word().as_slice());
    world.call(ALICE, address, 10 * ETHER, encode("deposit()", &[]));
    MonitoredContract {
        name: "Vault".into(),
        address,
        abi: Some(r#"[{"type":"function","name":"withdraw","inputs":[{"name":"amount","type":"uint256"}],"outputs":[],"stateMutability":"nonpayable"}]"#.into()),
        ..MonitoredContract::default()
    }
}

#[test]
fn a_drain_by_reentrancy_is_told_with_amount_and_number() {
    let mut world = World::new();
    let vault = vault(&mut world);
    let attacker = world.deploy(MALLORY, "Attacker", vault.address.into_word().as_slice());
    let found = world.judge(MALLORY, attacker, 2 * ETHER, encode("attack()", &[]), vault);
    let reentrancy = named(&found, "reentrancy").expect("fires");
    assert_eq!(
        reentrancy.explanation,
        format!(
            "10 ETH leave Vault to {attacker}, re-entered 5 times in withdraw() before its books were written"
        )
    );
    let judgement = judge(&found);
    assert!(
        judgement.alarm && judgement.probability > 0.9,
        "{judgement:?}"
    );
}

#[test]
fn an_honest_router_that_the_payment_calls_is_silent() {
    let mut world = World::new();
    let vault = vault(&mut world);
    let router = world.deploy(ADMIN, "Router", vault.address.into_word().as_slice());
    world.call(ALICE, router, 3 * ETHER, encode("enter()", &[]));
    let exit = encode("exit(uint256)", &[U256::from(3 * ETHER)]);
    assert_eq!(world.judge(ALICE, router, 0, exit, vault), []);
}
