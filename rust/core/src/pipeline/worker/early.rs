//! New contracts: who looks for them, and what is told of them.

use super::Worker;
use crate::event::Event;
use crate::evidence::{
    Anomaly, AnomalyKind, ContractScore, Detonation, FoundContract, RecordedDetonation, Sighting,
    ThreatDetection,
};
use crate::inbox::Detonated;
use crate::pipeline::early::{News, Scout, Surroundings, alert};
use alloy_primitives::Address;
use std::sync::Arc;
use std::time::Instant;

impl Worker {
    /// Absent where nobody looks for new contracts, or nothing is simulated.
    pub(super) fn scout(&self) -> Option<&Scout> {
        self.simulating.as_ref()?.runner.scout()
    }

    /// A creation that is pending is looked at before a block has it.
    pub(super) fn scout_creation(&self) {
        let slot = &self.slots[self.filled];
        if let (Some(scout), None) = (self.scout(), slot.tx.to) {
            scout.creation(Arc::new(slot.tx.clone()), slot.kept_original());
        }
    }

    pub(super) fn deployed(&mut self, found: FoundContract, score: Option<ContractScore>) {
        let surroundings = self.surroundings(found.at_ms);
        if let (Sighting::Gone, Some(scout)) = (found.deployment.seen, self.scout()) {
            scout.gone(found.deployment.address);
        }
        let Some(desk) = &mut self.desk else { return };
        let news = desk.deployed(found, score, &self.stages.contacts);
        let told = news.map(|news| told(&news, surroundings));
        self.stats.early.scores_failed.add(desk.take_failed());
        self.tell(told);
    }

    /// Accounts keep a monitored contract's address in storage since a block.
    pub(super) fn name(&mut self, named: &[(Address, Address)]) {
        let Some(desk) = &mut self.desk else { return };
        desk.named(named, &self.stages.contacts);
        if let Some(scout) = self.scout() {
            scout.named(named);
        }
    }

    pub(super) fn detonated(&mut self, done: Detonated) {
        self.shown(&done.address, done.detonation);
    }

    /// Does again what a capture recorded.
    pub(super) fn detonate_again(&mut self, record: &RecordedDetonation) {
        let (Some(_), Some(simulating)) = (&self.desk, &mut self.simulating) else {
            return;
        };
        match simulating.runner.detonate_again(record) {
            Ok(detonation) => self.shown(&record.address, detonation),
            Err(reason) => self.anomaly(Anomaly {
                at_ms: self.clock.unix_ms(),
                kind: AnomalyKind::MalformedCapture,
                origin: format!("what calling {} showed", record.address),
                reason,
            }),
        }
    }

    fn shown(&mut self, address: &Address, detonation: Detonation) {
        let surroundings = self.surroundings(self.clock.unix_ms());
        let Some(desk) = &mut self.desk else { return };
        if detonation.proof.is_some() && !desk.knows(address) {
            self.stats.early.proofs_lost.add(1);
        }
        let news = desk.detonated(address, detonation);
        let told = news.map(|news| told(&news, surroundings));
        self.tell(told);
    }

    fn tell(&mut self, told: Option<(Event, Option<ThreatDetection>)>) {
        let Some((deployment, alert)) = told else {
            return;
        };
        self.output.send(deployment);
        if let Some(alert) = alert {
            self.stats.detections.add(1);
            self.stats.early.alerts.add(1);
            self.output.send(Event::Detection(Box::new(alert)));
            self.alerted = true;
        }
    }

    fn surroundings(&self, at_ms: u64) -> Surroundings {
        Surroundings {
            chain_id: self.chain.id,
            watched_ms: self.watch.until(Instant::now(), at_ms),
        }
    }
}

fn told(news: &News, surroundings: Surroundings) -> (Event, Option<ThreatDetection>) {
    let alert = news
        .alert
        .map(|reason| alert(news.assessment, reason, surroundings));
    let told = Box::new(news.assessment.clone());
    (Event::Deployment(told, news.refuted.clone()), alert)
}
