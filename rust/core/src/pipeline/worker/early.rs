//! New contracts: to whom they are told, and what comes of it.

use super::Worker;
use crate::event::Event;
use crate::evidence::{ContractScore, Detonation, EarlyReason, FoundContract, RecordedDetonation};
use crate::inbox::Detonated;
use crate::pipeline::early::{News, Surroundings, alert};
use alloy_primitives::Address;
use std::sync::Arc;

impl Worker {
    /// A creation that is pending is looked at before a block has it.
    pub(super) fn scout_creation(&mut self) {
        let slot = &self.slots[self.filled];
        if let (Some(scout), None) = (&self.scout, slot.tx.to) {
            scout.creation(Arc::new(slot.tx.clone()), slot.kept_original());
        }
    }

    pub(super) fn deployed(&mut self, found: FoundContract, score: Option<ContractScore>) {
        let contacts = &self.stages.contacts;
        let news = self.desk.deployed(found, score, contacts);
        let told = news.map(News::into_events);
        self.tell(told);
    }

    pub(super) fn detonated(&mut self, done: Detonated) {
        self.shown(&done.address, done.detonation);
    }

    /// Does again what a capture recorded.
    pub(super) fn detonate_again(&mut self, record: &RecordedDetonation) {
        let Some(simulating) = &mut self.simulating else {
            return;
        };
        let creation = self.desk.creation(&record.address);
        let detonation = simulating.runner.detonate_again(record, creation);
        self.shown(&record.address, detonation);
    }

    fn shown(&mut self, address: &Address, detonation: Detonation) {
        let news = self.desk.detonated(address, detonation);
        let told = news.map(News::into_events);
        self.tell(told);
    }
}
