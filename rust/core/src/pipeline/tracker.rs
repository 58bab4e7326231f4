//! Follows pending transactions to their end: mined, replaced, dropped; and back, where a reorg undoes it.

use crate::chain::BlockContents;
use crate::event::{Fate, Outcome};
use crate::stats::Stats;
use crate::tx::PendingTransaction;
use alloy_primitives::{Address, B256};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Blocks whose detected transactions are remembered, so that a reorg can undo their inclusion.
const REORG_WINDOW: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Tracked {
    from: Address,
    nonce: u64,
    detected: bool,
}

#[derive(Debug)]
struct Mined {
    number: u64,
    detected: Vec<(B256, Tracked)>,
    all: Vec<B256>,
}

/// Outcomes are counted for all transactions and reported for detected ones.
#[derive(Debug)]
pub struct Tracker {
    pending: HashMap<B256, Tracked>,
    by_nonce: HashMap<(Address, u64), B256>,
    /// Arrival order, for expiry and eviction; entries already ended are skipped.
    order: VecDeque<(u64, B256)>,
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
            pending: HashMap::new(),
            by_nonce: HashMap::new(),
            order: VecDeque::new(),
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

    /// A new pending transaction; the one it replaces (same sender and nonce) has ended.
    pub fn pending(&mut self, tx: &PendingTransaction, out: &mut Vec<Outcome>) {
        if self.recent.contains_key(&tx.hash) {
            return;
        }
        let tracked = Tracked {
            from: tx.from,
            nonce: tx.nonce,
            detected: false,
        };
        if self.pending.insert(tx.hash, tracked).is_some() {
            return;
        }
        self.order.push_back((tx.seen_ms, tx.hash));
        if let Some(previous) = self.by_nonce.insert((tx.from, tx.nonce), tx.hash)
            && let Some(ended) = self.pending.remove(&previous)
        {
            self.stats.replaced.add(1);
            report(
                ended,
                previous,
                Fate::Replaced { by: tx.hash },
                tx.seen_ms,
                out,
            );
        }
        while self.pending.len() > self.capacity || self.order.len() > 2 * self.capacity {
            let Some((_, oldest)) = self.order.pop_front() else {
                break;
            };
            if self.forget(&oldest).is_some() {
                self.stats.untracked.add(1);
            }
        }
    }

    /// Marks `hash` as detected: its end will be reported, at once where it was mined before it was announced.
    pub fn follow(&mut self, hash: &B256, now_ms: u64, out: &mut Vec<Outcome>) {
        if let Some(tracked) = self.pending.get_mut(hash) {
            tracked.detected = true;
        } else if let Some(&block) = self.recent.get(hash) {
            let fate = Fate::Mined { block };
            out.push(Outcome {
                at_ms: now_ms,
                hash: *hash,
                fate,
            });
        }
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
            if let Some(tracked) = self.forget(&mined.hash) {
                self.stats.mined.add(1);
                report(
                    tracked,
                    mined.hash,
                    Fate::Mined {
                        block: block.number,
                    },
                    now_ms,
                    out,
                );
                if tracked.detected {
                    detected.push((mined.hash, tracked));
                }
            }
            if let Some(loser) = self.by_nonce.get(&(mined.from, mined.nonce)).copied()
                && let Some(tracked) = self.forget(&loser)
            {
                self.stats.replaced.add(1);
                report(
                    tracked,
                    loser,
                    Fate::Replaced { by: mined.hash },
                    now_ms,
                    out,
                );
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
    pub fn reorg(&mut self, kept: u64, now_ms: u64, out: &mut Vec<Outcome>) {
        self.heads.retain(|(number, _)| *number <= kept);
        let (stay, gone): (VecDeque<_>, VecDeque<_>) =
            self.mined.drain(..).partition(|mined| mined.number <= kept);
        self.mined = stay;
        for Mined { detected, all, .. } in gone {
            for hash in all {
                self.recent.remove(&hash);
            }
            for (hash, tracked) in detected {
                report(tracked, hash, Fate::Reorged, now_ms, out);
                self.by_nonce.insert((tracked.from, tracked.nonce), hash);
                self.pending.insert(hash, tracked);
                self.order.push_back((now_ms, hash));
            }
        }
    }

    /// Ends what has been pending for longer than the tracking time.
    pub fn expire(&mut self, now_ms: u64, out: &mut Vec<Outcome>) {
        while let Some(&(seen_ms, hash)) = self.order.front() {
            if now_ms.saturating_sub(seen_ms) < self.drop_after_ms {
                break;
            }
            self.order.pop_front();
            if let Some(tracked) = self.forget(&hash) {
                self.stats.dropped.add(1);
                report(tracked, hash, Fate::Dropped, now_ms, out);
            }
        }
    }

    fn forget(&mut self, hash: &B256) -> Option<Tracked> {
        let tracked = self.pending.remove(hash)?;
        let key = (tracked.from, tracked.nonce);
        if self.by_nonce.get(&key) == Some(hash) {
            self.by_nonce.remove(&key);
        }
        Some(tracked)
    }
}

fn report(tracked: Tracked, hash: B256, fate: Fate, at_ms: u64, out: &mut Vec<Outcome>) {
    if tracked.detected {
        out.push(Outcome { at_ms, hash, fate });
    }
}
