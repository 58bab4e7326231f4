//! One WebSocket URL over all its connections: what is known of it, and said.

use super::deliver::Deliver;
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use crate::node::redact::SecretUrl;
use crate::node::report::Reporter;
use crate::node::standing::Standing;
use crate::stats::EndpointStats;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// One WebSocket URL over all its connections.
pub struct Endpoint {
    pub index: u16,
    pub url: SecretUrl,
    pub stats: Arc<EndpointStats>,
    pub reporter: Rc<Reporter>,
    pub deliver: Deliver,
    pub standing: Standing,
    pub seen: Seen,
}

/// What its connections have shown so far.
#[derive(Default)]
pub struct Seen {
    /// The node refuses batches.
    pub batches_refused: Cell<bool>,
    /// That its pool cannot be read has been said.
    pub pool_refusal_told: Cell<bool>,
    /// Its `txpool_content` was above the size limit and cost the connection: not asked again.
    pub pool_too_large: Cell<bool>,
    /// Its `txpool_content` is being fetched.
    pub reads_pool: Cell<bool>,
    pub hashes_told: Cell<bool>,
    pub heads_refusal_told: Cell<bool>,
    /// It was subscribed before: what it holds now may have been missed.
    pub was_up: Cell<bool>,
    /// What was missed has been fetched.
    pub caught_up: Cell<bool>,
}

/// Why a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// In words, for people; to be connected again.
    Lost(String),
    /// Another chain, and never the right one before: not to be used.
    WrongChain,
    /// The pipeline is gone.
    Closed,
}

impl From<Closed> for Ended {
    fn from(_: Closed) -> Self {
        Ended::Closed
    }
}

impl Endpoint {
    /// Counts, and tells at a bounded rate, what a node or a library said; without the URL's keys.
    pub fn report(&self, kind: AnomalyKind, said: &str) {
        self.reporter.report(kind, &self.url.scrub(said));
    }

    /// The same for what is told once.
    pub fn tell(&self, kind: AnomalyKind, said: &str) {
        self.reporter.tell(kind, self.url.scrub(said));
    }

    pub fn tell_hashes(&self) {
        if !self.seen.hashes_told.replace(true) {
            let said = "announces hashes only: transactions are fetched, which takes longer";
            self.reporter.tell(AnomalyKind::NodeError, said.into());
        }
    }

    /// Whether what it gives now may have been missed: it is back, and has not been read again.
    pub fn is_behind(&self) -> bool {
        self.seen.was_up.get() && !self.seen.caught_up.get()
    }
}
