use super::assembler::*;
use super::*;
use crate::config::MonitoredContract;
use crate::signatures::RuleSet;
use std::io::Write;

const VAULT: Address = Address::repeat_byte(0x4a);

/// A vault whose share price anybody can set, and one invariant of it.
fn judged(sentence: &str, contract: &str, price: u64) -> Vec<Violation> {
    let mut world = World::new();
    let functions = [
        ("set(uint256)", store(word(0), arg(0))),
        ("priceOf(uint256)", returns(mul(arg(0), load(word(0))))),
    ];
    world.place(VAULT, super::assembler::contract(&functions, nothing()));
    world.store(VAULT, U256::ZERO, U256::from(1_000));
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    let text = format!(
        "invariants:\n- {{sid: 7, msg: Shares lose value, contract: {contract}, never: '{sentence}', weight: 0.8, severity: 1}}\n"
    );
    file.write_all(text.as_bytes()).expect("written");
    let rules = RuleSet::load(&[file.path().display().to_string()]).expect("loads");
    world.written = rules.invariants();
    let monitored = MonitoredContract {
        name: "Vault".into(),
        address: VAULT,
        ..MonitoredContract::default()
    };
    let set = encode("set(uint256)", &[U256::from(price)]);
    world.judge(MALLORY, VAULT, 0, set, monitored)
}

const SENTENCE: &str = "priceOf(uint256 5) drop > 0.1 %";

#[test]
fn a_users_invariant_is_asked_before_and_after() {
    let found = judged(SENTENCE, "Vault", 998);
    let broken = named(&found, "view:7").expect("fires");
    assert_eq!(
        broken.explanation,
        "Shares lose value: priceOf(uint256 5) of Vault falls from 5000 to 4990, by more than 0.1 %"
    );
    assert!(broken.severe && judge(&found).alarm);
}

#[test]
fn within_its_threshold_or_for_another_contract_it_is_silent() {
    assert_eq!(judged(SENTENCE, "Vault", 999), []);
    assert_eq!(judged(SENTENCE, "Vault", 2_000), []);
    assert_eq!(judged(SENTENCE, "Treasury", 1), []);
}

#[test]
fn a_view_that_has_no_answer_is_silent() {
    assert_eq!(judged("unknown() change > 0", "Vault", 1), []);
}
