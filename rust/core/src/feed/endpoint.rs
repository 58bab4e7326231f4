//! One WebSocket URL over all its connections.

use super::connection::Connection;
use super::hashes::Desk;
use super::thread::Shared;
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use crate::inbox::{Item, Raw};
use crate::node::redact::SecretUrl;
use crate::node::report::{Reporter, emit};
use crate::node::rpc::WsRpc;
use crate::node::transport;
use crate::node::transport::Arrival;
use crate::stats::EndpointStats;
use alloy_primitives::B256;
use bytes::Bytes;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a transaction waits for room in the queue before it is dropped and counted.
const PATIENCE: Duration = Duration::from_millis(50);

/// One WebSocket URL over all its connections.
pub struct Endpoint {
    pub index: u16,
    pub url: SecretUrl,
    pub stats: Arc<EndpointStats>,
    pub reporter: Reporter,
    pub shared: Rc<Shared>,
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
    /// It has served the right chain before.
    pub verified: Cell<bool>,
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

/// What became of one connection.
pub struct Connected {
    pub ended: Ended,
    /// It was subscribed and had fetched what was missed.
    pub caught_up: bool,
}

impl Endpoint {
    pub fn new(
        index: u16,
        url: SecretUrl,
        stats: Arc<EndpointStats>,
        reporter: Reporter,
        shared: Rc<Shared>,
    ) -> Self {
        let off = || Cell::new(false);
        Self {
            index,
            url,
            stats,
            reporter,
            shared,
            batches_refused: off(),
            pool_refusal_told: off(),
            pool_too_large: off(),
            reads_pool: off(),
            hashes_told: off(),
            heads_refusal_told: off(),
            verified: off(),
            was_up: off(),
            caught_up: off(),
        }
    }

    /// Connects and stays until the connection ends.
    pub async fn connect_once(self: &Rc<Self>) -> Connected {
        self.caught_up.set(false);
        let connected = transport::connect(
            &self.url,
            self.shared.tls.clone(),
            self.shared.limits.message_bytes,
        )
        .await;
        let ended = match connected {
            Err(reason) => Ended::Lost(reason),
            Ok(socket) => {
                let (rpc, outgoing) = WsRpc::new();
                let rpc = Rc::new(rpc);
                let desk = Desk::open(self.clone(), rpc.clone());
                let connection = Connection::new(self, rpc.clone());
                // One future: whatever ends it ends all of it.
                let ended = tokio::select! {
                    biased;
                    ended = connection.read(socket, outgoing) => ended,
                    ended = connection.settle_in() => ended,
                    closed = desk.serve() => closed.into(),
                };
                rpc.close();
                ended
            }
        };
        // Where it was never subscribed, this was an attempt that failed.
        let closed = self.shared.attempted(self.index, false).await.is_err();
        Connected {
            ended: if closed { Ended::Closed } else { ended },
            caught_up: self.caught_up.get(),
        }
    }

    pub fn connection_lost(&self, reason: &str, delay: Duration) {
        let said = format!(
            "not connected: {reason}; next attempt in {} ms",
            delay.as_millis()
        );
        self.reporter
            .report(AnomalyKind::NodeError, &self.url.scrub(&said));
    }

    /// Forwards a whole notification with a transaction in it.
    #[inline]
    pub async fn offer_notification(&self, frame: Bytes, arrival: Arrival) -> Result<(), Closed> {
        self.shared.stats.received.add(1);
        if !self.fits(&frame) {
            return Ok(());
        }
        let item = Item::Notification(self.raw(frame, arrival));
        self.shared.items.offer(item, PATIENCE).await
    }

    /// Forwards that a hash was announced, and has its transaction asked for.
    pub fn offer_hash(&self, hash: B256, arrival: Arrival) -> Result<(), Closed> {
        if self.shared.lookups.announce(self.index, hash) {
            self.shared.stats.dropped_queue.add(1);
        }
        let item = Item::Announced {
            hash,
            endpoint: self.index,
            at: arrival.at,
        };
        // A figure: where there is no room, nothing but the figure is lost.
        self.shared.items.try_send(item).map(drop)
    }

    /// Forwards a transaction object that a node gave on its announcement.
    pub async fn offer_object(&self, object: Bytes, arrival: Arrival) -> Result<(), Closed> {
        let Some(item) = self.object(object, arrival) else {
            return Ok(());
        };
        self.shared.items.offer(item, PATIENCE).await
    }

    /// Forwards a transaction object that was missed, however long it takes: nobody will announce it again.
    pub async fn send_object(&self, object: Bytes, arrival: Arrival) -> Result<(), Closed> {
        let Some(item) = self.object(object, arrival) else {
            return Ok(());
        };
        if self.was_up.get() && !self.caught_up.get() {
            self.shared.stats.recovered.add(1);
        }
        emit(&self.shared.items, item).await
    }

    /// Forwards a transaction that was mined while nobody listened.
    pub async fn send_mined(&self, object: Bytes, arrival: Arrival) -> Result<(), Closed> {
        let Some(item) = self.object(object, arrival) else {
            return Ok(());
        };
        self.shared.stats.recovered.add(1);
        emit(&self.shared.items, item).await
    }

    fn object(&self, bytes: Bytes, arrival: Arrival) -> Option<Item> {
        self.shared.stats.received.add(1);
        self.fits(&bytes)
            .then(|| Item::Object(self.raw(bytes, arrival)))
    }

    fn raw(&self, bytes: Bytes, arrival: Arrival) -> Raw {
        Raw {
            bytes,
            endpoint: self.index,
            at: arrival.at,
            unix_ms: arrival.unix_ms,
        }
    }

    fn fits(&self, transaction: &Bytes) -> bool {
        let fits = transaction.len() <= self.shared.limits.frame_bytes;
        if !fits {
            let said = format!("a transaction of {} bytes is left out", transaction.len());
            self.reporter.report(AnomalyKind::OversizedFrame, &said);
        }
        fits
    }
}

/// Marks an endpoint as subscribed for as long as it lives.
pub struct Up<'a>(&'a Endpoint);

impl<'a> Up<'a> {
    pub fn new(endpoint: &'a Endpoint, rpc: Rc<WsRpc>) -> Self {
        endpoint.stats.up.set(1);
        endpoint.stats.connects.add(1);
        endpoint.shared.routes.add(endpoint.index, rpc);
        if endpoint.was_up.get() {
            endpoint.shared.stats.reconnects.add(1);
        }
        Self(endpoint)
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.0.stats.up.set(0);
        self.0.stats.disconnects.add(1);
        self.0.shared.routes.remove(self.0.index);
        self.0.was_up.set(true);
    }
}
