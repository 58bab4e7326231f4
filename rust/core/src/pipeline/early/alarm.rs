//! From what is known of a new contract to an alert, or none.

use crate::evidence::{Assessment, ContractScore, EarlyReason, Grade};

/// Why a contract is worth an alert, where it is. `beta`: hints are wanted.
pub fn alarm(assessment: &Assessment, beta: bool) -> Option<EarlyReason> {
    let Assessment {
        found,
        score,
        detonation,
        ..
    } = assessment;
    let shown = detonation.as_ref().and_then(|done| done.proof.as_ref());
    let grade = shown.map(|shown| shown.simulation.grade());
    let score = score.as_ref();
    let funded = !found.funding.is_empty();
    let reasons = [
        (EarlyReason::Proof, grade == Some(Grade::Proved)),
        (EarlyReason::LikelyHarm, grade == Some(Grade::Likely)),
        (
            EarlyReason::Hides,
            detonation.as_ref().is_some_and(|done| done.hides),
        ),
        (
            EarlyReason::HighPrecision,
            score.is_some_and(ContractScore::high_precision),
        ),
        (EarlyReason::PastAttacker, found.past_attacker.is_some()),
        (
            EarlyReason::Funded,
            funded && score.is_some_and(ContractScore::high_recall),
        ),
        (
            EarlyReason::Info,
            beta && score.is_some_and(ContractScore::is_info),
        ),
    ];
    let mut holding = reasons.into_iter().filter(|(_, holds)| *holds);
    holding.next().map(|(reason, _)| reason)
}
