//! New contracts on the pipeline's thread: assessed, told of, and remembered until it is known what calling them does.

mod again;
mod alarm;
mod alert;
mod backlog;
mod construct;
mod contained;
mod detonator;
mod known;
mod met;
mod named;
mod naming;
mod parts;
mod scout;
mod search;
mod suspicion;
#[cfg(test)]
mod tests;

pub use alarm::alarm;
pub use alert::{Surroundings, alert};
pub use detonator::Detonator;
pub use known::Known;
pub use parts::{Parts, Shared, parts, prove_again};
pub use scout::Scout;
pub use search::Search;

use super::contact::Contacts;
use crate::classify::CodeScorer;
use crate::evidence::{
    Assessment, ContractScore, Deployment, Detonation, EarlyReason, EarlyWarning, FoundContract,
    Label, Sighting,
};
use alloy_primitives::Address;
use named::Named;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use suspicion::suspicion;

/// Contracts that are remembered: some are called again with each new head.
const REMEMBERED: usize = 4_096;

/// What is known of the newest contracts.
pub struct Desk {
    /// Where nobody has scored what is told of: in a replay.
    scorer: Option<Arc<CodeScorer>>,
    /// Scores that it could not give.
    failed: u64,
    /// Hints are wanted, too.
    beta: bool,
    named: Named,
    /// Newest last, with why there was an alert.
    known: VecDeque<(Assessment, Option<EarlyReason>)>,
}

/// What there is to say of a contract.
pub struct News<'a> {
    pub assessment: &'a Assessment,
    /// It is worth an alert that was not made yet.
    pub alert: Option<EarlyReason>,
    /// What alerts said that holds no longer.
    pub refuted: Vec<Label>,
}

impl Desk {
    pub fn new(scorer: Option<Arc<CodeScorer>>, beta: bool) -> Self {
        Self {
            scorer,
            failed: 0,
            beta,
            named: Named::default(),
            known: VecDeque::new(),
        }
    }

    /// A contract was found, or another code where there was one, or that it is gone. Nothing where that is not known of it.
    pub fn deployed(
        &mut self,
        found: FoundContract,
        score: Option<ContractScore>,
        contacts: &Contacts,
    ) -> Option<News<'_>> {
        let Deployment {
            address, tx, seen, ..
        } = found.deployment;
        let place = self.place(&address);
        if seen == Sighting::Gone {
            return self.gone(place?);
        }
        let known = place.map(|place| &self.known[place].0.found.deployment);
        if known.is_some_and(|known| (known.tx, known.seen) == (tx, seen)) {
            return None;
        }
        let score = score.or_else(|| self.score(&found.deployment));
        let contained = contained::of(&found.deployment, contacts, &self.named);
        let assessment = Assessment::new(found, score, contained);
        let before = place.and_then(|place| self.known.remove(place));
        let told = before.and_then(|(_, told)| told);
        let alert = alarm(&assessment, self.beta).filter(|reason| Some(*reason) != told);
        self.make_room();
        self.known.push_back((assessment, alert.or(told)));
        let (assessment, _) = self.known.back()?;
        Some(News {
            assessment,
            alert,
            refuted: Vec::new(),
        })
    }

    fn score(&mut self, deployment: &Deployment) -> Option<ContractScore> {
        let scored = self.scorer.as_ref()?.score(deployment);
        self.failed += u64::from(scored.is_err());
        scored.ok()?
    }

    /// Scores that could not be given since this was asked last.
    pub fn take_failed(&mut self) -> u64 {
        std::mem::take(&mut self.failed)
    }

    /// It is there no longer, or never was. What was said of it is said again if it comes back.
    fn gone(&mut self, place: usize) -> Option<News<'_>> {
        let (assessment, told) = self.known.get_mut(place)?;
        let seen = &mut assessment.found.deployment.seen;
        if std::mem::replace(seen, Sighting::Gone) == Sighting::Gone {
            return None;
        }
        let warning = told.take().map(|reason| EarlyWarning {
            reason,
            assessment: assessment.clone(),
        });
        let mut labels = warning.map_or_else(Vec::new, |warning| warning.labels());
        // What calling it showed is news again where it comes back.
        assessment.detonation = None;
        let deployer = assessment.found.deployment.deployer;
        // What another contract of the same deployer says of it stands.
        let (alerted, accused) = self.standing(deployer);
        labels.retain(|label| match label.label {
            "eoa" => !alerted,
            "attacker" => !accused,
            _ => true,
        });
        Some(News {
            assessment: &self.known[place].0,
            alert: None,
            refuted: labels.into_iter().map(Label::removed).collect(),
        })
    }

    /// Whether an alert names this deployer, and whether one says that it is an attacker.
    fn standing(&self, deployer: Address) -> (bool, bool) {
        let known = self.known.iter();
        let made = known.filter(|(one, _)| {
            let deployment = &one.found.deployment;
            deployment.deployer == deployer && deployment.is_deployers()
        });
        let told = made.filter_map(|(_, told)| *told);
        told.fold((false, false), |(_, accused), reason| {
            (true, accused || reason.accuses())
        })
    }

    /// Forgets the oldest of those of the least interest, where there are too many.
    fn make_room(&mut self) {
        if self.known.len() < REMEMBERED {
            return;
        }
        let interest = |(one, told): &(Assessment, Option<EarlyReason>)| {
            let touched = one.detonation.as_ref().is_some_and(|done| done.touched > 0);
            let aims = touched || !one.contained.is_empty();
            (told.is_some(), aims, suspicion(one) > 0.0)
        };
        let known = self.known.iter().enumerate();
        let least = known.min_by_key(|(place, one)| (interest(one), *place));
        let place = least.map_or(0, |(place, _)| place);
        self.known.remove(place);
    }

    pub fn knows(&self, address: &Address) -> bool {
        self.place(address).is_some()
    }

    /// Accounts keep a monitored contract's address in storage since a block.
    pub fn named(&mut self, named: &[(Address, Address)], contacts: &Contacts) {
        self.named.add(named);
        for (account, _) in named {
            if let Some(place) = self.place(account) {
                let contained = &mut self.known[place].0.contained;
                contained::add_named(contained, account, contacts, &self.named);
            }
        }
    }

    /// It was called. Nothing where it is not known any more, or where that showed nothing new: it is called again with each head.
    pub fn detonated(&mut self, address: &Address, detonation: Detonation) -> Option<News<'_>> {
        let place = self.place(address)?;
        let (assessment, told) = self.known.get_mut(place)?;
        let before = assessment.detonation.as_ref();
        let touched = |one: &Detonation| one.touched > 0;
        let shows = |one: &Detonation| {
            let proof = one.proof.as_ref();
            // The surest is the first of grades.
            proof.map(|proof| Reverse(proof.simulation.grade()))
        };
        let is_new = before.is_none_or(|before| {
            let surer = shows(&detonation) > shows(before);
            let more = touched(&detonation) && !touched(before);
            let more = more || (detonation.hides && !before.hides);
            surer || (more && shows(before).is_none())
        });
        if !is_new {
            return None;
        }
        assessment.detonation = Some(detonation);
        let alert = alarm(assessment, self.beta).filter(|reason| Some(*reason) != *told);
        *told = alert.or(*told);
        Some(News {
            assessment,
            alert,
            refuted: Vec::new(),
        })
    }

    /// Newest first: that is who is asked for.
    fn place(&self, address: &Address) -> Option<usize> {
        let same = |(one, _): &(Assessment, _)| one.found.deployment.address == *address;
        self.known.iter().rposition(same)
    }
}
