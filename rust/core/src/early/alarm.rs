//! From what is known of a new contract to an alert, or none.

use crate::evidence::{Assessment, ContractScore, EarlyReason};

/// Score from which a contract is worth a hint, and a look at what it does.
pub const INFO: f32 = 0.5;

/// Why a contract is worth an alert, where it is. `beta`: hints are wanted.
pub fn alarm(assessment: &Assessment, beta: bool) -> Option<EarlyReason> {
    let detonation = assessment.detonation.as_ref();
    let score = assessment.score.as_ref();
    let suspicious = score.is_some_and(ContractScore::is_suspicious);
    let reasons = [
        (
            EarlyReason::Proof,
            detonation.is_some_and(|done| done.proof.is_some()),
        ),
        (
            EarlyReason::HighPrecision,
            score.is_some_and(ContractScore::is_precise),
        ),
        (
            EarlyReason::PastAttacker,
            assessment.past_attacker.is_some(),
        ),
        (
            EarlyReason::Funded,
            suspicious && !assessment.funding.is_empty(),
        ),
        (
            EarlyReason::Info,
            beta && score.is_some_and(|score| score.score >= INFO),
        ),
    ];
    let mut holding = reasons.into_iter().filter(|(_, holds)| *holds);
    holding.next().map(|(reason, _)| reason)
}
