//! Conditions that are well formed but surely not meant.

use crate::signatures::condition::{CodeTest, Condition, Test};
use alloy_primitives::U256;

/// Whether it can only match a transaction that touches a monitored contract or goes to named addresses.
pub(super) fn is_targeted(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().any(is_targeted),
        Condition::Any(parts) => parts.iter().all(is_targeted),
        Condition::Not(_) => false,
        Condition::Test(test) => matches!(
            test,
            Test::Touches(_)
                | Test::ToMonitored
                | Test::To(_)
                | Test::From(_)
                | Test::FromMonitored
                | Test::Mentions(_)
                | Test::Code(CodeTest::Addresses(_))
        ),
    }
}

/// Whether no transaction can match, as far as single tests tell: a condition and its opposite side by side.
pub(super) fn contradiction(condition: &Condition) -> Option<&'static str> {
    let Condition::All(parts) = condition else {
        return None;
    };
    let has = |wanted: &dyn Fn(&Test) -> bool| {
        parts
            .iter()
            .any(|p| matches!(p, Condition::Test(t) if wanted(t)))
    };
    let creation = has(&|t| *t == Test::Creation(true));
    let called = has(&|t| {
        matches!(
            t,
            Test::Selector(_) | Test::To(_) | Test::ToMonitored | Test::Word { .. }
        )
    });
    if creation && called {
        return Some(
            "a creation has no callee, selector or argument words; remove one of the conditions",
        );
    }
    let touches = has(&|t| matches!(t, Test::Touches(_) | Test::ToMonitored));
    if touches && has(&|t| *t == Test::TouchesNone) {
        return Some(
            "`touches: none` beside a condition that needs a monitored contract can never hold",
        );
    }
    let mut value = (U256::ZERO, U256::MAX);
    for part in parts {
        match part {
            Condition::Test(Test::Value(range)) => {
                value = (value.0.max(range.min), value.1.min(range.max))
            }
            other => {
                if let Some(inner) = contradiction(other) {
                    return Some(inner);
                }
            }
        }
    }
    (value.0 > value.1).then_some("the conditions on 'value' exclude each other")
}
