//! One transaction on its way through the stages.

use crate::bytecode::CodeFacts;
use crate::decode::Decoded;
use crate::evidence::{
    Authenticity, FEATURES, FeatureVector, Identity, LatencyUs, SimulationStatus,
};
use crate::features::MISSING;
use crate::simulate::pool::suspect::Key;
use crate::tx::PendingTransaction;
use crate::wire::Original;
use std::time::{Duration, Instant};

/// One transaction on its way through the stages. Slots are reused.
#[derive(Debug, Clone)]
pub struct Slot {
    pub tx: PendingTransaction,
    pub decoded: Decoded,
    pub row: FeatureVector,
    /// Monitored contracts it touches, as indices.
    pub contacts: Vec<u16>,
    /// What its init code tells, where it creates a contract.
    pub created: Option<CodeFacts>,
    pub matched: Vec<u32>,
    pub signature_score: f32,
    pub timings: Timings,
    /// Of its contents, see [`Dedup::fingerprint`](super::dedup::Dedup::fingerprint).
    pub fingerprint: u64,
    /// Its JSON; only where it may be simulated or doubted.
    pub original: Option<Original>,
    /// Whether it is what its hash says, as far as that was looked at.
    pub authenticity: Authenticity,
    /// Judged again because its callee's code arrived.
    pub again: bool,
}

/// When each stage was done.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    pub arrived: Instant,
    pub started: Instant,
    pub decoded: Instant,
    pub featured: Instant,
    pub matched: Instant,
    pub classified: Instant,
}

impl Timings {
    pub fn new(arrived: Instant) -> Self {
        let started = Instant::now();
        Self {
            arrived,
            started,
            decoded: started,
            featured: started,
            matched: started,
            classified: started,
        }
    }

    pub fn latency(&self, simulation: &SimulationStatus) -> LatencyUs {
        let us = |d: Duration| d.as_nanos() as f64 / 1000.0;
        LatencyUs {
            decode: us(self.decoded - self.started),
            features: us(self.featured - self.decoded),
            signatures: us(self.matched - self.featured),
            classify: us(self.classified - self.matched),
            simulate: match simulation {
                SimulationStatus::Done(done) => Some(done.took_us),
                _ => None,
            },
            total: us(self.arrived.elapsed()),
        }
    }
}

/// Bytes that it takes to keep a transaction: its calldata and its JSON.
pub fn held(tx: &PendingTransaction, original: Option<&Original>) -> usize {
    tx.input.len() + original.map_or(0, |original| original.json.len())
}

impl Slot {
    pub fn key(&self) -> Key {
        (self.tx.hash, self.fingerprint)
    }

    /// Blocks since its callee was created, 0 of a creation; none where that is not known.
    pub fn callee_age(&self) -> Option<u64> {
        let logarithm = f64::from(self.row[FEATURES - 1]);
        (logarithm >= 0.0).then(|| logarithm.exp_m1().round() as u64)
    }

    /// Its JSON, for keeping.
    pub fn kept_original(&self) -> Option<Original> {
        self.original.as_ref().map(Original::copy)
    }

    /// Finds out whether it is what its hash says, and who sent it.
    pub fn prove(&mut self) {
        let identity = Identity::of(&self.tx, self.original.as_ref());
        self.authenticity = identity.authenticity;
        // Who lies about the sender alone makes an attack fail in its simulation.
        self.tx.from = identity.signer.unwrap_or(self.tx.from);
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            tx: PendingTransaction::default(),
            decoded: Decoded::default(),
            row: [MISSING; FEATURES],
            contacts: Vec::new(),
            created: None,
            matched: Vec::new(),
            signature_score: 0.0,
            timings: Timings::new(Instant::now()),
            fingerprint: 0,
            original: None,
            authenticity: Authenticity::default(),
            again: false,
        }
    }
}
