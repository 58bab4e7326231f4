//! Thresholds and suppressions as Suricata has them. They mute notifications; matches and scores stay.
//!
//! Time is the transactions' own (`seen_ms`), so that a replay notifies exactly where the live run did.

use alloy_primitives::Address;
use std::collections::HashMap;

/// Senders and targets counted at a time, per generation: two generations are kept, the older is forgotten.
const GENERATION: usize = 1 << 15;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Notify the first `count` in a window.
    Limit,
    /// Notify every `count`-th in a window.
    Threshold,
    /// Notify once in a window, at the `count`-th.
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    Source,
    Destination,
    Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Threshold {
    pub kind: Type,
    pub track: Track,
    pub count: u32,
    /// Milliseconds.
    pub window_ms: u64,
}

/// Sorted addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Suppression {
    Everyone,
    Sources(Vec<Address>),
    Destinations(Vec<Address>),
}

impl Suppression {
    pub fn mutes(&self, from: &Address, to: Option<&Address>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Sources(list) => list.binary_search(from).is_ok(),
            Self::Destinations(list) => to.is_some_and(|to| list.binary_search(to).is_ok()),
        }
    }
}

/// `None` as address: counted by rule, or a creation counted by destination.
type Key = (u32, Option<Address>);

#[derive(Debug, Clone, Copy)]
struct Window {
    start_ms: u64,
    count: u32,
}

/// Counts of all thresholds, bounded whatever arrives. Forgetting the longest unseen lets a `limit` notify again.
#[derive(Debug, Default)]
pub(super) struct Counts {
    young: HashMap<Key, Window>,
    old: HashMap<Key, Window>,
}

impl Counts {
    /// Counts one match of rule `sid` at `now_ms` and says whether it notifies.
    pub fn notify(
        &mut self,
        sid: u32,
        threshold: &Threshold,
        from: &Address,
        to: Option<&Address>,
        now_ms: u64,
    ) -> bool {
        let address = match threshold.track {
            Track::Source => Some(*from),
            Track::Destination => to.copied(),
            Track::Rule => None,
        };
        threshold.step(self.window((sid, address), now_ms), now_ms)
    }

    fn window(&mut self, key: Key, now_ms: u64) -> &mut Window {
        if !self.young.contains_key(&key) {
            if self.young.len() >= GENERATION {
                self.old = std::mem::take(&mut self.young);
            }
            let window = self.old.remove(&key).unwrap_or(Window {
                start_ms: now_ms,
                count: 0,
            });
            self.young.insert(key, window);
        }
        self.young.entry(key).or_insert(Window {
            start_ms: now_ms,
            count: 0,
        })
    }

    /// Forgets the counts of rules that `keep` refuses.
    pub fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.young.retain(|key, _| keep(key.0));
        self.old.retain(|key, _| keep(key.0));
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

impl Threshold {
    /// Suricata's rules (detect-engine-threshold.c): a window opens with its first match, not on the clock.
    fn step(&self, window: &mut Window, now_ms: u64) -> bool {
        if now_ms.saturating_sub(window.start_ms) >= self.window_ms {
            *window = Window {
                start_ms: now_ms,
                count: 0,
            };
        }
        window.count = window.count.saturating_add(1);
        match self.kind {
            Type::Limit => window.count <= self.count,
            Type::Threshold => {
                let reached = window.count >= self.count;
                if reached {
                    window.count = 0;
                }
                reached
            }
            Type::Both => window.count == self.count,
        }
    }
}
