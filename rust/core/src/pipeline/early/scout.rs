//! Looks for new contracts, on a thread of its own: in each block, among pending creations, in simulations. What only a
//! node or a disk can tell of one is added here, and its score; the pipeline hears of it as `Item::Deployed`.

use super::Shared;
use super::construct::{Constructed, alone, constructed};
use super::contained;
use super::detonator::{Detonator, Suspect};
use super::known::Known;
use super::named::Named;
use super::scorer::Scorer;
use super::suspicion::suspicion;
use crate::detonate::Creation;
use crate::evidence::{
    Anomaly, AnomalyKind, Assessment, ContractScore, Deployment, FoundContract, Identity, Sighting,
};
use crate::inbox::Item;
use crate::pipeline::clock::now_ms;
use crate::pipeline::contact::Contacts;
use crate::pipeline::dedup::Dedup;
use crate::simulate::creations::Origin;
use crate::simulate::state::Snapshot;
use crate::stats::Stats;
use crate::survey::Surveyor;
use crate::survey::resolve::resolve;
use crate::thread::give_way;
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::{Address, B256, keccak256};
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use revm::DatabaseRef;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What waits to be looked at. A head takes the longest: some hundred milliseconds.
const WAITING: usize = 1_024;
/// How long nodes may take to tell of a block.
const SURVEYED: Duration = Duration::from_secs(10);
/// How long a constructor may run, its state asked for meanwhile; and while others wait.
const CONSTRUCTED: Duration = Duration::from_millis(500);
const AT_ONCE: Duration = Duration::from_millis(50);
/// Constructors that did not come to their end at once.
const LATER: usize = 256;
/// Contracts of blocks that are not looked at yet; and of these so many between two words.
const MINED: usize = 8_192;
const AT_A_TIME: usize = 8;
/// Contracts remembered by the hash of their code, so that each is told of once.
const MET: usize = 1 << 15;
/// Contracts of which more may come to be known.
const LATELY: usize = 1_024;
/// What there is to look at.
enum Word {
    Head(B256),
    Creation(Arc<PendingTransaction>, Option<Original>),
    /// Blocks' contracts, some of those that wait.
    Mined,
    /// One that takes long.
    Long(Arc<PendingTransaction>, Option<Original>),
    /// What pending transactions create when they are simulated.
    Simulated(Vec<Deployment>),
    /// Accounts that keep a monitored contract's address in storage since a block.
    Named(Vec<(Address, Address)>),
}

/// The pipeline's end: never waits. Its thread ends with it.
pub struct Scout {
    words: Sender<Word>,
    stats: Arc<Stats>,
}

impl Scout {
    /// # Errors
    /// No thread can be had.
    pub fn start(search: Search) -> std::io::Result<Self> {
        let (words, told) = bounded(WAITING);
        let stats = search.shared.stats.clone();
        std::thread::Builder::new()
            .name("ids-scout".into())
            .spawn(move || search.run(&told))?;
        Ok(Self { words, stats })
    }

    /// A new canonical head.
    pub fn head(&self, hash: B256) {
        self.tell(Word::Head(hash));
    }

    /// A pending creation.
    pub fn creation(&self, tx: Arc<PendingTransaction>, original: Option<Original>) {
        self.tell(Word::Creation(tx, original));
    }

    /// What a pending transaction creates when it is simulated.
    pub fn simulated(&self, deployments: Vec<Deployment>) {
        if !deployments.is_empty() {
            self.tell(Word::Simulated(deployments));
        }
    }

    /// Accounts keep a monitored contract's address in storage since a block.
    pub fn named(&self, named: &[(Address, Address)]) {
        if !named.is_empty() {
            self.tell(Word::Named(named.to_vec()));
        }
    }

    fn tell(&self, word: Word) {
        if let Err(TrySendError::Full(word)) = self.words.try_send(word) {
            let counter = match word {
                Word::Head(_) => &self.stats.early.blocks_unsurveyed,
                Word::Creation(..)
                | Word::Long(..)
                | Word::Mined
                | Word::Simulated(_)
                | Word::Named(_) => &self.stats.early.deployments_dropped,
            };
            counter.add(1);
        }
    }
}

/// All that the search takes.
pub struct Search {
    pub surveyor: Surveyor,
    pub known: Known,
    /// Absent where the model's folder has none.
    pub scorer: Option<Scorer>,
    pub contacts: Contacts,
    /// Absent where nothing is called.
    pub detonator: Option<Detonator>,
    pub met: Dedup<B256, Address>,
    pub named: Named,
    /// Newest last.
    pub lately: VecDeque<Assessment>,
    /// The last score could not be had.
    pub scores_fail: bool,
    /// Of blocks, to be looked at: a full block holds up nothing that is pending.
    pub mined: VecDeque<Deployment>,
    /// Constructors that took longer than others shall wait.
    pub later: VecDeque<(Arc<PendingTransaction>, Option<Original>)>,
    pub shared: Shared,
}

impl Search {
    pub fn met() -> Dedup<B256, Address> {
        Dedup::new(MET)
    }

    fn run(mut self, told: &Receiver<Word>) {
        give_way();
        while let Some(word) = self.next(told) {
            // Our own mistake, which an attacker may have found: the next contract is looked at all the same.
            let look = AssertUnwindSafe(|| self.look(word));
            if std::panic::catch_unwind(look).is_err() {
                self.shared.stats.early.deployments_dropped.add(1);
            }
        }
    }

    /// What is told, then blocks' contracts. Constructors that take long come when nothing else does: else a few endless ones would
    /// hold up all.
    fn next(&mut self, told: &Receiver<Word>) -> Option<Word> {
        match told.try_recv() {
            Ok(word) => Some(word),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) if !self.mined.is_empty() => Some(Word::Mined),
            Err(TryRecvError::Empty) => match self.later.pop_front() {
                Some((tx, original)) => Some(Word::Long(tx, original)),
                None => told.recv().ok(),
            },
        }
    }

    /// Some of blocks' contracts come after each word, so that no flood of words holds them up.
    fn some_mined(&mut self) {
        for _ in 0..AT_A_TIME {
            if let Some(deployment) = self.mined.pop_front() {
                self.one(deployment, None);
            }
        }
    }

    fn look(&mut self, word: Word) {
        match word {
            Word::Head(hash) => self.survey(hash),
            Word::Mined => {}
            Word::Creation(tx, original) => self.construct(tx, original, AT_ONCE),
            Word::Long(tx, original) => self.construct(tx, original, CONSTRUCTED),
            Word::Named(named) => self.name(&named),
            Word::Simulated(mut deployments) => {
                self.lead(&mut deployments);
                self.found(deployments, None);
            }
        }
        self.some_mined();
    }

    fn survey(&mut self, hash: B256) {
        let survey = match self.surveyor.survey(hash, Instant::now() + SURVEYED) {
            Ok(survey) => survey,
            Err(error) => {
                self.shared.stats.early.blocks_unsurveyed.add(1);
                return self.anomaly(AnomalyKind::NodeError, error.to_string());
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
        let room = MINED.saturating_sub(self.mined.len());
        let dropped = survey.deployments.len().saturating_sub(room);
        self.shared
            .stats
            .early
            .deployments_dropped
            .add(dropped as u64);
        self.mined.extend(survey.deployments.into_iter().take(room));
    }

    /// Executes a pending creation on the current state; where it cannot run, its code is what it has embedded.
    fn construct(
        &mut self,
        mut tx: Arc<PendingTransaction>,
        original: Option<Original>,
        within: Duration,
    ) {
        let identity = Identity::of(&tx, original.as_ref());
        // Who lies about the sender has it created elsewhere, by nobody who is known.
        if let Some(signer) = identity.other_than(tx.from) {
            Arc::make_mut(&mut tx).from = signer;
        }
        let typed = original.as_ref().filter(|_| tx.tx_type > 0);
        let extras = typed.map(Original::extras);
        let creation = Creation {
            tx,
            extras: extras.transpose().unwrap_or_default().unwrap_or_default(),
        };
        let tx = &creation.tx;
        let origin = Origin {
            deployer: tx.from,
            tx: tx.hash,
            nonce: tx.nonce,
            to: None,
            value: tx.value,
            seen: Sighting::Pending,
        };
        // Whose last one took long waits behind others' at once.
        let waits = self.later.iter().any(|(other, _)| other.from == tx.from);
        let hurried = within < CONSTRUCTED;
        let constructed = match hurried && waits {
            true => Constructed::Unfinished,
            false => constructed(&self.shared, &creation, &origin, Instant::now() + within),
        };
        let mut deployments = match constructed {
            Constructed::Mined => return,
            Constructed::Creates(deployments) => deployments,
            Constructed::Unfinished if hurried && self.later.len() < LATER => {
                return self.later.push_back((creation.tx, original));
            }
            Constructed::Unfinished | Constructed::Fails => {
                self.shared.stats.early.deployments_unexecuted.add(1);
                Vec::new()
            }
        };
        if deployments.is_empty() {
            deployments.push(alone(&creation, &origin));
        }
        self.lead(&mut deployments);
        self.found(deployments, Some(&creation));
    }

    /// Clones and delegations to what they run.
    fn lead(&self, deployments: &mut [Deployment]) {
        let Some(block) = self.shared.state.block() else {
            return;
        };
        let deadline = Instant::now() + CONSTRUCTED;
        let view = Snapshot::new(
            &self.shared.state,
            &block,
            Some((&self.shared.asker, deadline)),
        );
        let code = |account: &Address| {
            let info = view.basic_ref(*account).ok()??;
            let code = view.code_by_hash_ref(info.code_hash).ok()?;
            Some(code.original_bytes())
        };
        resolve(deployments, |accounts| accounts.iter().map(code).collect());
    }

    /// `creation`: the pending transaction that creates them.
    fn found(&mut self, deployments: Vec<Deployment>, creation: Option<&Creation>) {
        for deployment in deployments {
            self.one(deployment, creation);
        }
    }

    fn one(&mut self, deployment: Deployment, creation: Option<&Creation>) {
        let address = deployment.address;
        let (hash, known) = (keccak256(&deployment.code), self.met.get(&address));
        // Another code may come to be where there was one.
        let is_met = known.is_some_and(|known| known == hash || deployment.code.is_empty());
        let (found, funding_known) = self.known.of(deployment, now_ms());
        if is_met && !self.tells_more(&found) {
            return;
        }
        self.met.replace(address, hash);
        let stats = &self.shared.stats.early;
        stats.deployments.add(u64::from(!is_met));
        stats.fundings_failed.add(u64::from(!funding_known));
        let score = self.score(&found.deployment);
        self.tell(&found, score.clone());
        let contained = contained::of(&found.deployment, &self.contacts, &self.named);
        let deployment = found.deployment.clone();
        let assessment = Assessment::new(found, score, contained);
        self.suspect(&assessment, deployment, creation);
        self.lately
            .retain(|one| one.found.deployment.address != address);
        if self.lately.len() >= LATELY {
            self.lately.pop_front();
        }
        self.lately.push_back(assessment);
    }

    /// Without one it is by what it does, and whose it is, that it is judged: said where it begins, and counted.
    fn score(&mut self, deployment: &Deployment) -> Option<ContractScore> {
        let scored = self.scorer.as_mut()?.score(deployment);
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

    /// Whether a block with the contract says more of its maker than was known while it was pending: it may have been paid
    /// in the meantime.
    fn tells_more(&self, found: &FoundContract) -> bool {
        let mined = matches!(found.deployment.seen, Sighting::Mined { .. });
        let same = |one: &&Assessment| one.found.deployment.address == found.deployment.address;
        let before = self.lately.iter().rev().find(same);
        mined
            && before.is_some_and(|before| {
                let more = found.funding.len() > before.found.funding.len();
                more || found.past_attacker.is_some() && before.found.past_attacker.is_none()
            })
    }

    /// Has it called, where that is worth it.
    fn suspect(
        &self,
        assessment: &Assessment,
        deployment: Deployment,
        creation: Option<&Creation>,
    ) {
        let suspicion = suspicion(assessment);
        if let Some(detonator) = self.detonator.as_ref().filter(|_| suspicion > 0.0) {
            detonator.offer(Suspect {
                deployment: Box::new(deployment),
                creation: creation.cloned(),
                suspicion,
            });
        }
    }

    /// That a contract keeps a monitored one is told after it was found, or before.
    fn name(&mut self, named: &[(Address, Address)]) {
        self.named.add(named);
        for at in 0..self.lately.len() {
            let Assessment {
                found, contained, ..
            } = &mut self.lately[at];
            let address = found.deployment.address;
            if named.iter().any(|(account, _)| *account == address) {
                contained::add_named(contained, &address, &self.contacts, &self.named);
                let deployment = found.deployment.clone();
                self.suspect(&self.lately[at], deployment, None);
            }
        }
    }

    fn tell(&self, found: &FoundContract, score: Option<ContractScore>) {
        let item = Item::Deployed(Box::new(found.clone()), score.map(Box::new));
        // A pipeline that is gone needs to know nothing.
        self.shared.items.send(item).ok();
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
