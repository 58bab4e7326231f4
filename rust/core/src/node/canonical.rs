//! The canonical chain as the endpoints announce it: each head once, and reorgs. It asks nobody.

use crate::chain::Head;
use alloy_primitives::B256;
use std::collections::{HashMap, HashSet, VecDeque};

/// Blocks walked back in search of a known one, at the most.
pub const MAX_WALK: usize = 64;
/// Blocks of the canonical chain remembered: the deepest reorg whose depth is exact.
const CHAIN: usize = 256;
/// Headers remembered, side branches among them.
const KNOWN: usize = 1024;

/// What a head means.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Known already, or a side branch no longer than the canonical one.
    Nothing,
    /// The header of this hash is needed first.
    Missing(B256),
    /// `blocks` are the new canonical ones, the oldest first. `depth` blocks left the chain (at least, where no common
    /// ancestor was found); `gap` blocks before `blocks` are not known.
    Advance {
        blocks: Vec<Head>,
        depth: u64,
        gap: u64,
    },
    /// A child whose number is not its parent's plus one.
    Impossible,
}

/// Follows the chain without asking anyone.
#[derive(Default)]
pub struct Chain {
    /// Contiguous, the oldest first.
    canonical: VecDeque<Head>,
    known: HashMap<B256, Head>,
    order: VecDeque<B256>,
    /// Who announced the tip. Where one of them names another block of the same height, its view has changed: a reorg.
    /// Where anyone else does, nodes disagree, and the first seen stands until the other branch is longer.
    backers: HashSet<u16>,
}

impl Chain {
    pub fn tip(&self) -> Option<&Head> {
        self.canonical.back()
    }

    /// A header fetched on the way.
    pub fn learn(&mut self, head: Head) {
        let hash = head.hash;
        if self.known.insert(hash, head).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// Takes in a head that `endpoint` announced. With `give_up`, a missing header is not asked for.
    pub fn advance(&mut self, head: &Head, endpoint: u16, give_up: bool) -> Step {
        let Some(tip) = self.tip() else {
            return self.adopt(vec![head.clone()], 0, endpoint, 0, 0);
        };
        let (tip, tip_hash) = (tip.number, tip.hash);
        if self.ancestor(head.hash).is_some() {
            if head.hash == tip_hash {
                self.backers.insert(endpoint);
            }
            return Step::Nothing;
        }
        self.learn(head.clone());
        if head.number <= tip && !self.backers.contains(&endpoint) {
            return Step::Nothing;
        }
        let mut branch = vec![head.clone()];
        let mut oldest = head;
        loop {
            if let Some((keep, number)) = self.ancestor(oldest.parent) {
                if number.checked_add(1) != Some(oldest.number) {
                    return Step::Impossible;
                }
                return self.adopt(branch, keep, endpoint, tip - number, 0);
            }
            if branch.len() >= MAX_WALK || oldest.number == 0 {
                break;
            }
            match self.known.get(&oldest.parent) {
                Some(parent) if parent.number.checked_add(1) != Some(oldest.number) => {
                    return Step::Impossible;
                }
                Some(parent) => {
                    oldest = parent;
                    branch.push(parent.clone());
                }
                None if give_up => break,
                None => return Step::Missing(oldest.parent),
            }
        }
        // No common ancestor: everything remembered is void. The oldest block's parent is not canonical either.
        let first = oldest.number;
        let depth = tip.saturating_add(2).saturating_sub(first.max(1));
        self.adopt(
            branch,
            0,
            endpoint,
            depth,
            first.saturating_sub(tip.saturating_add(1)),
        )
    }

    /// Keeps the first `keep` canonical blocks and puts `branch` (the newest first) on top.
    fn adopt(
        &mut self,
        mut branch: Vec<Head>,
        keep: usize,
        endpoint: u16,
        depth: u64,
        gap: u64,
    ) -> Step {
        branch.reverse();
        self.canonical.truncate(keep);
        self.canonical.extend(branch.iter().cloned());
        let surplus = self.canonical.len().saturating_sub(CHAIN);
        self.canonical.drain(..surplus);
        self.backers = HashSet::from([endpoint]);
        Step::Advance {
            blocks: branch,
            depth,
            gap,
        }
    }

    /// How many canonical blocks there are up to the one of this hash, and its number. The parent of the first one is
    /// known by its hash alone.
    fn ancestor(&self, hash: B256) -> Option<(usize, u64)> {
        let first = self.canonical.front()?;
        if hash == first.parent {
            return Some((0, first.number.checked_sub(1)?));
        }
        let position = self
            .canonical
            .iter()
            .rposition(|block| block.hash == hash)?;
        Some((position + 1, self.canonical[position].number))
    }
}

#[cfg(test)]
mod tests;
