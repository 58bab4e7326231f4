//! What arrives, as a transaction that was not seen before: parsed, of this chain, first seen wins.

use super::dedup::Dedup;
use super::slot::Slot;
use crate::chain::ChainSpec;
use crate::config::SensorConfig;
use crate::evidence::{Anomaly, AnomalyKind, Authenticity, Identity};
use crate::inbox::Raw;
use crate::stats::{EndpointStats, Stats};
use crate::tx::PendingTransaction;
use crate::wire::{Original, parse_notification, parse_object};
use alloy_primitives::B256;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Announcements remembered, to compare the endpoints: of the last seconds where many come.
const ANNOUNCED: usize = 1 << 14;

/// Lies that wait for the truth, at the most.
const RECONSIDERED: usize = 256;
/// Copies that are looked at for each of them.
const COPIES: u32 = 16;

/// How a transaction's JSON arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Notification,
    Object,
    /// Asked for by name.
    Fetched,
}

/// Whether a transaction goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    /// Other contents were announced under its hash. One of the two was made up to hide the other: both are judged.
    Beside(Anomaly),
    /// Seen before, and what was told then was a lie in what the first stage does not look at.
    Again,
    /// Seen before.
    Known,
    Refused(Anomaly),
}

pub struct Intake {
    chain: Arc<ChainSpec>,
    /// Redacted URLs of the endpoints, and their figures; none in a replay.
    labels: Vec<String>,
    endpoints: Vec<Arc<EndpointStats>>,
    /// Of the contents, see [`Dedup::fingerprint`].
    seen: Dedup<u64>,
    /// Whose contents are a lie: those told next count, too. And all that were, so that each is asked for once.
    reconsidered: VecDeque<(B256, u32)>,
    lies: Dedup<()>,
    /// Who announced first, and when.
    announced: Dedup<(u16, Instant)>,
    stats: Arc<Stats>,
}

impl Intake {
    pub fn new(
        config: &SensorConfig,
        chain: Arc<ChainSpec>,
        labels: Vec<String>,
        endpoints: Vec<Arc<EndpointStats>>,
        stats: Arc<Stats>,
    ) -> Self {
        Self {
            chain,
            labels,
            endpoints,
            seen: Dedup::new(config.limits.dedup),
            reconsidered: VecDeque::new(),
            lies: Dedup::new(ANNOUNCED),
            announced: Dedup::new(ANNOUNCED),
            stats,
        }
    }

    /// What stands for an endpoint where people read it.
    pub fn label(&self, endpoint: u16) -> &str {
        let label = self.labels.get(usize::from(endpoint));
        label.map_or("replay", String::as_str)
    }

    /// # Errors
    /// Why it is none.
    pub fn parse(&self, raw: &Raw, form: Form) -> Result<PendingTransaction, Anomaly> {
        let parsed = match form {
            Form::Notification => parse_notification(&raw.bytes, raw.unix_ms),
            Form::Object | Form::Fetched => parse_object(&raw.bytes, raw.unix_ms),
        };
        parsed.map_err(|error| {
            self.stats.unparsed.add(1);
            Anomaly {
                at_ms: raw.unix_ms,
                kind: error.kind,
                origin: self.label(raw.endpoint).to_owned(),
                reason: error.reason.to_string(),
            }
        })
    }

    /// Whether `slot.tx` goes on; it then has its fingerprint. `raw`: as it arrived, where it was JSON.
    pub fn admit(&mut self, slot: &mut Slot, raw: Option<(&Raw, Form)>) -> Admission {
        let tx = &slot.tx;
        let anomaly = |kind, reason| Anomaly {
            at_ms: tx.seen_ms,
            kind,
            origin: tx.hash.to_string(),
            reason,
        };
        // Before it can take the place of the transaction whose hash it bears.
        if let Some(chain_id) = tx.chain_id.filter(|id| *id != self.chain.id) {
            let watched = self.chain.id;
            let reason = format!("signed for chain {chain_id}, this sensor watches {watched}");
            return Admission::Refused(anomaly(AnomalyKind::WrongChain, reason));
        }
        if !self.chain.takes(tx.tx_type) {
            let (kind, name) = (tx.tx_type, &self.chain.name);
            let reason = format!("type {kind:#x}: none such is pending on {name}");
            return Admission::Refused(anomaly(AnomalyKind::UnknownTransactionType, reason));
        }
        slot.fingerprint = self.seen.fingerprint(tx);
        let first = self.seen.insert(tx.hash, slot.fingerprint);
        // Objects were announced before, as hashes, or by nobody: a pool says nothing about who is faster.
        if let Some((raw, Form::Notification)) = raw {
            self.announced(tx.hash, raw.endpoint, raw.at);
        }
        match first {
            None => Admission::Admitted,
            Some(first) if first != slot.fingerprint => {
                let reason = "announced with different contents under one hash".into();
                Admission::Beside(anomaly(AnomalyKind::HashMismatch, reason))
            }
            Some(_) if self.is_reconsidered(&slot.tx, raw) => Admission::Again,
            Some(_) => {
                self.stats.duplicates.add(1);
                Admission::Known
            }
        }
    }

    /// The contents that were told under a hash are a lie: one more copy is let in. Answers whether this is news.
    pub fn reconsider(&mut self, hash: B256) -> bool {
        let news = self.lies.insert(hash, ()).is_none();
        if news {
            self.reconsidered.push_back((hash, COPIES));
        }
        if self.reconsidered.len() > RECONSIDERED {
            self.reconsidered.pop_front();
        }
        news
    }

    /// Whether this is the copy that is let in. Who lied may do so again: that copy does not count.
    fn is_reconsidered(&mut self, tx: &PendingTransaction, raw: Option<(&Raw, Form)>) -> bool {
        let mut places = self.reconsidered.iter();
        let Some(at) = places.position(|(hash, _)| *hash == tx.hash) else {
            return false;
        };
        let told = raw.map(Original::from);
        let identity = Identity::of(tx, told.as_ref());
        let lies = identity.authenticity == Authenticity::Contradicted;
        let copies = &mut self.reconsidered[at].1;
        *copies -= 1;
        if !lies || *copies == 0 {
            self.reconsidered.remove(at);
        }
        !lies
    }

    /// An endpoint announced this: who is first?
    pub fn announced(&mut self, hash: B256, endpoint: u16, at: Instant) {
        let Some(stats) = self.endpoints.get(usize::from(endpoint)) else {
            return;
        };
        match self.announced.insert(hash, (endpoint, at)) {
            None => {
                stats.seen.add(1);
                stats.first.add(1);
            }
            Some((first, since)) if first != endpoint => {
                let lag = at.saturating_duration_since(since);
                stats.seen.add(1);
                stats.lag_sum_us.add(lag.as_micros() as u64);
                stats.lag_count.add(1);
            }
            // Repeated by the same endpoint: says nothing about who is faster.
            Some(_) => {}
        }
    }
}

impl From<(&Raw, Form)> for Original {
    fn from((raw, form): (&Raw, Form)) -> Self {
        Self {
            json: raw.bytes.clone(),
            is_notification: form == Form::Notification,
        }
    }
}
