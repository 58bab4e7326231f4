use super::{file, lint, load, selector};
use crate::signatures::{Compare, RuleSet, Tolerance};
use alloy_primitives::{Address, U256};

/// One invariant with this sentence.
fn never(sentence: &str) -> String {
    format!("invariants:\n- {{sid: 1, msg: m, weight: 0.5, never: \"{sentence}\"}}\n")
}

fn error(text: &str) -> String {
    let lints = lint(text);
    assert_eq!(lints.len(), 1, "{lints:#?}");
    assert_eq!(lints[0].level, "error");
    lints[0].message.clone()
}

#[test]
fn an_invariant_is_read_as_written_and_listed_with_the_rules() {
    let set = load(
        r#"
rules:
  - {sid: 3, msg: rule, classtype: other, weight: 0.5, match: {creation: true}}
invariants:
  - sid: 2
    msg: Our shares lose value
    contract: Vault
    never: sharePrice() drop > 0.1 %
    weight: 0.6
    severity: 1
    reference: https://example.org
  - {sid: 9, msg: off, never: "a() change > 0", weight: 0, enabled: false}
"#,
    );
    let invariants = set.invariants();
    let [invariant] = invariants.as_slice() else {
        panic!("{invariants:?}");
    };
    assert_eq!((invariant.sid, &*invariant.call), (2, "sharePrice()"));
    assert_eq!(invariant.contract.as_deref(), Some("Vault"));
    assert_eq!(invariant.data[..], selector("sharePrice()"));
    assert_eq!(invariant.compare, Compare::Drop);
    assert_eq!(invariant.threshold, Tolerance::Share(0.001));
    assert_eq!((invariant.weight, invariant.severity), (0.6, 1));
    let list = set.list();
    assert_eq!(
        list.iter().map(|one| one.sid).collect::<Vec<_>>(),
        [2, 3, 9]
    );
    assert_eq!(list[0].never.as_deref(), Some("sharePrice() drop > 0.1 %"));
    assert_eq!(
        (list[0].classtype.as_str(), list[2].enabled),
        ("invariant", false)
    );
    assert_eq!(list[1].never, None);
}

#[test]
fn arguments_are_encoded_by_their_types() {
    let of = |sentence: &str| load(&never(sentence)).invariants()[0].data.clone();
    let one = of("convertToAssets(uint256 1e18) drop > 5");
    assert_eq!(one[..4], selector("convertToAssets(uint256)"));
    assert_eq!(
        U256::from_be_slice(&one[4..]),
        U256::from(1_000_000_000_000_000_000_u64)
    );
    let two = of(
        "owed(address 0x1111111111111111111111111111111111111111, uint8[] [1, 2]) rise > 1 ether",
    );
    assert_eq!(two[..4], selector("owed(address,uint8[])"));
    assert_eq!(two[16..36], Address::repeat_byte(0x11)[..]);
    assert_eq!(two.len(), 4 + 32 * 5);
}

#[test]
fn what_is_wrong_with_a_sentence_is_said() {
    for (sentence, said) in [
        ("sharePrice", "is no sentence like"),
        ("sharePrice() drop", "is no sentence like"),
        (
            "sharePrice() falls > 1 %",
            "'falls' is not one of drop, rise, change",
        ),
        ("sharePrice() drop > x %", "is no percentage"),
        ("sharePrice() drop > -1 %", "is no percentage"),
        ("sharePrice() drop > much", "is no unit"),
        ("owed(address) drop > 1", "write its type and its value"),
        ("owed(uint8 256) drop > 1", "write its type and its value"),
        ("owed(thing 5) drop > 1", "write its type and its value"),
        ("1() drop > 1", "is no function"),
        ("((((()))) drop > 1", "is no"),
    ] {
        let message = error(&never(sentence));
        assert!(message.contains(said), "{sentence}: {message}");
    }
    let long = format!("f({}) drop > 1", "1".repeat(2_000));
    assert!(error(&never(&long)).contains("at most 1024"));
}

#[test]
fn keys_are_strict_and_sids_are_shared_with_rules() {
    let text = never("a() drop > 1").replace("weight", "wieght");
    let lints = lint(text);
    assert!(
        lints[0].message.contains("did you mean 'weight'"),
        "{lints:?}"
    );
    assert_eq!((lints[0].line, lints[0].sid), (Some(2), Some(1)));
    let rule =
        "rules:\n- {sid: 1, msg: m, classtype: other, weight: 0.5, match: {creation: true}}\n";
    let both = format!("{rule}{}", never("a() drop > 1"));
    assert!(error(&both).contains("sid 1 is taken"));
    let disabled = format!("{}disable: [1]\n", never("a() drop > 1"));
    assert_eq!(load(&disabled).invariants(), []);
}

#[test]
fn an_invariant_for_a_contract_that_is_not_monitored_is_an_error() {
    let text = never("a() drop > 1").replace("msg: m", "msg: m, contract: Valt");
    let (_file, rules) = file(text.as_bytes());
    let set = RuleSet::load(&rules).expect("loads");
    assert!(set.check_contracts(&["Valt"]).is_ok());
    let error = set.check_contracts(&["Vault"]).expect_err("unknown");
    assert!(error.to_string().contains("Valt"), "{error}");
}

#[test]
fn an_answer_may_move_as_far_as_the_threshold_and_no_further() {
    let set = load(&never("a() drop > 10 %"));
    let broken =
        |before: u64, after: u64| set.invariants()[0].broken(U256::from(before), U256::from(after));
    assert!(!broken(100, 90) && broken(100, 89) && !broken(100, 200));
    assert!(!broken(0, 0) && !broken(0, 5));
    let set = load(&never("a() change > 5"));
    let broken =
        |before: u64, after: u64| set.invariants()[0].broken(U256::from(before), U256::from(after));
    assert!(broken(10, 16) && broken(10, 4) && !broken(10, 5));
    let set = load(&never("a() rise > 50 %"));
    assert!(set.invariants()[0].broken(U256::ZERO, U256::ONE));
}
