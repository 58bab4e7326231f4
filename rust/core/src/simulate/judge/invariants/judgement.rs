//! From violations to one probability.

use crate::evidence::transfers::Asset;
use crate::evidence::{Class, Violation};
use alloy_primitives::U256;
use std::collections::{BTreeMap, BTreeSet};

/// What violations amount to without a loss beside a class rule: below every alarm's usual threshold.
const WITHOUT_BOTH: f32 = 0.49;

/// What the violations of one execution amount to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// That it is an attack: the weights as independent evidence, `1 − Π(1 − weight)`, of several contracts that lose the
    /// same the strongest alone; at most 0.49 without an alarm.
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
    let probability = 1.0 - innocence(violations);
    Judgement {
        probability: if alarm {
            probability
        } else {
            probability.min(WITHOUT_BOTH)
        },
        alarm,
    }
}

type Losses<'v> = BTreeSet<&'v (Asset, U256)>;

/// What moved once is seen once: where contracts lose the very same (a token that is moved, whoever moves it by an allowance,
/// and whose it was), what they say is no independent evidence, and the strongest of them counts.
fn innocence(violations: &[Violation]) -> f32 {
    let mut contracts: BTreeMap<&str, (f32, Losses)> = BTreeMap::new();
    for violation in violations {
        let (innocence, losses) = contracts
            .entry(&violation.contract)
            .or_insert((1.0, Losses::new()));
        *innocence *= 1.0 - violation.weight.clamp(0.0, 1.0);
        losses.extend(&violation.losses);
    }
    let mut sorted: Vec<_> = contracts.into_values().collect();
    sorted.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut seen = Losses::new();
    let mut all = 1.0;
    for (innocence, losses) in sorted {
        if losses.is_disjoint(&seen) {
            all *= innocence;
        }
        seen.extend(losses);
    }
    all
}
