//! Which new contracts are worth calling.

use super::alarm::INFO;
use crate::evidence::Assessment;

/// What holds a monitored contract, looks like an attack, or comes of suspicious hands.
pub fn is_suspect(assessment: &Assessment) -> bool {
    let found = &assessment.found;
    let score = assessment.score.as_ref();
    !assessment.contained.is_empty()
        || score.is_some_and(|score| score.score >= INFO)
        || !found.funding.is_empty()
        || found.past_attacker.is_some()
}
