//! What the end of a simulation amounts to: an alert, one more try, or nothing.

use super::predecessors::unite;
use super::suspicion::{Said, Suspicion};
use super::{Action, Triage};
use crate::evidence::{
    Authenticity, DoneSimulation, Failure, FailureKind, Identity, Response, Simulation,
    SimulationStatus,
};

impl Triage {
    /// Takes in who it turned out to be. Answers none where that is no longer the question: it is a lie, and the truth under
    /// its hash is known; or its signer is another one than was told, so that what comes before it is, too.
    pub(super) fn identify(
        &mut self,
        suspicion: Option<Suspicion>,
        identity: Identity,
        now_ms: u64,
        out: &mut Vec<Action>,
    ) -> Option<Suspicion> {
        let mut suspicion = suspicion?;
        let slot = &mut suspicion.slot;
        // Who is refused is not looked at: what is known stays.
        if identity.authenticity != Authenticity::Unproven {
            slot.authenticity = identity.authenticity;
        }
        if identity.authenticity == Authenticity::Proven {
            self.proven.insert(slot.tx.hash, slot.fingerprint);
        }
        if self.is_refuted(slot) {
            return None;
        }
        if identity.authenticity == Authenticity::Contradicted {
            out.push(Action::AskAgain(slot.tx.hash));
        }
        if let Some(signer) = identity.other_than(slot.tx.from) {
            slot.tx.from = signer;
            // The nonce that a block has may be the other sender's.
            suspicion.mined = false;
            out.extend(self.news(&suspicion.slot).map(Action::JudgeCallers));
            self.submit_again(suspicion, now_ms, out);
            return None;
        }
        Some(suspicion)
    }

    /// What a simulation amounts to.
    pub(super) fn weigh(
        &mut self,
        mut suspicion: Suspicion,
        mut simulation: Simulation,
        took_us: f64,
        now_ms: u64,
        out: &mut Vec<Action>,
    ) {
        self.stats.simulated.add(1);
        let after_others = std::mem::take(&mut suspicion.after_others);
        let slot = &mut suspicion.slot;
        unite(
            &mut slot.contacts,
            &self.policy.indices(&simulation.touched),
        );
        let took = std::mem::take(&mut simulation.unaccounted);
        let too_much = self.takes(&mut suspicion, took);
        let accesses = std::mem::take(&mut simulation.accesses);
        let more = suspicion.learn(accesses, after_others);
        if after_others && !too_much && simulation.harm <= suspicion.harm {
            let key = suspicion.slot.key();
            self.keep(suspicion);
            return self.wake_readers(key, more, now_ms, out);
        }
        let slot = &mut suspicion.slot;
        // Executed without what comes before it, or with other contents than its own, this is not how it will be.
        simulation.complete &= !suspicion.alone;
        simulation.complete &= slot.authenticity != Authenticity::Contradicted;
        let foreseen = self.foresee(&simulation.created, &slot.contacts);
        out.extend(foreseen.into_iter().map(Action::JudgeCallers));
        let (decides, harm) = (simulation.decides(), simulation.harm);
        let first = decides && self.concluded.insert(slot.key(), ()).is_none();
        let (contact, stage_one) = (!slot.contacts.is_empty(), suspicion.score);
        // A rule of full weight asks for no proof.
        let certain = f32::from(u8::from(slot.signature_score >= 1.0));
        // What fails yet may wait for another's transaction; searchers come by contracts of their own.
        let monitored = |to| self.policy.addresses.contains(&to);
        let waits = match !decides && slot.tx.to.is_some_and(monitored) {
            true => stage_one,
            false => 0.0,
        };
        let score = simulation.verdict(stage_one).max(certain).max(waits);
        let sounds = self.policy.alarm.sounds(contact, score);
        let answer = simulation.response.as_ref().and_then(Response::answer);
        let obstructed = answer.map(|answer| answer.obstacle.is_some());
        // An alert that is out goes out once more when there is a proof at last, or when the next block can have the attack.
        let said = suspicion.said;
        let goes_out = match said {
            Said::Nothing => sounds,
            Said::NoVerdict => sounds && decides && !self.is_replaced(&suspicion),
            Said::Attack => sounds && obstructed == Some(false) && !self.is_replaced(&suspicion),
        };
        if goes_out {
            let done = DoneSimulation {
                simulation,
                took_us,
            };
            let status = SimulationStatus::Done(Box::new(done));
            out.push(suspicion.emission(score, status));
        }
        if obstructed == Some(true) && goes_out || said == Said::Attack && !goes_out {
            return self.obstruct(suspicion, now_ms, out);
        }
        if goes_out {
            return;
        }
        // Once, however often it is looked at; who has an alert was not spared one.
        if first && said == Said::Nothing && self.policy.alarm.sounds(contact, stage_one) {
            self.stats.exonerated.add(1);
        }
        if !contact {
            // Whom it calls may turn out to have to do with a monitored contract.
            self.uninvolved.replace(suspicion.slot.key(), true);
            self.passed.insert(suspicion.slot.key(), suspicion.slot.row);
            return;
        }
        // By itself it is too little for an alert.
        if too_much && said != Said::Attack && !self.policy.one_at_a_time {
            return self.submit_after_others(suspicion, now_ms, out);
        }
        if !after_others {
            suspicion.harm = harm;
        }
        let key = suspicion.slot.key();
        match suspicion.alone && !decides {
            true => self.put_off(suspicion, true, now_ms),
            false if !after_others && self.is_prepared(&suspicion) => {
                self.submit_after_others(suspicion, now_ms, out);
            }
            false => self.keep(suspicion),
        }
        self.wake_readers(key, more, now_ms, out);
    }

    /// What it amounts to that there is no simulation.
    pub(super) fn fail(
        &mut self,
        mut suspicion: Suspicion,
        failure: Failure,
        now_ms: u64,
        out: &mut Vec<Action>,
    ) {
        self.stats.simulation_failures.add(failure.kind);
        // By itself it has its verdict.
        if suspicion.after_others {
            return self.keep(suspicion);
        }
        if suspicion.said == Said::Attack {
            return self.wait(suspicion);
        }
        let contact = !suspicion.slot.contacts.is_empty();
        let score = failure.verdict(contact, suspicion.score);
        let (contact, kind) = (contact || failure.touched, failure.kind);
        if suspicion.said == Said::Nothing && self.policy.alarm.sounds(contact, score) {
            out.push(suspicion.emission(score, SimulationStatus::Failed(failure)));
            suspicion.said = Said::NoVerdict;
        }
        let matters = contact || suspicion.said == Said::NoVerdict;
        if !matters || kind == FailureKind::Budget {
            return;
        }
        match kind {
            // For what is recorded later.
            FailureKind::NotCaptured => self.keep(suspicion),
            // The next try was recorded, too.
            _ if self.policy.replay => self.submit_again(suspicion, now_ms, out),
            kind => self.put_off(suspicion, kind.was_executed(), now_ms),
        }
    }
}
