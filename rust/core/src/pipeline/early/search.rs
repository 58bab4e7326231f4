//! What a new contract is worth: what only a node or a disk can tell of it is added here, and its score.

use super::Shared;
use super::backlog::Word;
use super::contained;
use super::detonator::{Detonator, Suspect};
use super::known::Known;
use super::met::{Meeting, Met};
use super::named::Named;
use super::suspicion::suspicion;
use crate::classify::CodeScorer;
use crate::detonate::Creation;
use crate::evidence::{
    Anomaly, AnomalyKind, Assessment, ContractScore, Deployment, FoundContract, Sighting,
};
use crate::inbox::Item;
use crate::pipeline::clock::now_ms;
use crate::pipeline::contact::Contacts;
use crate::pipeline::dedup::Dedup;
use crate::simulate::state::Snapshot;
use crate::survey::Surveyor;
use crate::survey::resolve::resolve;
use alloy_primitives::{Address, B256, Bytes};
use revm::DatabaseRef;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long nodes may take to tell of a block, and of one that is tried again: the next head waits meanwhile.
const SURVEYED: Duration = Duration::from_secs(10);
const SURVEYED_AGAIN: Duration = Duration::from_secs(3);
/// How long a constructor may run, its state asked for meanwhile; and while others wait.
pub(super) const CONSTRUCTED: Duration = Duration::from_millis(500);
pub(super) const AT_ONCE: Duration = Duration::from_millis(50);
/// Contracts remembered by the hash of their code, so that each is told of once.
const MET: usize = 1 << 15;
/// Contracts of which more may come to be known.
const LATELY: usize = 1_024;

/// What became of a look.
pub(super) enum Looked {
    Done,
    /// No node told of the head.
    Untold {
        hash: B256,
        attempts: u8,
    },
    /// There is this to look at yet.
    More(Word),
}

/// All that the search takes.
pub struct Search {
    pub surveyor: Surveyor,
    pub known: Known,
    /// Absent where the model's folder has none.
    pub scorer: Option<Arc<CodeScorer>>,
    pub contacts: Contacts,
    /// Absent where nothing is called.
    pub detonator: Option<Detonator>,
    pub met: Dedup<Met, Address>,
    pub named: Named,
    /// Newest last.
    pub lately: VecDeque<Assessment>,
    /// The last score could not be had.
    pub scores_fail: bool,
    pub shared: Shared,
}

impl Search {
    pub fn met() -> Dedup<Met, Address> {
        Dedup::new(MET)
    }

    pub(super) fn look(&mut self, word: Word) -> Looked {
        match word {
            Word::Head { hash, attempts } => return self.survey(hash, attempts),
            Word::Creation(tx, original) => return self.construct(tx, original, AT_ONCE),
            Word::Long(tx, original) => return self.construct(tx, original, CONSTRUCTED),
            Word::Mined(deployments) => self.found(deployments, None),
            Word::Named(named) => self.name(&named),
            Word::Simulated(mut deployments) => {
                self.lead(&mut deployments);
                self.found(deployments, None);
            }
            Word::Gone(address) => {
                if let Some(met) = self.met.get(&address) {
                    let code = B256::ZERO;
                    self.met.replace(address, Met { code, ..met });
                }
            }
        }
        Looked::Done
    }

    fn survey(&mut self, hash: B256, attempts: u8) -> Looked {
        let patience = match attempts {
            0 => SURVEYED,
            _ => SURVEYED_AGAIN,
        };
        let survey = match self.surveyor.survey(hash, Instant::now() + patience) {
            Ok(survey) => survey,
            Err(error) => {
                // It is said once.
                if attempts == 0 {
                    self.anomaly(AnomalyKind::NodeError, error.to_string());
                }
                return Looked::Untold { hash, attempts };
            }
        };
        let (stats, counts) = (&self.shared.stats.early, &survey.counts);
        survey
            .method
            .iter()
            .for_each(|method| stats.told_by(method.name()));
        stats.deployments_failed.add(counts.failed);
        stats.deployments_small.add(counts.small);
        stats.deployments_dropped.add(counts.left_out);
        stats.blocks_untraced.add(u64::from(counts.untraced > 0));
        for told in self.known.feed(&survey) {
            self.anomaly(AnomalyKind::NodeError, told);
        }
        match survey.deployments.is_empty() {
            true => Looked::Done,
            false => Looked::More(Word::Mined(survey.deployments)),
        }
    }

    /// Clones and delegations to what they run.
    pub(super) fn lead(&self, deployments: &mut [Deployment]) {
        resolve(deployments, |accounts| self.codes(accounts));
    }

    /// What code accounts have now, nothing where that cannot be had.
    pub(super) fn codes(&self, accounts: &[Address]) -> Vec<Option<Bytes>> {
        let Some(block) = self.shared.state.block() else {
            return vec![None; accounts.len()];
        };
        let deadline = Instant::now() + CONSTRUCTED;
        let asks = Some((&self.shared.asker, deadline));
        let view = Snapshot::new(&self.shared.state, &block, asks);
        let code = |account: &Address| match view.basic_ref(*account).ok()? {
            None => Some(Bytes::new()),
            Some(info) => Some(view.code_by_hash_ref(info.code_hash).ok()?.original_bytes()),
        };
        accounts.iter().map(code).collect()
    }

    /// `creation`: the pending transaction that creates them.
    pub(super) fn found(&mut self, deployments: Vec<Deployment>, creation: Option<&Creation>) {
        for deployment in deployments {
            self.one(deployment, creation);
        }
    }

    fn one(&mut self, deployment: Deployment, creation: Option<&Creation>) {
        let address = deployment.address;
        let (meeting, met) = Met::again(self.met.get(&address), &deployment);
        let found = self.made(deployment);
        let told = meeting == Meeting::New || self.tells_more(&found);
        if told || meeting == Meeting::Came {
            self.met.replace(address, met);
        }
        let new = u64::from(meeting == Meeting::New);
        self.shared.stats.early.deployments.add(new);
        if told {
            self.assess(found, creation);
        } else if meeting == Meeting::Came {
            self.came(found);
        }
    }

    /// The contract, and what is known of who made it.
    pub(super) fn made(&self, deployment: Deployment) -> FoundContract {
        let (found, funding_known) = self.known.of(deployment, now_ms());
        let unknown = u64::from(!funding_known);
        self.shared.stats.early.fundings_failed.add(unknown);
        found
    }

    pub(super) fn assess(&mut self, found: FoundContract, creation: Option<&Creation>) {
        let assessment = self.assessed(found.clone());
        let deployment = found.deployment.clone();
        let score = assessment.score.clone().map(Box::new);
        // A pipeline that is gone needs to know nothing.
        let item = Item::Deployed(Box::new(found), score);
        self.shared.items.send(item).ok();
        self.suspect(suspicion(&assessment), deployment, creation);
        self.remember(assessment);
    }

    fn assessed(&mut self, found: FoundContract) -> Assessment {
        let score = self.score(&found.deployment);
        let contained = contained::of(&found.deployment, &self.contacts, &self.named);
        Assessment::new(found, score, contained)
    }

    /// Without one it is by what it does, and whose it is, that it is judged: said where it begins, and counted.
    fn score(&mut self, deployment: &Deployment) -> Option<ContractScore> {
        let scored = self.scorer.as_ref()?.score(deployment);
        let failed = scored.is_err();
        self.shared.stats.early.scores_failed.add(u64::from(failed));
        let failed_before = std::mem::replace(&mut self.scores_fail, failed);
        match scored {
            Ok(score) => score,
            Err(error) => {
                if !failed_before {
                    self.anomaly(AnomalyKind::Inference, error.to_string());
                }
                None
            }
        }
    }

    fn remember(&mut self, assessment: Assessment) {
        let address = assessment.found.deployment.address;
        self.lately
            .retain(|one| one.found.deployment.address != address);
        if self.lately.len() >= LATELY {
            self.lately.pop_front();
        }
        self.lately.push_back(assessment);
    }

    /// A block has what was told of before: who calls it is to know.
    fn came(&mut self, found: FoundContract) {
        let deployment = found.deployment.clone();
        let before = self.lately_met(&deployment.address).map_or(0.0, suspicion);
        let suspicion = suspicion(&self.assessed(found)).max(before);
        self.suspect(suspicion, deployment, None);
    }

    fn lately_met(&self, address: &Address) -> Option<&Assessment> {
        let mut lately = self.lately.iter().rev();
        lately.find(|one| one.found.deployment.address == *address)
    }

    /// Whether a block with the contract says more of its maker than was known while it was pending: it may have been paid
    /// in the meantime.
    fn tells_more(&self, found: &FoundContract) -> bool {
        let mined = matches!(found.deployment.seen, Sighting::Mined { .. });
        let before = self.lately_met(&found.deployment.address);
        mined
            && before.is_some_and(|before| {
                let more = found.funding.len() > before.found.funding.len();
                more || found.past_attacker.is_some() && before.found.past_attacker.is_none()
            })
    }

    /// Has it called, where that is worth it.
    pub(super) fn suspect(
        &self,
        suspicion: f32,
        deployment: Deployment,
        creation: Option<&Creation>,
    ) {
        if let Some(detonator) = self.detonator.as_ref().filter(|_| suspicion > 0.0) {
            detonator.offer(Suspect {
                deployment: Box::new(deployment),
                creation: creation.cloned(),
                suspicion,
            });
        }
    }

    fn anomaly(&self, kind: AnomalyKind, reason: String) {
        self.shared.stats.anomalies.add(kind);
        let anomaly = Anomaly {
            at_ms: now_ms(),
            kind,
            origin: "deployments".into(),
            reason,
        };
        self.shared.items.send(Item::Anomaly(anomaly)).ok();
    }
}
