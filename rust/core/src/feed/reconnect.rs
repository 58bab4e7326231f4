//! One connection after another, for as long as the sensor runs.

use super::connection::Connection;
use super::desk::Desk;
use super::endpoint::{Ended, Endpoint};
use super::hashes::Lookups;
use super::heads::HeadWatch;
use super::readiness::Readiness;
use super::{handshake, resync};
use crate::evidence::AnomalyKind;
use crate::node::backoff::Backoff;
use crate::node::connection::{Lost, converse};
use crate::node::heads::Announced;
use crate::node::routes::Routes;
use crate::node::rpc::WsRpc;
use crate::node::transport;
use crate::node::transport::Socket;
use rustls::ClientConfig;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// What the connections of all endpoints use.
pub struct Connector {
    pub tls: Arc<ClientConfig>,
    /// Of one message; a longer one ends the connection.
    pub message_bytes: usize,
    pub stall_timeout: Duration,
    /// Whether pools are read.
    pub resync: bool,
    pub routes: Rc<Routes>,
    pub lookups: Rc<Lookups>,
    pub heads: mpsc::Sender<Announced>,
    pub readiness: Readiness,
}

impl Connector {
    /// Keeps `endpoint` connected. Returns where it must not be used: it serves another chain, or the pipeline is gone.
    ///
    /// A connection's whole life is one future inside this loop, dropped before the next begins: no second loop can be
    /// left running. Success, which resets the backoff, means subscribed and caught up, so that a node that breaks off
    /// while it is asked for its pool is asked ever more seldom.
    pub async fn keep_connected(&self, endpoint: &Rc<Endpoint>, mut backoff: Backoff) {
        loop {
            endpoint.seen.caught_up.set(false);
            let connected =
                transport::connect(&endpoint.url, self.tls.clone(), self.message_bytes).await;
            let ended = match connected {
                Ok(socket) => self.serve(endpoint, socket).await,
                Err(reason) => Ended::Lost(reason),
            };
            // Where it was never subscribed, this was an attempt that failed.
            if self
                .readiness
                .attempted(endpoint.index, false)
                .await
                .is_err()
            {
                return;
            }
            if endpoint.seen.caught_up.get() {
                backoff.reset();
            }
            let reason = match ended {
                Ended::Lost(reason) => reason,
                Ended::WrongChain | Ended::Closed => return,
            };
            let delay = backoff.next_delay();
            let said = format!(
                "not connected: {reason}; next attempt in {} ms",
                delay.as_millis()
            );
            endpoint.report(AnomalyKind::NodeError, &said);
            tokio::time::sleep(delay).await;
        }
    }

    /// Until the connection ends.
    async fn serve(&self, endpoint: &Rc<Endpoint>, socket: Socket) -> Ended {
        let (rpc, outgoing) = WsRpc::new();
        let rpc = Rc::new(rpc);
        let desk = Desk::open(endpoint.clone(), rpc.clone(), self.lookups.clone());
        let heads = HeadWatch::new(endpoint, &rpc, &self.routes, &self.heads);
        let connection = Connection::new(endpoint, &rpc, &self.lookups, &heads);
        // One future: whatever ends it ends all of it.
        let ended = tokio::select! {
            biased;
            lost = converse(socket, outgoing, self.stall_timeout, &connection) => match lost {
                Ok(lost) => lost_by(endpoint, lost),
                Err(closed) => closed.into(),
            },
            ended = self.settle_in(endpoint, &rpc, &connection, &heads) => ended,
            closed = desk.serve() => closed.into(),
        };
        rpc.close();
        ended
    }

    /// Everything that is asked of a node at the start; then its heads are watched.
    async fn settle_in(
        &self,
        endpoint: &Endpoint,
        rpc: &Rc<WsRpc>,
        connection: &Connection<'_>,
        heads: &HeadWatch<'_>,
    ) -> Ended {
        endpoint.seen.reads_pool.set(false);
        let told = match handshake::subscribe(endpoint, rpc).await {
            Ok(told) => told,
            Err(ended) => return ended,
        };
        let _up = Up::new(endpoint, &self.routes, rpc.clone());
        if self
            .readiness
            .attempted(endpoint.index, true)
            .await
            .is_err()
        {
            return Ended::Closed;
        }
        let resync = async {
            match self.resync {
                true => resync::catch_up(endpoint, rpc).await,
                false => Ok(()),
            }
        };
        let (resynced, _) = tokio::join!(resync, heads.latest());
        if resynced.is_err() {
            return Ended::Closed;
        }
        endpoint.seen.caught_up.set(true);
        connection.forget_early();
        heads.keep(told, self.stall_timeout).await
    }
}

fn lost_by(endpoint: &Endpoint, lost: Lost) -> Ended {
    if lost.kind == Some(AnomalyKind::OversizedFrame) && endpoint.seen.reads_pool.take() {
        endpoint.seen.pool_too_large.set(true);
    }
    if let Some(kind) = lost.kind {
        endpoint.report(kind, &lost.reason);
    }
    Ended::Lost(lost.reason)
}

/// Marks an endpoint as subscribed for as long as it lives.
struct Up<'a> {
    endpoint: &'a Endpoint,
    routes: &'a Routes,
}

impl<'a> Up<'a> {
    fn new(endpoint: &'a Endpoint, routes: &'a Routes, rpc: Rc<WsRpc>) -> Self {
        endpoint.stats.up.set(1);
        endpoint.stats.connects.add(1);
        routes.add(endpoint.index, rpc);
        if endpoint.seen.was_up.get() {
            endpoint.deliver.stats.reconnects.add(1);
        }
        Self { endpoint, routes }
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.endpoint.stats.up.set(0);
        self.endpoint.stats.disconnects.add(1);
        self.routes.remove(self.endpoint.index);
        self.endpoint.seen.was_up.set(true);
    }
}
