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
