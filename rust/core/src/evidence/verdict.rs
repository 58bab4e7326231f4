//! What a simulation, or that there is none, says of a suspect: a probability from 0 to 1.

use super::failure::{Failure, FailureKind};
use super::simulation::{Simulation, Variation};

/// How much the first stage counts once it is known what the transaction does: not enough for an alert.
const STAGE_ONE: f32 = 0.2;
/// Odds by which a monitored contract that was touched and keeps all its invariants speaks against an attack on it: they
/// are silent on 2 of the 16 real attacks that they were tuned on (of new ones on .36 at most, by Wilson's interval), and
/// on nearly all else (benches/QUALITY.md).
const INTACT: f32 = 0.125;
/// What this comes to at most without a broken invariant: HIGH. CRITICAL is for what breaks something; of what the
/// model alone takes for an attack every other is none (benches/QUALITY.md).
const ALONE: f32 = 0.89;
/// Odds by which it speaks against an attack that it fails after what is pending of its own sender: attacks that wait for
/// another's transaction are rare, and what searchers try fails every day.
const FAILED: f32 = 0.5;

/// Of what cannot be watched to its end while it has to do with a monitored contract: an alert.
pub const HIDING: f32 = 0.8;

impl Simulation {
    /// The final probability: invariants, the model of what it does, and the first stage's score as independent evidence,
    /// `1 − (1 − harm)(1 − probability)(1 − 0.2 · stage one)`, where the model's odds are an eighth, and the whole is 0.89 at most,
    /// if a monitored contract was called and keeps its invariants, or none was and nothing of anybody's moves, as where a
    /// contract is created that allows another one its tokens. Harm and probability are the worst of all surroundings.
    ///
    /// The first stage knows nothing of code that is not there yet: that of contracts which the transaction creates counts as its
    /// score, where it is higher; at an eighth of its odds where they are created and nothing else is done. What such a contract
    /// is, is for those to tell who call it.
    ///
    /// Only what was seen whole ([`decides`](Self::decides)) lowers the first stage's score to a fifth; that it fails halves
    /// its odds. What does more than can be recorded and calls a monitored contract meanwhile is taken for an
    /// attack: honest transactions have nothing to hide.
    pub fn verdict(&self, stage_one: f32) -> f32 {
        let code = self.code_score.unwrap_or(0.0);
        let seen = self.succeeded && self.watched && !self.cut;
        let code = match seen && self.is_idle() {
            true => at_odds(INTACT, code),
            false => code,
        };
        let stage_one = stage_one.max(code);
        let verdict = self.evidence(stage_one);
        let hides = self.cut && !self.touched.is_empty();
        match (self.decides(), hides) {
            (true, _) => verdict,
            (false, false) if self.fails() => verdict.max(at_odds(FAILED, stage_one)),
            (false, false) => verdict.max(stage_one),
            (false, true) => verdict.max(stage_one).max(HIDING),
        }
    }

    /// Whether it was executed, seen whole, and came to nothing; no surroundings are known in which it does harm.
    fn fails(&self) -> bool {
        let seen = self.complete && !self.exhausted && self.watched && !self.cut;
        let seen = seen && self.gas_used > 0;
        let harmless = |variation: &Variation| variation.harm == 0.0 && variation.finished;
        seen && !self.succeeded && self.variations.iter().all(harmless)
    }

    fn finished(&self) -> bool {
        self.variations.iter().all(|variation| variation.finished)
    }

    /// Whether what it does where it is likely to land was seen whole: it succeeded, on the state that it will find as far as
    /// can be told, with its storage watched and nothing left out. What fails proves nothing: it may succeed after a
    /// transaction that is not known.
    pub fn shows(&self) -> bool {
        self.succeeded && self.complete && self.watched && !self.cut
    }

    /// Whether it is known what the transaction does: it [shows](Self::shows) it, in all surroundings it came to its end, and
    /// the model and all contracts that were asked had an answer.
    pub fn decides(&self) -> bool {
        let answered = self.probability.is_some_and(f32::is_finite);
        self.shows() && !self.exhausted && self.finished() && answered
    }

    /// It calls no monitored contract, and nothing of anybody's moves; nor does it harm in other surroundings.
    fn is_idle(&self) -> bool {
        self.touched.is_empty() && self.flows.is_empty() && self.worst_harm() == 0.0
    }

    fn worst_harm(&self) -> f32 {
        let varied = self.variations.iter().map(|variation| variation.harm);
        varied.fold(self.harm, f32::max)
    }

    fn evidence(&self, stage_one: f32) -> f32 {
        let known = |probability: Option<f32>| probability.filter(|p| p.is_finite()).unwrap_or(0.0);
        let harm = self.worst_harm();
        let varied = self.variations.iter().map(|v| known(v.probability));
        let mut probability = varied.fold(known(self.probability), f32::max);
        let mut most = 1.0;
        if harm == 0.0 && (self.acted || self.is_idle()) && self.decides() {
            probability = at_odds(INTACT, probability);
            most = ALONE;
        }
        let innocent = (1.0 - harm) * (1.0 - probability) * (1.0 - STAGE_ONE * stage_one);
        (1.0 - innocent).clamp(0.0, most)
    }
}

/// A probability of which the odds are so many times those of another.
fn at_odds(times: f32, probability: f32) -> f32 {
    times * probability / (times * probability + 1.0 - probability)
}

impl Failure {
    /// Whether it is more than can be simulated, and calls a monitored contract.
    pub fn hides(&self) -> bool {
        self.kind == FailureKind::Budget && self.touched
    }

    /// What it says of a suspect that touches a monitored contract: to be more than can be simulated is a way to hide.
    pub fn verdict(&self, contact: bool, stage_one: f32) -> f32 {
        match self.kind == FailureKind::Budget && (contact || self.touched) {
            true => stage_one.max(HIDING),
            false => stage_one,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::detection::ThreatLevel;
    use crate::evidence::simulation::Flow;
    use crate::evidence::transfers::Asset;
    use alloy_primitives::{Address, I256};
    use proptest::prelude::*;

    fn succeeded() -> Simulation {
        Simulation {
            succeeded: true,
            complete: true,
            watched: true,
            probability: Some(0.0),
            ..Simulation::default()
        }
    }

    fn moves() -> Simulation {
        let flow = Flow {
            account: Address::ZERO,
            asset: Asset::Native,
            amount: I256::ONE,
        };
        Simulation {
            flows: vec![flow],
            ..succeeded()
        }
    }

    #[test]
    fn the_first_stage_alone_is_no_alert_once_it_is_known_what_it_does() {
        assert!((succeeded().verdict(1.0) - 0.2).abs() < 1e-6);
    }

    #[test]
    fn what_fails_or_is_not_seen_whole_proves_nothing() {
        assert_eq!(Simulation::default().verdict(0.8), 0.8);
        let cut = Simulation {
            cut: true,
            ..succeeded()
        };
        assert_eq!(cut.verdict(0.6), 0.6);
        type Change = fn(&mut Simulation);
        let changes: [Change; 6] = [
            |simulation| simulation.exhausted = true,
            |simulation| simulation.watched = false,
            |simulation| simulation.complete = false,
            |simulation| simulation.probability = None,
            |simulation| simulation.probability = Some(f32::NAN),
            |simulation| {
                simulation.variations = vec![Variation {
                    of: "time",
                    harm: 0.0,
                    probability: None,
                    finished: false,
                }];
            },
        ];
        for change in changes {
            let mut simulation = succeeded();
            change(&mut simulation);
            assert_eq!(simulation.verdict(0.6), 0.6);
        }
    }

    #[test]
    fn code_that_only_comes_to_be_is_no_alert_by_its_looks_where_it_is_not_known_what_it_finds() {
        let idle = Simulation {
            complete: false,
            code_score: Some(0.92),
            ..succeeded()
        };
        assert!(idle.verdict(0.0) < 0.7);
        assert_eq!(idle.verdict(0.8), 0.8);
        type Change = fn(&mut Simulation);
        let changes: [Change; 4] = [
            |simulation| simulation.touched = vec!["Vault".into()],
            |simulation| simulation.flows = moves().flows,
            |simulation| simulation.cut = true,
            |simulation| simulation.succeeded = false,
        ];
        for change in changes {
            let mut simulation = idle.clone();
            change(&mut simulation);
            assert_eq!(simulation.verdict(0.0), 0.92);
        }
    }

    #[test]
    fn what_fails_seen_whole_halves_the_odds_and_what_was_not_executed_does_not() {
        let fails = Simulation {
            succeeded: false,
            gas_used: 21_000,
            ..succeeded()
        };
        assert!((fails.verdict(0.8) - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!(fails.verdict(1.0), 1.0);
        type Change = fn(&mut Simulation);
        let changes: [Change; 6] = [
            |simulation| simulation.exhausted = true,
            |simulation| simulation.gas_used = 0,
            |simulation| simulation.watched = false,
            |simulation| simulation.complete = false,
            |simulation| simulation.cut = true,
            |simulation| {
                simulation.variations = vec![Variation {
                    of: "time",
                    harm: 0.1,
                    probability: None,
                    finished: true,
                }];
            },
        ];
        for change in changes {
            let mut simulation = fails.clone();
            change(&mut simulation);
            assert_eq!(simulation.verdict(0.8), 0.8);
        }
    }

    #[test]
    fn what_hides_behind_noise_while_it_calls_a_monitored_contract_is_an_alert() {
        let hides = Simulation {
            cut: true,
            touched: vec!["Vault".into()],
            ..succeeded()
        };
        assert_eq!(hides.verdict(0.0), HIDING);
    }

    #[test]
    fn invariants_that_hold_speak_for_it() {
        let mut simulation = Simulation {
            probability: Some(0.8),
            ..moves()
        };
        assert_eq!(simulation.verdict(0.0), 0.8);
        simulation.acted = true;
        assert!((simulation.verdict(0.0) - 1.0 / 3.0).abs() < 1e-6);
        simulation.probability = Some(1.0);
        assert_eq!(simulation.verdict(1.0), ALONE);
        assert!(ThreatLevel::of(ALONE) == ThreatLevel::High);
        simulation.probability = Some(0.8);
        simulation.harm = 0.9;
        assert!((simulation.verdict(0.0) - 0.98).abs() < 1e-6);
    }

    #[test]
    fn that_nothing_moves_and_nobody_monitored_is_called_speaks_for_it() {
        let mut simulation = Simulation {
            probability: Some(0.8),
            ..succeeded()
        };
        assert!((simulation.verdict(0.0) - 1.0 / 3.0).abs() < 1e-6);
        simulation.touched = vec!["Vault".into()];
        assert_eq!(simulation.verdict(0.0), 0.8);
    }

    #[test]
    fn the_worst_surroundings_count() {
        let variation = Variation {
            of: "coinbase",
            harm: 0.9,
            probability: None,
            finished: true,
        };
        let simulation = Simulation {
            variations: vec![variation],
            ..Simulation::default()
        };
        assert!((simulation.verdict(0.0) - 0.9).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn more_evidence_never_lowers_a_verdict(
            harm in 0.0..=1.0_f32, probability in 0.0..=1.0_f32, stage_one in 0.0..=1.0_f32, more in 0.0..=1.0_f32,
        ) {
            let simulation = |harm, probability| Simulation { harm, probability: Some(probability), ..succeeded() };
            let verdict = simulation(harm, probability).verdict(stage_one);
            prop_assert!((0.0..=1.0).contains(&verdict));
            prop_assert!(simulation(harm.max(more), probability).verdict(stage_one) >= verdict);
            prop_assert!(simulation(harm, probability.max(more)).verdict(stage_one) >= verdict);
            prop_assert!(simulation(harm, probability).verdict(stage_one.max(more)) >= verdict);
        }
    }
}
