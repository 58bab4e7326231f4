//! The first stage's judgement: of a batch, of what waited for its callee's code, and what is made of it.

use super::{Simulating, Told, Worker};
use crate::config::Emit;
use crate::event::{Event, Judged, TransactionRecord};
use crate::evidence::{Anomaly, AnomalyKind, Authenticity, SimulationStatus};
use crate::pipeline::codes::{AwaitsCode, Lookup, is_payment};
use crate::pipeline::slot::{Slot, Timings};
use crate::pipeline::triage::{self, Course, Said, Verdict};
use std::time::Instant;

/// Probability of what the model could not judge.
const NO_ANSWER: f32 = 1.0;

impl Worker {
    /// Asks for the callee's code where it is not known, and remembers the transaction for when it is.
    pub(super) fn ask_for_code(&mut self) {
        let slot = &self.slots[self.filled];
        let Some(callee) = slot.tx.to else { return };
        let block = self.stages.chain.block_number.unwrap_or(0);
        let known = self.stages.codes.lookup(&callee, block);
        match known {
            Lookup::Known => return,
            // Ether sent to an account without code.
            Lookup::Empty | Lookup::StillEmpty if is_payment(&slot.tx) => return,
            _ if !self.stages.judges() => {}
            _ => {
                let waiting = AwaitsCode {
                    tx: slot.tx.clone(),
                    row: slot.row,
                    fingerprint: slot.fingerprint,
                    original: slot.kept_original(),
                    arrived: slot.timings.arrived,
                };
                let gave_way = self.stages.codes.wait(callee, waiting);
                self.stats.rescore_dropped.add(gave_way);
            }
        }
        let asked_already = matches!(known, Lookup::Dating | Lookup::StillEmpty);
        if let Some(live) = self.live.as_ref().filter(|_| !asked_already) {
            live.request_code(callee);
        }
    }

    pub(super) fn judge_again(&mut self, waited: impl IntoIterator<Item = AwaitsCode>) {
        for waiting in waited {
            let slot = &mut self.slots[self.filled];
            slot.timings = Timings::new(waiting.arrived);
            (slot.tx, slot.row, slot.again) = (waiting.tx, waiting.row, true);
            (slot.fingerprint, slot.original) = (waiting.fingerprint, waiting.original);
            slot.authenticity = Authenticity::default();
            self.stages.examine_again(slot);
            self.stats.rescored.add(1);
            self.filled += 1;
            if self.filled == self.slots.len() {
                self.judge();
            }
        }
        self.judge();
    }

    /// Classifies the batch and emits what it found.
    pub(super) fn judge(&mut self) {
        let batch = std::mem::take(&mut self.filled);
        if batch == 0 {
            return;
        }
        let mut probabilities = std::mem::take(&mut self.probabilities);
        if let Err(error) = self
            .stages
            .classify(&self.slots[..batch], &mut probabilities)
        {
            // No answer must not pass as harmless.
            self.anomaly(Anomaly {
                at_ms: self.clock.unix_ms(),
                kind: AnomalyKind::Inference,
                origin: "classifier".into(),
                reason: error.to_string(),
            });
            probabilities.clear();
            probabilities.resize(batch, NO_ANSWER);
        }
        let (classified, now_ms) = (Instant::now(), self.clock.elapsed_ms());
        for (i, probability) in probabilities.iter().copied().enumerate() {
            let slot = &mut self.slots[i];
            slot.timings.classified = classified;
            let probability = match probability.is_nan() {
                true => NO_ANSWER,
                false => probability,
            };
            let score = probability.max(slot.signature_score);
            if !slot.again {
                self.count_classified(i, probability, score);
            }
            let slot = &mut self.slots[i];
            let course = match &mut self.simulating {
                Some(Simulating { triage, .. }) => {
                    triage.judged(slot, probability, score, now_ms, &mut self.actions)
                }
                None => Course::Passed,
            };
            if course == Course::Held {
                self.act();
            } else if self.stages.alarm.sounds(!slot.contacts.is_empty(), score) {
                let mut slot = std::mem::take(slot);
                let verdict = Verdict {
                    probability,
                    score,
                    factors: None,
                    simulation: SimulationStatus::NotRun,
                };
                self.detection(&mut slot, verdict);
                self.slots[i] = slot;
            }
            if course == Course::Passed
                && let Some(Simulating { triage, .. }) = &mut self.simulating
            {
                triage.passed(&mut self.slots[i], now_ms, &mut self.actions);
                if !self.actions.is_empty() {
                    self.act();
                }
            }
        }
        // They may be parts of messages of megabytes.
        let batch = self.slots[..batch].iter_mut();
        batch.for_each(|slot| slot.original = None);
        self.probabilities = probabilities;
        self.triage(triage::Occurrence::Time);
    }

    pub(super) fn count_classified(&mut self, slot: usize, probability: f32, score: f32) {
        let slot = &self.slots[slot];
        let (arrived, finished) = (slot.timings.arrived, slot.timings.classified);
        self.stats.classified.add(1);
        self.latency
            .record(finished.saturating_duration_since(arrived));
        if self.emit == Emit::All {
            let judged = Some(Judged {
                features: slot.row,
                probability,
                score,
            });
            self.records.push(TransactionRecord {
                tx: slot.tx.clone(),
                judged,
                arrived,
                finished,
            });
        }
    }

    pub(super) fn detection(&mut self, slot: &mut Slot, verdict: Verdict) {
        let first = self.detected.get(&slot.tx.hash);
        // One detection a transaction: the second judgement may find one that the first did not.
        if first.is_some_and(|first| first.authenticity == Authenticity::Proven) {
            return;
        }
        if slot.authenticity == Authenticity::Unproven {
            slot.prove();
        }
        let simulating = self.simulating.as_ref();
        if simulating.is_some_and(|simulating| simulating.triage.is_refuted(slot)) {
            return;
        }
        // But where the first may have been made of a lie, the truth has one of its own.
        let corrects = first.is_some();
        let proven = slot.authenticity == Authenticity::Proven;
        if corrects && !proven {
            return;
        }
        let told = Told {
            authenticity: slot.authenticity,
            corrects,
            proves: false,
        };
        self.detected.replace(slot.tx.hash, told);
        if self.alert(slot, verdict, told) {
            self.stats.detections.add(1);
        }
        // It is followed since the first.
        if corrects {
            return;
        }
        let now_ms = self.clock.unix_ms();
        self.tracker
            .follow(&slot.tx.hash, now_ms, &mut self.outcomes);
        self.report_outcomes();
    }

    /// A detection that is out: by the same id where now the next block can have the transaction, by one of its own where
    /// there is a verdict at last.
    pub(super) fn alert_again(&mut self, slot: &mut Slot, verdict: Verdict, said: Said) {
        let hash = slot.tx.hash;
        let simulating = self.simulating.as_ref();
        let refuted = simulating.is_some_and(|simulating| simulating.triage.is_refuted(slot));
        let told = self.detected.get(&hash);
        if let Some(mut told) = told.filter(|_| !refuted && !self.tracker.gave_up(&hash)) {
            told.proves |= said == Said::NoVerdict;
            self.detected.replace(hash, told);
            self.alert(slot, verdict, told);
        }
    }

    /// Sends it; answers whether there was anything to send.
    fn alert(&mut self, slot: &Slot, verdict: Verdict, told: Told) -> bool {
        let watched_ms = self.watch.until(slot.timings.arrived, slot.tx.seen_ms);
        let detection = self.stages.detect(slot, verdict, watched_ms);
        let Some(mut detection) = detection else {
            return false;
        };
        if told.corrects {
            detection.alert_id.push_str("-proven");
        }
        if told.proves {
            detection.alert_id.push_str("-simulated");
        }
        self.output.send(Event::Detection(Box::new(detection)));
        self.alerted = true;
        true
    }
}
