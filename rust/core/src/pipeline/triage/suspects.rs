//! All suspects: those that run, and those that wait for their next turn, each in the queue of its phase.

use super::parked::Parked;
use super::suspicion::{Phase, Suspicion};
use crate::chain::MinedTransaction;
use crate::simulate::pool::suspect::Key;
use alloy_primitives::{Address, B256};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Suspects of a replay that wait for what was recorded, at the most.
pub const RUNNING: usize = 4_096;

#[derive(Default)]
pub struct Suspects {
    pub all: HashMap<Key, Suspicion>,
    /// Those that run, by when a result is overdue. Who went on meanwhile leaves its place behind.
    running: VecDeque<(u64, Key)>,
    /// Found harmless though they touch a monitored contract: what they do may change with the state, until they are mined.
    pub harmless: Parked,
    /// Attacks whose alert is out, and which no block could have: asked anew with each state, until they are mined or replaced.
    pub obstructed: Parked,
    /// Without a verdict though they touch a monitored contract, or have an alert, to be tried again when they are due.
    pub put_off: Parked,
}

impl Suspects {
    /// Takes in one whose phase says when its result is overdue.
    pub fn run(&mut self, key: Key, due_ms: u64, suspicion: Suspicion) {
        self.leave_queues(&key);
        self.all.insert(key, suspicion);
        self.running.push_back((due_ms, key));
        // Recorded time may stand still: places left behind are not for ever.
        if self.running.len() > 2 * RUNNING {
            let all = &self.all;
            self.running
                .retain(|(due_ms, key)| all.get(key).is_some_and(|one| one.is_due_at(*due_ms)));
        }
    }

    /// Who does not run is parked.
    pub fn running(&self) -> usize {
        self.all.len() - self.harmless.len() - self.obstructed.len() - self.put_off.len()
    }

    pub fn take_running(&mut self, key: &Key) -> Option<Suspicion> {
        let runs = self.all.get(key).is_some_and(Suspicion::runs);
        runs.then(|| self.all.remove(key)).flatten()
    }

    /// The one of this hash that runs, the longest first.
    pub fn running_of(&self, hash: &B256) -> Option<&Suspicion> {
        let of_hash = self.running.iter().filter(|(_, key)| key.0 == *hash);
        let mut suspicions = of_hash.filter_map(|(_, key)| self.all.get(key));
        suspicions.find(|suspicion| suspicion.runs())
    }

    /// The next that runs and was due before `now_ms`.
    pub fn overdue(&mut self, now_ms: u64) -> Option<Key> {
        while let Some((due_ms, key)) = self.running.front().copied() {
            let waits = self.all.get(&key).is_some_and(|one| one.is_due_at(due_ms));
            if waits && due_ms >= now_ms {
                break;
            }
            self.running.pop_front();
            if waits {
                return Some(key);
            }
        }
        None
    }

    /// Puts it into the queue of its phase; the oldest there may give way to it.
    pub fn park(&mut self, suspicion: Suspicion) {
        // It would only be looked at in vain.
        if suspicion.mined {
            return;
        }
        let queue = match suspicion.phase {
            Phase::PutOff { .. } => &mut self.put_off,
            Phase::Obstructed { .. } => &mut self.obstructed,
            _ => &mut self.harmless,
        };
        let key = suspicion.slot.key();
        let gave_way = queue.add(key, suspicion.slot.tx.from, suspicion.bytes());
        self.all.insert(key, suspicion);
        for key in gave_way {
            self.all.remove(&key);
        }
    }

    pub fn unpark(&mut self, key: &Key) -> Option<Suspicion> {
        self.leave_queues(key);
        self.all.remove(key)
    }

    fn leave_queues(&mut self, key: &Key) {
        for queue in [&mut self.harmless, &mut self.obstructed, &mut self.put_off] {
            queue.remove(key);
        }
    }

    /// The parked suspect of this hash, where none of it runs.
    pub fn parked(&self, hash: &B256) -> Option<Key> {
        let parked = self.obstructed.keys().chain(self.harmless.keys());
        let parked = parked.chain(self.put_off.keys());
        let mut of_hash = parked.filter(|key| key.0 == *hash);
        let key = of_hash.next().copied()?;
        self.running_of(hash).is_none().then_some(key)
    }

    /// The harmless one that was not looked at on the newest state, the longest ago.
    pub fn next_harmless(&self, newest: u64) -> Option<Key> {
        self.next_in(&self.harmless, newest)
    }

    pub fn next_obstructed(&self, newest: u64) -> Option<Key> {
        self.next_in(&self.obstructed, newest)
    }

    fn next_in(&self, queue: &Parked, newest: u64) -> Option<Key> {
        let is_older = |key: &&Key| {
            self.all
                .get(*key)
                .is_some_and(|one| one.is_older_than(newest))
        };
        queue.keys().find(is_older).copied()
    }

    /// Those of this sender that no block could have, with a later nonce.
    pub fn obstructed_after(&self, sender: &Address, nonce: u64) -> Vec<Key> {
        let all = &self.all;
        let is_later = |key: &&Key| all.get(*key).is_some_and(|one| one.slot.tx.nonce > nonce);
        self.obstructed
            .of(sender)
            .filter(is_later)
            .copied()
            .collect()
    }

    /// Of those that were put off, as many at the most whose next try is due.
    pub fn due(&self, now_ms: u64, most: usize) -> Vec<Key> {
        let is_due = |key: &&Key| match self.all.get(*key).map(|one| &one.phase) {
            Some(Phase::PutOff { due_ms }) => *due_ms <= now_ms,
            _ => true,
        };
        self.put_off
            .keys()
            .take(most)
            .take_while(is_due)
            .copied()
            .collect()
    }

    /// Forgets those that wait though a block has them, or another one in their place; those that run are marked.
    pub fn mined(&mut self, last: &HashMap<Address, u64>) {
        let mut queues = [&mut self.harmless, &mut self.obstructed, &mut self.put_off];
        self.all.retain(|key, suspicion| {
            let tx = &suspicion.slot.tx;
            let over = last.get(&tx.from).is_some_and(|nonce| tx.nonce <= *nonce);
            suspicion.mined |= over;
            if over && !suspicion.runs() {
                queues.iter_mut().for_each(|queue| queue.remove(key));
                return false;
            }
            true
        });
    }
}

/// The highest nonce of each sender.
pub fn last_nonces(transactions: &[MinedTransaction]) -> HashMap<Address, u64> {
    let mut last = HashMap::<Address, u64>::new();
    for mined in transactions {
        let nonce = last.entry(mined.from).or_default();
        *nonce = mined.nonce.max(*nonce);
    }
    last
}
