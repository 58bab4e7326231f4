//! From violations to one probability.

use crate::evidence::{Class, Violation};

/// What violations amount to without a loss beside a class rule: below every alarm's usual threshold.
const WITHOUT_BOTH: f32 = 0.49;

/// What the violations of one execution amount to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// That it is an attack: the weights as independent evidence, `1 − Π(1 − weight)`; at most 0.49 without an alarm.
    pub probability: f32,
    /// A loss and a sign of an attack's class, or a severe loss alone.
    pub alarm: bool,
}

/// Alarms on a loss together with a class rule, or on a severe loss alone: an arbitrage borrows and profits but takes
/// nothing from the contract, an honest withdrawal takes a lot in no attack's way.
pub fn judge(violations: &[Violation]) -> Judgement {
    let loss = violations
        .iter()
        .any(|v| v.class == Class::Loss || !v.losses.is_empty());
    let attack = violations.iter().any(|v| v.class == Class::Attack);
    let alarm = violations.iter().any(|v| v.severe) || (loss && attack);
    let innocence: f32 = violations
        .iter()
        .map(|v| 1.0 - v.weight.clamp(0.0, 1.0))
        .product();
    let probability = 1.0 - innocence;
    Judgement {
        probability: if alarm {
            probability
        } else {
            probability.min(WITHOUT_BOTH)
        },
        alarm,
    }
}
