//! Evaluation in the hot path, and what it costs.

use super::condition::Prepared;
use super::threshold::Counts;
use super::{Matcher, RuleCost, RuleSet, Subject};
use crate::evidence::SignatureMatch;
use std::sync::Arc;
use std::time::Instant;

/// One transaction in this many is timed, rule by rule.
const SAMPLE: u64 = 64;

/// Use and cost of one rule.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counter {
    evaluated: u64,
    matched: u64,
    muted: u64,
    timed: u64,
    nanoseconds: u64,
    /// The last round that evaluated it, so that two selectors that lead to a rule evaluate it once.
    round: u64,
}

impl Matcher {
    pub fn new(rules: Arc<RuleSet>) -> Self {
        let counters = vec![Counter::default(); rules.rules.len()];
        Self {
            rules,
            counters,
            counts: Counts::default(),
            round: 0,
        }
    }

    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Replaces the rules. Cost counters stay for a rule with the same sid and rev, threshold state if its threshold is the
    /// same too.
    pub fn reload(&mut self, rules: Arc<RuleSet>) {
        let (old, new) = (&self.rules, &rules);
        self.counts
            .retain(|sid| match (old.get(sid), new.get(sid)) {
                (Some((_, a)), Some((_, b))) => {
                    a.rule.rev == b.rule.rev && a.threshold == b.threshold
                }
                _ => false,
            });
        let kept = |(sid, rev)| {
            old.get(sid)
                .filter(|(_, a)| a.rule.rev == rev)
                .map(|(i, _)| self.counters[i])
        };
        let counters = rules
            .rules
            .iter()
            .map(|loaded| kept((loaded.rule.sid, loaded.rule.rev)).unwrap_or_default())
            .collect();
        self.counters = counters;
        self.rules = rules;
    }

    /// Puts the sids of the rules that match into `out` (cleared first), ascending, and returns 1 − Π(1 − weight), 0 to 1.
    /// Does not touch threshold state. Allocates nothing once `out` has grown.
    pub fn evaluate(&mut self, subject: &Subject, out: &mut Vec<u32>) -> f32 {
        if self.round.is_multiple_of(SAMPLE) {
            self.run::<true>(subject, out)
        } else {
            self.run::<false>(subject, out)
        }
    }

    fn run<const TIMED: bool>(&mut self, subject: &Subject, out: &mut Vec<u32>) -> f32 {
        out.clear();
        // From 1, so that a fresh counter's 0 is no round.
        self.round += 1;
        let Self {
            rules,
            counters,
            round,
            ..
        } = self;
        let prepared = Prepared::new(subject);
        rules.index.candidates(&prepared, |i| {
            let counter = &mut counters[i as usize];
            if counter.round == *round {
                return;
            }
            counter.round = *round;
            counter.evaluated += 1;
            let start = TIMED.then(Instant::now);
            let holds = rules.rules[i as usize].rule.condition.holds(&prepared);
            if let Some(start) = start {
                counter.timed += 1;
                counter.nanoseconds += start.elapsed().as_nanos() as u64;
            }
            if holds {
                counter.matched += 1;
                out.push(i);
            }
        });
        // Places ascend with sids; the order makes the product the same in every run.
        out.sort_unstable();
        let mut harmless = 1.0_f64;
        for place in out.iter_mut() {
            let rule = &rules.rules[*place as usize].rule;
            harmless *= 1.0 - f64::from(rule.weight);
            *place = rule.sid;
        }
        (1.0 - harmless) as f32
    }

    /// For a detection: full records of the sids that [`evaluate`](Self::evaluate) gave, thresholds and suppressions
    /// applied (they mute, they never drop). Counts towards thresholds, so call it once per detection.
    pub fn report(&mut self, subject: &Subject, matched: &[u32]) -> Vec<SignatureMatch> {
        let Self {
            rules,
            counters,
            counts,
            ..
        } = self;
        let tx = subject.tx;
        let mut records = Vec::with_capacity(matched.len());
        for &sid in matched {
            // A reload may have taken the rule away since.
            let Some((i, loaded)) = rules.get(sid) else {
                continue;
            };
            let suppressed = loaded
                .suppressions
                .iter()
                .any(|s| s.mutes(&tx.from, tx.to.as_ref()));
            // As in Suricata, what is suppressed does not count.
            let notify = !suppressed
                && loaded.threshold.as_ref().is_none_or(|threshold| {
                    counts.notify(sid, threshold, &tx.from, tx.to.as_ref(), tx.seen_ms)
                });
            counters[i].muted += u64::from(!notify);
            let rule = &loaded.rule;
            records.push(SignatureMatch {
                id: rule.sid,
                rev: rule.rev,
                name: rule.msg.clone(),
                classtype: rule.classtype.clone(),
                severity: rule.severity,
                score: rule.weight,
                notify,
            });
        }
        records
    }

    /// Of enabled rules, by sid.
    pub fn costs(&self) -> Vec<RuleCost> {
        let enabled = self
            .rules
            .rules
            .iter()
            .zip(&self.counters)
            .filter(|(loaded, _)| loaded.rule.enabled);
        enabled
            .map(|(loaded, counter)| RuleCost {
                sid: loaded.rule.sid,
                evaluated: counter.evaluated,
                matched: counter.matched,
                muted: counter.muted,
                mean_ns: if counter.timed == 0 {
                    0.0
                } else {
                    counter.nanoseconds as f64 / counter.timed as f64
                },
            })
            .collect()
    }

    #[cfg(test)]
    pub(super) fn threshold_states(&self) -> usize {
        self.counts.len()
    }
}
