//! Follows pending transactions to their end: mined, replaced, dropped; and back, where a reorg undoes it.

use super::clock::Now;
use crate::chain::BlockContents;
use crate::evidence::{Fate, Outcome};
use crate::stats::Stats;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Blocks whose detected transactions are remembered, so that a reorg can undo their inclusion.
const REORG_WINDOW: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Tracked {
    hash: B256,
    from: Address,
    nonce: u64,
    /// When it was met, by the pipeline's clock.
    since_ms: u64,
    detected: bool,
    /// How it ended, where it did. It stays in the order, since it can be detected afterwards, or end otherwise after all:
    /// a replacement that was announced need not be the one that is mined.
    ended: Option<Fate>,
}

/// Pending transactions in the order of their arrival, and where each is by hash and by sender and nonce. The tables hold
/// four bytes an entry, since every transaction looks into them at random.
#[derive(Debug, Default)]
struct Pending {
    order: VecDeque<Tracked>,
    /// Number of the first in `order`; numbers wrap.
    first: u32,
    by_hash: HashTable<u32>,
    /// Of those that have not ended.
    by_nonce: HashTable<u32>,
    seeded: DefaultHashBuilder,
}

impl Pending {
    fn len(&self) -> usize {
        self.by_nonce.len()
    }

    fn at(&self, number: u32) -> &Tracked {
        &self.order[number.wrapping_sub(self.first) as usize]
    }

    fn at_mut(&mut self, number: u32) -> &mut Tracked {
        &mut self.order[number.wrapping_sub(self.first) as usize]
    }

    fn find(&self, hash: &B256) -> Option<u32> {
        let key = self.seeded.hash_one(hash);
        let same = |number: &u32| self.at(*number).hash == *hash;
        self.by_hash.find(key, same).copied()
    }

    fn find_nonce(&self, from: &Address, nonce: u64) -> Option<u32> {
        let key = self.seeded.hash_one((from, nonce));
        let same = |number: &u32| {
            let other = self.at(*number);
            other.nonce == nonce && other.from == *from
        };
        self.by_nonce.find(key, same).copied()
    }

    /// Adds one whose hash, and whose sender and nonce, are not there; answers its number.
    fn push(&mut self, tracked: Tracked) -> u32 {
        let number = self.first.wrapping_add(self.order.len() as u32);
        self.order.push_back(tracked);
        let (order, first, seeded) = (&self.order, self.first, &self.seeded);
        let at = |number: &u32| &order[number.wrapping_sub(first) as usize];
        self.by_hash
            .insert_unique(seeded.hash_one(tracked.hash), number, |n| {
                seeded.hash_one(at(n).hash)
            });
        let nonce = |t: &Tracked| seeded.hash_one((&t.from, t.nonce));
        self.by_nonce
            .insert_unique(nonce(&tracked), number, |n| nonce(at(n)));
        number
    }

    /// Answers what it was before; it may have ended otherwise already.
    fn end(&mut self, number: u32, fate: Fate) -> Tracked {
        self.unlink(number);
        let tracked = self.at_mut(number);
        tracked.ended = Some(fate);
        *tracked
    }

    fn unlink(&mut self, number: u32) {
        let Tracked { from, nonce, .. } = *self.at(number);
        let key = self.seeded.hash_one((&from, nonce));
        if let Ok(entry) = self.by_nonce.find_entry(key, |other| *other == number) {
            entry.remove();
        }
    }

    fn unlist(&mut self, number: u32) {
        self.unlink(number);
        let key = self.seeded.hash_one(self.at(number).hash);
        if let Ok(entry) = self.by_hash.find_entry(key, |other| *other == number) {
            entry.remove();
        }
    }

    /// Takes the oldest out of the order.
    fn pop(&mut self) -> Option<Tracked> {
        if self.order.is_empty() {
            return None;
        }
        let number = self.first;
        self.unlist(number);
        self.first = number.wrapping_add(1);
        self.order.pop_front()
    }

    /// Makes one that ended pending again; whoever has its sender and nonce gives way without a word.
    fn revive(&mut self, tracked: Tracked) {
        if let Some(number) = self.find_nonce(&tracked.from, tracked.nonce) {
            self.unlink(number);
        }
        if let Some(number) = self.find(&tracked.hash) {
            // Its old place in the order is left to expire.
            self.unlist(number);
            self.at_mut(number).detected = false;
        }
        self.push(tracked);
    }
}

#[derive(Debug)]
struct Mined {
    number: u64,
    /// Detected ones that ended by this block: in it, or replaced by what is in it.
    detected: Vec<Tracked>,
    all: Vec<B256>,
}

/// Outcomes are counted for all transactions and reported for detected ones.
#[derive(Debug)]
pub struct Tracker {
    pending: Pending,
    mined: VecDeque<Mined>,
    /// Canonical blocks: number and hash, ascending.
    heads: VecDeque<(u64, B256)>,
    /// In which block a transaction was, of the last blocks: it can be announced after its inclusion.
    recent: HashMap<B256, u64>,
    capacity: usize,
    drop_after_ms: u64,
    stats: Arc<Stats>,
}

impl Tracker {
    pub fn new(capacity: usize, drop_after_ms: u64, stats: Arc<Stats>) -> Self {
        Self {
            pending: Pending::default(),
            mined: VecDeque::new(),
            heads: VecDeque::new(),
            recent: HashMap::new(),
            capacity: capacity.max(1),
            drop_after_ms,
            stats,
        }
    }

    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// A new pending transaction, met at `elapsed_ms`; the one it replaces (same sender and nonce) has ended.
    pub fn pending(&mut self, tx: &PendingTransaction, elapsed_ms: u64, out: &mut Vec<Outcome>) {
        if self.recent.contains_key(&tx.hash) || self.pending.find(&tx.hash).is_some() {
            return;
        }
        if let Some(previous) = self.pending.find_nonce(&tx.from, tx.nonce) {
            let ended = self.pending.end(previous, Fate::Replaced { by: tx.hash });
            self.stats.replaced.add(1);
            report(&ended, tx.seen_ms, out);
        }
        self.pending.push(Tracked {
            hash: tx.hash,
            from: tx.from,
            nonce: tx.nonce,
            since_ms: elapsed_ms,
            detected: false,
            ended: None,
        });
        while self.pending.len() > self.capacity || self.pending.order.len() > 2 * self.capacity {
            if self
                .pending
                .pop()
                .is_some_and(|oldest| oldest.ended.is_none())
            {
                self.stats.untracked.add(1);
            }
        }
    }

    /// Marks `hash` as detected: its end will be reported, at once where it has come already.
    pub fn follow(&mut self, hash: &B256, now_ms: u64, out: &mut Vec<Outcome>) {
        if let Some(number) = self.pending.find(hash) {
            let tracked = self.pending.at_mut(number);
            tracked.detected = true;
            report(tracked, now_ms, out);
        } else if let Some(&block) = self.recent.get(hash) {
            let fate = Fate::Mined { block };
            out.push(Outcome {
                at_ms: now_ms,
                hash: *hash,
                fate,
            });
        }
    }

    /// Whether it was pending for longer than the tracking time.
    pub fn gave_up(&self, hash: &B256) -> bool {
        let number = self.pending.find(hash);
        number.is_some_and(|number| self.pending.at(number).ended == Some(Fate::Dropped))
    }

    /// A new canonical head.
    pub fn head(&mut self, number: u64, hash: B256) {
        while self.heads.back().is_some_and(|(last, _)| *last >= number) {
            self.heads.pop_back();
        }
        self.heads.push_back((number, hash));
        if self.heads.len() > REORG_WINDOW {
            self.heads.pop_front();
        }
    }

    /// The contents of a canonical block; those of one that left the chain meanwhile are ignored.
    pub fn block(&mut self, block: &BlockContents, now_ms: u64, out: &mut Vec<Outcome>) {
        let known = self
            .heads
            .iter()
            .find(|(number, _)| *number == block.number);
        if known.is_some_and(|(_, hash)| *hash != block.hash) {
            return;
        }
        let mut detected = Vec::new();
        for mined in &block.transactions {
            let block = block.number;
            if let Some(number) = self.pending.find(&mined.hash) {
                let tracked = self.pending.end(number, Fate::Mined { block });
                self.stats.mined.add(1);
                report(&tracked, now_ms, out);
                detected.extend(tracked.detected.then_some(tracked));
            }
            if let Some(loser) = self.pending.find_nonce(&mined.from, mined.nonce) {
                let tracked = self.pending.end(loser, Fate::Replaced { by: mined.hash });
                self.stats.replaced.add(1);
                report(&tracked, now_ms, out);
                detected.extend(tracked.detected.then_some(tracked));
            }
        }
        let all: Vec<B256> = block.transactions.iter().map(|mined| mined.hash).collect();
        self.recent
            .extend(all.iter().map(|hash| (*hash, block.number)));
        self.mined.push_back(Mined {
            number: block.number,
            detected,
            all,
        });
        if self.mined.len() > REORG_WINDOW
            && let Some(oldest) = self.mined.pop_front()
        {
            for hash in oldest.all {
                self.recent.remove(&hash);
            }
        }
    }

    /// The blocks above number `kept` left the canonical chain: what they held is pending again.
    pub fn reorg(&mut self, kept: u64, now: Now, out: &mut Vec<Outcome>) {
        self.heads.retain(|(number, _)| *number <= kept);
        let (stay, gone): (VecDeque<_>, VecDeque<_>) =
            self.mined.drain(..).partition(|mined| mined.number <= kept);
        self.mined = stay;
        for Mined { detected, all, .. } in gone {
            for hash in all {
                self.recent.remove(&hash);
            }
            for tracked in detected {
                let fate = Some(Fate::Reorged);
                report(
                    &Tracked {
                        ended: fate,
                        ..tracked
                    },
                    now.unix_ms,
                    out,
                );
                self.pending.revive(Tracked {
                    since_ms: now.elapsed_ms,
                    ended: None,
                    ..tracked
                });
            }
        }
    }

    /// Ends what has been pending for longer than the tracking time. Detected ones are known for as long again: a node may
    /// still hold what we gave up, and mine it.
    pub fn expire(&mut self, now: Now, out: &mut Vec<Outcome>) {
        while let Some(oldest) = self.pending.order.front()
            && now.elapsed_ms.saturating_sub(oldest.since_ms) >= self.drop_after_ms
        {
            if let Some(tracked) = self.pending.pop()
                && tracked.ended.is_none()
            {
                self.stats.dropped.add(1);
                if tracked.detected {
                    let number = self.pending.push(Tracked {
                        since_ms: now.elapsed_ms,
                        ..tracked
                    });
                    report(&self.pending.end(number, Fate::Dropped), now.unix_ms, out);
                }
            }
        }
    }
}

/// The end of one that was detected.
fn report(tracked: &Tracked, at_ms: u64, out: &mut Vec<Outcome>) {
    if tracked.detected
        && let Some(fate) = tracked.ended
    {
        let hash = tracked.hash;
        out.push(Outcome { at_ms, hash, fate });
    }
}
