//! Which new contracts are worth calling, and how soon.

use crate::evidence::Assessment;

/// Of one that holds a monitored contract, at the least: that is the strongest sign of all.
const CONTAINS: f32 = 0.5;
/// Of one that comes of suspicious hands.
const HANDS: f32 = 0.3;

/// 0 where it is not worth it: nothing monitored is in it, its score is low, and its maker is nobody.
pub fn suspicion(assessment: &Assessment) -> f32 {
    let found = &assessment.found;
    let score = assessment.score.as_ref().filter(|score| score.is_info());
    let of_score = score.map_or(0.0, |score| score.score);
    let contains = !assessment.contained.is_empty();
    let hands = !found.funding.is_empty() || found.past_attacker.is_some();
    let signs = [(contains, CONTAINS), (hands, HANDS)];
    let signs = signs.iter().filter(|(there, _)| *there);
    // Each by itself, as independent evidence.
    let unlikely = signs.fold(1.0 - of_score, |left, (_, sign)| left * (1.0 - sign));
    1.0 - unlikely
}
