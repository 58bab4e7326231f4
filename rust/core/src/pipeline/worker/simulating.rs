//! Between triage and who simulates.

use super::{Simulating, Worker};
use crate::capture::CaptureWriter;
use crate::capture::context::ContextEntry;
use crate::evidence::{Failure, Identity, RecordedSimulation, SimulationResult};
use crate::pipeline::triage::{self, Action, Said};
use crate::simulate::pool::suspect::Key;
use alloy_primitives::B256;
use std::collections::VecDeque;
use std::time::Instant;

impl Worker {
    /// Tells triage what happened, and does what it says.
    pub(super) fn triage(&mut self, event: triage::Occurrence) {
        let now_ms = self.clock.elapsed_ms();
        if let Some(simulating) = &mut self.simulating {
            simulating.triage.handle(event, now_ms, &mut self.actions);
            self.act();
            self.judge_callers();
        }
    }

    /// Does what triage said, in order; refused submissions are told to it in their turn.
    pub(super) fn act(&mut self) {
        let mut actions = VecDeque::from(std::mem::take(&mut self.actions));
        while let Some(action) = actions.pop_front() {
            match action {
                Action::JudgeCallers(created) => self.created.push(created),
                Action::AskAgain(hash) => self.ask_again(hash),
                Action::Emit(mut emission) => {
                    let (slot, verdict) = (&mut emission.slot, emission.verdict);
                    match emission.said {
                        Said::Nothing => self.detection(slot, verdict),
                        said => self.alert_again(slot, verdict, said),
                    }
                }
                Action::Submit(suspect) => {
                    let Some(Simulating { triage, runner }) = &mut self.simulating else {
                        continue;
                    };
                    let key = suspect.key();
                    let refused = runner.submit(suspect);
                    if self.stirs {
                        self.output.stir();
                        // While it is simulated: not when an answer waits for it.
                        if let Some(suspicion) = triage.unexplained(&key) {
                            suspicion.factors = self.stages.explain(&suspicion.slot);
                        }
                    }
                    if let Some((key, failure)) = refused {
                        record_refusal(self.capture.as_ref(), &key, &failure);
                        let refused = triage::Occurrence::Ended {
                            key,
                            identity: Identity::default(),
                            result: Err(failure),
                            took_us: 0.0,
                        };
                        triage.handle(refused, self.clock.elapsed_ms(), &mut self.actions);
                        actions.extend(self.actions.drain(..));
                    }
                }
            }
        }
    }

    /// The contents of a hash are a lie: the next ones that are told under it count.
    fn ask_again(&mut self, hash: B256) {
        if self.intake.reconsider(hash)
            && let Some(live) = &self.live
        {
            live.fetch(hash);
        }
    }

    /// Judges anew who calls what is now known to be created, and came before its creation; and who calls what is now known to
    /// have to do with a monitored contract, and was of no interest before.
    pub(super) fn judge_callers(&mut self) {
        for created in std::mem::take(&mut self.created) {
            let mut waiting = self.stages.codes.waiting_for(&created);
            let triage = self
                .simulating
                .as_ref()
                .map(|simulating| &simulating.triage);
            waiting.extend(
                triage
                    .into_iter()
                    .flat_map(|triage| triage.passed_callers(&created)),
            );
            self.judge_again(waiting);
        }
    }

    pub(super) fn simulated(&mut self, mut done: SimulationResult) {
        if let Ok(simulation) = &mut done.result {
            self.learn(&simulation.leads);
            let deployments = std::mem::take(&mut simulation.deployments);
            if let Some(scout) = self.scout() {
                scout.simulated(deployments);
            }
        }
        self.triage(triage::Occurrence::Ended {
            key: (done.hash, done.fingerprint),
            identity: done.identity,
            result: done.result,
            took_us: done.took_us,
        });
    }

    /// Does again what a capture recorded; what nobody waits for is left.
    pub(super) fn replay(&mut self, record: &RecordedSimulation) {
        let start = Instant::now();
        self.triage(triage::Occurrence::Recorded(record.hash));
        let Some(Simulating { triage, runner }) = &mut self.simulating else {
            return;
        };
        let Some(awaited) = triage.awaits_record(&record.hash) else {
            return;
        };
        let key = awaited.slot.key();
        let (identity, result) = runner.again(record, awaited);
        if let Ok(simulation) = &result {
            self.learn(&simulation.leads);
        }
        self.triage(triage::Occurrence::Ended {
            key,
            identity,
            result: result.map(Box::new),
            took_us: start.elapsed().as_nanos() as f64 / 1000.0,
        });
    }
}

/// That a suspect is not simulated is what a replay is to know, too.
fn record_refusal(capture: Option<&CaptureWriter>, key: &Key, failure: &Failure) {
    if let Some(capture) = capture {
        let record = RecordedSimulation {
            hash: key.0,
            signer: None,
            failure: Some(failure.clone()),
            executed: None,
            unasked: None,
            mined: false,
        };
        capture.offer_context(ContextEntry::Simulation(Box::new(record)));
    }
}
