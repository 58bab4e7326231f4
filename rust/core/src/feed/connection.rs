//! Reads what a subscribed node sends: transactions to the inbox, heads to who follows them, answers to who asked.

use super::endpoint::Endpoint;
use super::hashes::Lookups;
use super::heads::HeadWatch;
use super::session::{Pending, Routed, Session};
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use crate::node::connection::Reader;
use crate::node::message::{Message, parse};
use crate::node::rpc::WsRpc;
use crate::node::transport::Arrival;
use crate::wire::nesting::MAX_NESTING;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::VecDeque;

/// Notifications set aside while their subscription is not confirmed yet.
const EARLY: usize = 256;

/// An open connection.
pub struct Connection<'a> {
    endpoint: &'a Endpoint,
    rpc: &'a WsRpc,
    lookups: &'a Lookups,
    heads: &'a HeadWatch<'a>,
    session: RefCell<Session>,
    /// Notifications of subscriptions that are not known yet.
    early: RefCell<VecDeque<(Bytes, Arrival)>>,
}

impl Reader for Connection<'_> {
    const MAX_NESTING: usize = MAX_NESTING;

    #[inline]
    async fn recognise(&self, frame: Bytes, arrival: Arrival) -> Result<Option<Bytes>, Closed> {
        self.endpoint.stats.messages.add(1);
        self.endpoint.stats.bytes.add(frame.len() as u64);
        let recognised = self.session.borrow().recognise(&frame);
        match recognised {
            Some(pending) => self.pending(pending, frame, arrival).await.map(|()| None),
            None => Ok(Some(frame)),
        }
    }

    async fn take(
        &self,
        frame: Bytes,
        message: Result<Message, String>,
        arrival: Arrival,
    ) -> Result<(), Closed> {
        if !self.route(frame, message, arrival).await? {
            return Ok(());
        }
        // A subscription is confirmed: what was set aside may be its.
        let early = self.early.take();
        for (frame, arrival) in early {
            let message = parse(&frame, arrival, MAX_NESTING);
            self.route(frame, message, arrival).await?;
        }
        Ok(())
    }

    fn pause(&self) {
        self.endpoint.deliver.items.yield_if_ahead();
    }
}

impl<'a> Connection<'a> {
    pub fn new(
        endpoint: &'a Endpoint,
        rpc: &'a WsRpc,
        lookups: &'a Lookups,
        heads: &'a HeadWatch<'a>,
    ) -> Self {
        Self {
            endpoint,
            rpc,
            lookups,
            heads,
            session: RefCell::new(Session::new()),
            early: RefCell::default(),
        }
    }

    /// Nothing is subscribed any more that is not confirmed: what was set aside is nobody's.
    pub fn forget_early(&self) {
        for _ in self.early.take() {
            self.unsubscribed();
        }
    }

    /// Whether the frame confirmed a subscription.
    async fn route(
        &self,
        frame: Bytes,
        message: Result<Message, String>,
        arrival: Arrival,
    ) -> Result<bool, Closed> {
        let routed = self.session.borrow_mut().route(message, self.rpc, arrival);
        match routed {
            Routed::Pending(pending) => self.pending(pending, frame, arrival).await?,
            Routed::Head(head) => self.heads.announced(head),
            Routed::Answers { subscribed } => return Ok(subscribed),
            Routed::Unknown if self.sets_aside(&frame) => {
                self.early.borrow_mut().push_back((frame, arrival));
            }
            Routed::Unknown => self.unsubscribed(),
            Routed::Malformed(reason) => self.malformed(&frame, &reason),
        }
        Ok(false)
    }

    #[inline]
    async fn pending(
        &self,
        pending: Pending,
        frame: Bytes,
        arrival: Arrival,
    ) -> Result<(), Closed> {
        let endpoint = self.endpoint;
        match pending {
            Pending::Transaction => endpoint.deliver.offer_notification(frame, arrival).await,
            Pending::Hash(hash) => {
                endpoint.tell_hashes();
                if self.lookups.announce(endpoint.index, hash) {
                    endpoint.deliver.stats.dropped_queue.add(1);
                }
                endpoint.deliver.announced(hash, arrival)
            }
        }
    }

    /// Whether a frame of an unknown subscription may belong to one that is about to be confirmed.
    fn sets_aside(&self, frame: &Bytes) -> bool {
        let early = self.early.borrow();
        let held: usize = early.iter().map(|(bytes, _)| bytes.len()).sum();
        let room = early.len() < EARLY && held + frame.len() <= self.endpoint.deliver.frame_bytes;
        room && !self.endpoint.seen.caught_up.get()
    }

    fn unsubscribed(&self) {
        let said = "a notification nobody subscribed to";
        let reporter = &self.endpoint.reporter;
        reporter.report(AnomalyKind::MalformedFrame, said);
    }

    fn malformed(&self, frame: &Bytes, reason: &str) {
        let prefix = String::from_utf8_lossy(&frame[..frame.len().min(48)]);
        let said = format!("{reason}: {prefix}");
        self.endpoint.report(AnomalyKind::MalformedFrame, &said);
    }
}
