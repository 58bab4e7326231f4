//! Looks for new contracts, on a thread of its own: in each block, among pending creations, in simulations. The pipeline tells
//! it what there is, and hears of contracts as `Item::Deployed`.

use super::backlog::{Backlog, Lost, Word};
use super::search::{Looked, Search};
use crate::evidence::Deployment;
use crate::stats::Stats;
use crate::thread::give_way;
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::{Address, B256};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The pipeline's end: never waits. Its thread ends with it.
pub struct Scout {
    backlog: Arc<Mutex<Backlog>>,
    bell: Sender<()>,
    stats: Arc<Stats>,
}

impl Scout {
    /// # Errors
    /// No thread can be had.
    pub fn start(search: Search) -> std::io::Result<Self> {
        let (bell, rings) = bounded(1);
        let backlog = Arc::new(Mutex::new(Backlog::new()));
        let (stats, waiting) = (search.shared.stats.clone(), backlog.clone());
        std::thread::Builder::new()
            .name("ids-scout".into())
            .spawn(move || search.run(&waiting, &rings))?;
        Ok(Self {
            backlog,
            bell,
            stats,
        })
    }

    /// A new canonical head.
    pub fn head(&self, hash: B256) {
        self.tell(Word::Head { hash, attempts: 0 });
    }

    /// A pending creation.
    pub fn creation(&self, tx: Arc<PendingTransaction>, original: Option<Original>) {
        self.tell(Word::Creation(tx, original));
    }

    /// What a pending transaction creates when it is simulated. A creation is told of by itself, and is needed to call what it
    /// creates.
    pub fn simulated(&self, mut deployments: Vec<Deployment>) {
        deployments.retain(|one| one.to.is_some());
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

    /// A contract that was told of is gone.
    pub fn gone(&self, address: Address) {
        self.tell(Word::Gone(address));
    }

    fn tell(&self, word: Word) {
        let lost = lock(&self.backlog).push(word);
        count(&self.stats, lost);
        // One that rang and was not heard yet is enough.
        self.bell.try_send(()).ok();
    }
}

fn lock(backlog: &Mutex<Backlog>) -> MutexGuard<'_, Backlog> {
    backlog.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(stats: &Stats, lost: Lost) {
    stats.early.blocks_unsurveyed.add(lost.heads);
    stats.early.deployments_dropped.add(lost.others);
}

impl Search {
    fn run(mut self, backlog: &Mutex<Backlog>, rings: &Receiver<()>) {
        give_way();
        loop {
            let next = lock(backlog).next();
            match next {
                Some(word) => self.hear(word, backlog),
                None if rings.recv().is_err() => return,
                None => {}
            }
        }
    }

    fn hear(&mut self, word: Word, backlog: &Mutex<Backlog>) {
        let begun = Instant::now();
        let is_long = matches!(word, Word::Long(..));
        let look = AssertUnwindSafe(|| self.look(word));
        // Our own mistake, which an attacker may have found: the next contract is looked at all the same.
        let looked = std::panic::catch_unwind(look).unwrap_or_else(|_| {
            self.shared.stats.early.deployments_dropped.add(1);
            Looked::Done
        });
        let mut backlog = lock(backlog);
        if is_long {
            backlog.took(begun.elapsed());
        }
        let lost = match looked {
            Looked::Done => Lost::default(),
            Looked::Untold { hash, attempts } => backlog.failed(hash, attempts + 1),
            Looked::More(word) => backlog.push(word),
        };
        drop(backlog);
        count(&self.shared.stats, lost);
    }
}
