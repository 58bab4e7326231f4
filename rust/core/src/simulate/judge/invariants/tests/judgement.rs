use super::*;

fn violation(class: Class, weight: f32, severe: bool, loss: bool) -> Violation {
    Violation {
        shares: Vec::new(),
        invariant: "x".into(),
        contract: "c".into(),
        class,
        weight,
        severe,
        explanation: String::new(),
        losses: loss
            .then_some((Asset::Native, U256::ONE))
            .into_iter()
            .collect(),
    }
}

#[test]
fn a_loss_and_a_class_rule_alarm_together_and_neither_alone() {
    let loss = violation(Class::Loss, 0.5, false, true);
    let attack = violation(Class::Attack, 0.9, false, false);
    assert_eq!(judge(&[]).probability, 0.0);
    assert!(!judge(std::slice::from_ref(&loss)).alarm);
    let alone = judge(std::slice::from_ref(&attack));
    assert!(!alone.alarm && alone.probability < 0.5);
    let both = judge(&[loss, attack]);
    assert!(both.alarm && (both.probability - 0.95).abs() < 1e-6);
}

#[test]
fn a_severe_loss_alarms_alone() {
    let judgement = judge(&[violation(Class::Loss, 0.85, true, true)]);
    assert!(judgement.alarm && (judgement.probability - 0.85).abs() < 1e-6);
}

fn of(contract: &str, weight: f32, losses: &[(Asset, u64)]) -> Violation {
    let losses = losses.iter().map(|(asset, n)| (*asset, U256::from(*n)));
    Violation {
        contract: contract.into(),
        losses: losses.collect(),
        ..violation(Class::Attack, weight, false, false)
    }
}

#[test]
fn one_transfer_counts_once_however_many_contracts_it_breaks_something_of() {
    let token = Asset::Token(Address::repeat_byte(0x70));
    let probability = |found: &[Violation]| judge(found).probability;
    let (coin, router) = (
        of("Coin", 0.5, &[(token, 9)]),
        of("Router", 0.6, &[(token, 9)]),
    );
    assert!((probability(&[coin.clone(), router.clone()]) - 0.6).abs() < 1e-6);
    assert!((probability(&[router, coin]) - 0.6).abs() < 1e-6);
}

#[test]
fn what_is_lost_twice_and_two_signs_of_one_contract_count_twice() {
    let token = Asset::Token(Address::repeat_byte(0x70));
    let probability = |found: &[Violation]| judge(found).probability;
    let coin = || of("Coin", 0.5, &[(token, 9)]);
    let others = [
        of("Router", 0.5, &[(token, 8)]),
        of("Router", 0.5, &[(Asset::Native, 9)]),
        // A takeover moves nothing.
        of("Proxy", 0.5, &[]),
        coin(),
    ];
    for other in others {
        assert!((probability(&[coin(), other]) - 0.75).abs() < 1e-6);
    }
}
