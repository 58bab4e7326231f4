//! What is remembered of senders and targets: features 20 and 21.

use super::MISSING;
use alloy_primitives::Address;
use hashbrown::HashMap;

/// A bounded memory of accounts in two generations: when the young one is full it becomes the old one, and the old one is
/// forgotten. Whoever was met during the last generation is kept, whatever else arrives, and which accounts are forgotten
/// depends on the order of arrival alone.
#[derive(Debug)]
struct Recent<V> {
    young: HashMap<Address, V>,
    old: HashMap<Address, V>,
    /// Accounts of one generation.
    generation: usize,
    young_since_ms: u64,
    /// Whoever is not remembered was not met since then.
    since_ms: u64,
    started: bool,
}

impl<V: Copy> Recent<V> {
    fn new(accounts: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation: (accounts / 2).max(1),
            young_since_ms: 0,
            since_ms: 0,
            started: false,
        }
    }

    fn start(&mut self, now_ms: u64) {
        if !self.started {
            self.started = true;
            self.young_since_ms = now_ms;
            self.since_ms = now_ms;
        }
    }

    fn get(&self, account: &Address) -> Option<V> {
        self.young
            .get(account)
            .or_else(|| self.old.get(account))
            .copied()
    }

    fn put(&mut self, account: Address, value: V, now_ms: u64) {
        if let Some(known) = self.young.get_mut(&account) {
            *known = value;
            return;
        }
        if self.young.len() >= self.generation {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.since_ms = self.young_since_ms;
            self.young_since_ms = now_ms;
        }
        self.young.insert(account, value);
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A sender with a nonce up to this is new.
const NEW_NONCE: u64 = 5;

/// Whether the nonce alone makes the sender new.
pub(super) fn new_by_nonce(nonce: u64) -> bool {
    nonce <= NEW_NONCE
}

/// When senders were first met.
#[derive(Debug)]
pub(super) struct Senders {
    /// Unix milliseconds; `None` where memory did not reach back a day, so that it may have been met before.
    first_met: Recent<Option<u64>>,
}

impl Senders {
    pub fn new(accounts: usize) -> Self {
        Self {
            first_met: Recent::new(accounts),
        }
    }

    /// Feature 20 of a transaction of `sender`, which is remembered.
    pub fn meet(&mut self, sender: Address, nonce: u64, now_ms: u64) -> bool {
        self.first_met.start(now_ms);
        let first = match self.first_met.get(&sender) {
            Some(first) => first,
            None => {
                let certain =
                    nonce == 0 || now_ms.saturating_sub(self.first_met.since_ms) >= DAY_MS;
                certain.then_some(now_ms)
            }
        };
        self.first_met.put(sender, first, now_ms);
        new_by_nonce(nonce) || first.is_some_and(|first| now_ms.saturating_sub(first) < DAY_MS)
    }
}

/// Inter-arrival times needed before one can be unusual.
pub(super) const WARM_ARRIVALS: u32 = 8;
/// From here on the mean and variance forget: each new time weighs 1/256.
const MEMORY: u32 = 256;
/// Deviations beyond this many sigmas are one and the same.
const MAX_SIGMAS: f64 = 10.0;

/// ln of a target's inter-arrival times: Welford's mean and population variance, exponentially forgetting after `MEMORY`.
#[derive(Debug, Clone, Copy)]
struct Arrivals {
    last_ms: u64,
    count: u32,
    mean: f64,
    variance: f64,
}

/// When targets were called.
#[derive(Debug)]
pub(super) struct Targets {
    arrivals: Recent<Arrivals>,
}

impl Targets {
    pub fn new(accounts: usize) -> Self {
        Self {
            arrivals: Recent::new(accounts),
        }
    }

    /// Feature 21 of a transaction to `target`, which is remembered: min(|ln Δt − μ|/σ, 10)/10, Δt in ms and at least 1.
    pub fn meet(&mut self, target: Address, now_ms: u64) -> f32 {
        let Some(mut known) = self.arrivals.get(&target) else {
            self.arrivals.put(
                target,
                Arrivals {
                    last_ms: now_ms,
                    count: 0,
                    mean: 0.0,
                    variance: 0.0,
                },
                now_ms,
            );
            return MISSING;
        };
        let x = (now_ms.saturating_sub(known.last_ms).max(1) as f64).ln();
        let delta = x - known.mean;
        let answer = if known.count < WARM_ARRIVALS {
            MISSING
        } else if delta == 0.0 {
            0.0
        } else {
            ((delta.abs() / known.variance.sqrt()).min(MAX_SIGMAS) / MAX_SIGMAS) as f32
        };
        known.count = (known.count + 1).min(MEMORY);
        let weight = 1.0 / f64::from(known.count);
        known.mean += delta * weight;
        known.variance = (1.0 - weight) * (known.variance + weight * delta * delta);
        known.last_ms = now_ms.max(known.last_ms);
        self.arrivals.put(target, known, now_ms);
        answer
    }
}
