//! Looks for new contracts, on a thread of its own: in each block, among pending creations, in simulations. What only a
//! node or a disk can tell of one is added here, and its score; the pipeline hears of it as `Item::Deployed`.

use super::contained;
use super::detonator::{Detonator, Task};
use super::known::Known;
use super::scorer::Scorer;
use super::suspect::is_suspect;
use crate::chain::ChainSpec;
use crate::config::EarlyConfig;
use crate::detonate::Creation;
use crate::evidence::{
    Anomaly, AnomalyKind, Assessment, ContractScore, Deployment, FoundContract, Sighting,
};
use crate::inbox::Item;
use crate::inbox::queue::ItemSender;
use crate::node::Asker;
use crate::pipeline::contact::Contacts;
use crate::pipeline::dedup::Dedup;
use crate::simulate::evm::execute::{Checks, Exit, Sandbox};
use crate::simulate::evm::tracer::Bounds;
use crate::simulate::evm::transaction::from_pending;
use crate::simulate::state::Snapshot;
use crate::simulate::state::head::HeadState;
use crate::stats::Stats;
use crate::survey::creations::Origin;
use crate::survey::resolve::resolve;
use crate::survey::simulated::in_execution;
use crate::survey::Surveyor;
use crate::thread::give_way;
use crate::tx::{Extras, PendingTransaction};
use alloy_primitives::{Address, B256, Bytes};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use revm::DatabaseRef;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What waits to be looked at. A head takes the longest: some hundred milliseconds.
const WAITING: usize = 1_024;
/// How long nodes may take to tell of a block.
const SURVEYED: Duration = Duration::from_secs(10);
/// How long a constructor may run, its state asked for meanwhile.
const CONSTRUCTED: Duration = Duration::from_millis(500);
/// Contracts remembered, so that each is told of once.
const MET: usize = 1 << 15;
/// What is recorded of a constructor.
const FRAMES: usize = 4_096;
const BYTES: usize = 1 << 20;
const ACCESSES: usize = 1 << 13;

/// What there is to look at.
enum Word {
    Head(B256),
    Creation(Creation),
    /// What pending transactions create when they are simulated.
    Simulated(Vec<Deployment>),
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
        let stats = search.stats.clone();
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
    pub fn creation(&self, tx: Arc<PendingTransaction>, extras: Extras) {
        self.tell(Word::Creation(Creation { tx, extras }));
    }

    /// What a pending transaction creates when it is simulated.
    pub fn simulated(&self, deployments: Vec<Deployment>) {
        if !deployments.is_empty() {
            self.tell(Word::Simulated(deployments));
        }
    }

    fn tell(&self, word: Word) {
        if let Err(TrySendError::Full(word)) = self.words.try_send(word) {
            let counter = match word {
                Word::Head(_) => &self.stats.blocks_unsurveyed,
                Word::Creation(_) | Word::Simulated(_) => &self.stats.deployments_dropped,
            };
            counter.add(1);
        }
    }
}

/// All that the search takes.
pub struct Search {
    pub surveyor: Surveyor,
    pub known: Known,
    pub scorer: Scorer,
    pub contacts: Arc<Contacts>,
    pub state: Arc<HeadState>,
    pub asker: Asker,
    pub chain: Arc<ChainSpec>,
    pub config: EarlyConfig,
    pub items: ItemSender,
    pub stats: Arc<Stats>,
    pub detonator: Option<Detonator>,
    pub met: Dedup<(), Address>,
}

impl Search {
    pub fn met() -> Dedup<(), Address> {
        Dedup::new(MET)
    }

    fn run(mut self, told: &Receiver<Word>) {
        give_way();
        while let Ok(word) = told.recv() {
            // Our own mistake, which an attacker may have found: the next contract is looked at all the same.
            let look = AssertUnwindSafe(|| self.look(word));
            if std::panic::catch_unwind(look).is_err() {
                self.stats.deployments_dropped.add(1);
            }
        }
    }

    fn look(&mut self, word: Word) {
        match word {
            Word::Head(hash) => self.survey(hash),
            Word::Creation(creation) => self.construct(creation),
            Word::Simulated(mut deployments) => {
                self.lead(&mut deployments);
                self.found(deployments, None);
            }
        }
    }

    fn survey(&mut self, hash: B256) {
        let survey = match self.surveyor.survey(hash, Instant::now() + SURVEYED) {
            Ok(survey) => survey,
            Err(error) => {
                self.stats.blocks_unsurveyed.add(1);
                return self.anomaly(error.to_string());
            }
        };
        self.stats.surveyed(&survey);
        if let Err(error) = self.known.feed(&survey) {
            self.anomaly(error.to_string());
        }
        self.found(survey.deployments, None);
        if let Some(detonator) = &self.detonator {
            detonator.tell(Task::Head);
        }
    }

    /// Executes a pending creation on the current state; where it cannot run, its code is what it has embedded.
    fn construct(&mut self, creation: Creation) {
        let tx = &creation.tx;
        let origin = Origin {
            deployer: tx.from,
            tx: tx.hash,
            nonce: tx.nonce,
            to: None,
            value: tx.value,
            seen: Sighting::Pending,
        };
        let mut deployments = self.constructed(&creation, &origin);
        if deployments.is_empty() {
            let address = tx.from.create(tx.nonce);
            let init_code = Bytes::from(tx.input.clone());
            deployments.push(Deployment {
                init_code,
                ..origin.deployment(address, tx.from)
            });
        }
        self.lead(&mut deployments);
        self.found(deployments, Some(&creation));
    }

    fn constructed(&self, creation: &Creation, origin: &Origin) -> Vec<Deployment> {
        let Some(block) = self.state.block() else {
            return Vec::new();
        };
        let deadline = Instant::now() + CONSTRUCTED;
        let bounds = Bounds {
            deadline,
            frames: FRAMES,
            bytes: BYTES,
            accesses: ACCESSES,
        };
        let view = Snapshot::new(&self.state, &block, Some((&self.asker, deadline)));
        let mut sandbox = Sandbox::new(&view, &block.next);
        let transaction = from_pending(&creation.tx, creation.extras.clone());
        let execution = sandbox.execute(transaction, Checks::Pending, bounds);
        if execution.exit != Exit::Succeeded {
            self.stats.deployments_unexecuted.add(1);
        }
        in_execution(&execution, origin).deployments
    }

    /// Clones and delegations to what they run.
    fn lead(&self, deployments: &mut [Deployment]) {
        let Some(block) = self.state.block() else {
            return;
        };
        let deadline = Instant::now() + CONSTRUCTED;
        let view = Snapshot::new(&self.state, &block, Some((&self.asker, deadline)));
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
        let mined = matches!(deployment.seen, Sighting::Mined { .. });
        if self.met.insert(address, ()).is_some() {
            if let Some(detonator) = self.detonator.as_ref().filter(|_| mined) {
                detonator.tell(Task::Mined(address));
            }
            return;
        }
        self.stats.deployments.add(1);
        let score = self.scorer.score(&deployment);
        let found = self.known.of(deployment, now_ms());
        let assessment = Assessment {
            contained: contained::of(&found.deployment, &self.contacts),
            found,
            score,
            detonation: None,
        };
        let suspect = is_suspect(&assessment);
        let Assessment { found, score, .. } = assessment;
        self.tell(&found, score.clone());
        if let Some(detonator) = self.detonator.as_ref().filter(|_| suspect) {
            let score = score.map_or(0.0, |score| score.score);
            detonator.tell(Task::Suspect(found.deployment, creation.cloned(), score));
        }
    }

    fn tell(&self, found: &FoundContract, score: Option<ContractScore>) {
        let item = Item::Deployed(Box::new(found.clone()), score.map(Box::new));
        // A pipeline that is gone needs to know nothing.
        self.items.send(item).ok();
    }

    fn anomaly(&self, reason: String) {
        self.stats.anomalies.add(AnomalyKind::NodeError);
        let anomaly = Anomaly {
            at_ms: now_ms(),
            kind: AnomalyKind::NodeError,
            origin: "deployments".into(),
            reason,
        };
        self.items.send(Item::Anomaly(anomaly)).ok();
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}
