//! One connection's life: check the chain, subscribe, catch up, read until it is lost.

use super::endpoint::{Ended, Endpoint, Up};
use super::heads::Announced;
use super::resync;
use super::session::{Routed, Session};
use super::silence::{Silence, Verdict};
use crate::evidence::AnomalyKind;
use crate::inbox::queue::Closed;
use crate::node::rpc::{RpcError, TIMEOUT, Topic, WsRpc};
use crate::node::transport::{Arrival, Socket, progress};
use crate::wire::json;
use bytes::Bytes;
use futures_util::task::Poll;
use futures_util::{Sink, Stream};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

/// Messages handled before other tasks get their turn.
const STRIDE: u32 = 128;
/// Notifications set aside while their subscription is not confirmed yet.
const EARLY: usize = 256;
/// How often the head is asked for where the node refuses `newHeads`.
const POLL_HEADS: Duration = Duration::from_secs(2);
/// An announcement may come this much later than an answer that knows the same head.
const OVERTAKEN: Duration = Duration::from_secs(5);
/// Between two looks at whether it still announces heads, at the least.
const MIN_WATCH: Duration = Duration::from_secs(1);

/// An open connection.
pub struct Connection<'a> {
    endpoint: &'a Endpoint,
    rpc: Rc<WsRpc>,
    session: RefCell<Session>,
    /// Heads that the node announced on this connection.
    heads: Cell<u64>,
}

/// A node that announces no heads.
enum Silent {
    /// It did before: it answers, but has forgotten what we subscribed to.
    Forgotten,
    /// It never did on this connection.
    Always,
}

enum Wake {
    Message(Option<Result<Message, WsError>>),
    Quiet,
    Broken(WsError),
}

impl<'a> Connection<'a> {
    pub fn new(endpoint: &'a Endpoint, rpc: Rc<WsRpc>) -> Self {
        Self {
            endpoint,
            rpc,
            session: RefCell::new(Session::new()),
            heads: Cell::new(0),
        }
    }

    /// Everything that is asked of a node at the start; then it waits, so that only the reading ends the connection.
    pub async fn settle_in(&self) -> Ended {
        let endpoint = self.endpoint;
        endpoint.reads_pool.set(false);
        let polls_heads = match self.subscribe().await {
            Ok(polls_heads) => polls_heads,
            Err(ended) => return ended,
        };
        let _up = Up::new(endpoint, self.rpc.clone());
        if endpoint
            .shared
            .attempted(endpoint.index, true)
            .await
            .is_err()
        {
            return Ended::Closed;
        }
        let resync = async {
            match endpoint.shared.config.resync {
                true => resync::catch_up(endpoint, &self.rpc).await,
                false => Ok(()),
            }
        };
        let (resynced, _) = tokio::join!(resync, self.latest_head());
        if resynced.is_err() {
            return Ended::Closed;
        }
        endpoint.caught_up.set(true);
        if !polls_heads {
            match self.watch_heads().await {
                Silent::Forgotten => {
                    let said = "announces no heads any more, though its chain goes on: the subscriptions are lost";
                    return Ended::Lost(said.into());
                }
                Silent::Always => {
                    let said = "announces no heads, though it agreed to: its head is asked for";
                    endpoint.reporter.report(AnomalyKind::NodeError, said);
                }
            }
        }
        loop {
            tokio::time::sleep(POLL_HEADS).await;
            self.latest_head().await;
        }
    }

    /// Ends where the node's chain goes on and it announces none of it.
    async fn watch_heads(&self) -> Silent {
        let interval = Duration::from_millis(self.endpoint.shared.config.stall_timeout_ms);
        let interval = interval.max(MIN_WATCH);
        let mut announced = self.heads.get();
        // Its head as it answered, since it last announced one.
        let mut answered = None;
        loop {
            tokio::time::sleep(interval).await;
            let mut head = None;
            if self.heads.get() == announced {
                head = self.latest_head().await;
            }
            if head.is_some_and(|head| answered.is_some_and(|before| head > before)) {
                // The answer may have overtaken the announcement.
                tokio::time::sleep(interval.min(OVERTAKEN)).await;
                if self.heads.get() == announced {
                    return match announced {
                        0 => Silent::Always,
                        _ => Silent::Forgotten,
                    };
                }
            }
            answered = answered.or(head);
            if self.heads.get() != announced {
                (announced, answered) = (self.heads.get(), None);
            }
        }
    }

    /// Checks the chain and subscribes. True where heads must be asked for, since the node does not announce them.
    async fn subscribe(&self) -> Result<bool, Ended> {
        let endpoint = self.endpoint;
        let failed = |what: &str, error: RpcError| Ended::Lost(format!("{what}: {error}"));
        let answer = self
            .rpc
            .call("eth_chainId", "[]", TIMEOUT)
            .await
            .map_err(|e| failed("eth_chainId", e))?;
        let Some(id) = json::string(answer.text()).and_then(json::quantity) else {
            return Err(Ended::Lost("eth_chainId: not a quantity".into()));
        };
        let expected = endpoint.shared.chain_id;
        if id != expected {
            let reason = format!("serves chain {id}, not {expected}");
            if endpoint.verified.get() {
                endpoint.reporter.report(AnomalyKind::WrongChain, &reason);
                return Err(Ended::Lost(reason));
            }
            endpoint
                .reporter
                .tell(AnomalyKind::WrongChain, format!("{reason}: not used"));
            return Err(Ended::WrongChain);
        }
        endpoint.verified.set(true);
        let full = self
            .rpc
            .subscribe(Topic::Pending, r#"["newPendingTransactions",true]"#)
            .await;
        if let Err(RpcError::Refused { .. }) = full {
            let hashes = self
                .rpc
                .subscribe(Topic::Pending, r#"["newPendingTransactions"]"#)
                .await;
            hashes.map_err(|error| failed("eth_subscribe newPendingTransactions", error))?;
            self.tell_hashes();
        } else {
            full.map_err(|error| failed("eth_subscribe newPendingTransactions", error))?;
        }
        match self.rpc.subscribe(Topic::Heads, r#"["newHeads"]"#).await {
            Ok(_) => Ok(false),
            Err(RpcError::Refused { code, message }) => {
                if !endpoint.heads_refusal_told.replace(true) {
                    let said = format!(
                        "refuses newHeads: {message} ({code}); its head is asked for instead"
                    );
                    endpoint
                        .reporter
                        .tell(AnomalyKind::NodeError, endpoint.url.scrub(&said));
                }
                Ok(true)
            }
            Err(error) => Err(failed("eth_subscribe newHeads", error)),
        }
    }

    fn tell_hashes(&self) {
        if !self.endpoint.hashes_told.replace(true) {
            let said = "announces hashes only: transactions are fetched, which takes longer";
            self.endpoint
                .reporter
                .tell(AnomalyKind::NodeError, said.into());
        }
    }

    /// The head now: the base fee at the start, and after a cut the blocks that were missed. Answers its number.
    async fn latest_head(&self) -> Option<u64> {
        let said = match self
            .rpc
            .call("eth_getBlockByNumber", r#"["latest",false]"#, TIMEOUT)
            .await
        {
            Ok(answer) => match json::head(answer.text(), answer.arrival.unix_ms) {
                Some(head) => {
                    let number = head.number;
                    self.announce_head(head);
                    return Some(number);
                }
                None => "a block that cannot be read".to_owned(),
            },
            Err(RpcError::Lost) => return None,
            Err(error) => error.to_string(),
        };
        let said = self
            .endpoint
            .url
            .scrub(&format!("eth_getBlockByNumber latest: {said}"));
        self.endpoint.reporter.report(AnomalyKind::NodeError, &said);
        None
    }

    fn announce_head(&self, head: crate::chain::Head) {
        let endpoint = self.endpoint;
        // A block mined while nobody listened may hold what was pending then and is in no pool any more.
        let alone = !endpoint.shared.routes.others_up(endpoint.index);
        let missed = endpoint.was_up.get() && !endpoint.caught_up.get() && alone;
        if endpoint
            .shared
            .heads
            .try_send(Announced {
                head,
                endpoint: endpoint.index,
                missed,
            })
            .is_err()
        {
            endpoint.reporter.report(
                AnomalyKind::NodeError,
                "heads come faster than they can be followed: one left out",
            );
        }
    }

    /// Reads until the connection is lost.
    pub async fn read(&self, mut socket: Socket, mut outgoing: mpsc::Receiver<String>) -> Ended {
        let endpoint = self.endpoint;
        let mut silence = Silence::new(
            Duration::from_millis(endpoint.shared.config.stall_timeout_ms),
            progress(&socket),
        );
        let mut timer = pin!(tokio::time::sleep(silence.wait()));
        let mut early = VecDeque::new();
        let mut unsent = false;
        let mut stride = 0;
        loop {
            let wake = poll_fn(|cx| {
                if let Err(error) = send(&mut socket, &mut outgoing, &mut unsent, cx) {
                    return Poll::Ready(Wake::Broken(error));
                }
                if let Poll::Ready(message) = Pin::new(&mut socket).poll_next(cx) {
                    return Poll::Ready(Wake::Message(message));
                }
                timer.as_mut().poll(cx).map(|()| Wake::Quiet)
            });
            match wake.await {
                Wake::Message(Some(Ok(message))) => {
                    let (arrival, total) = progress(&socket);
                    silence.heard(arrival.at, total);
                    let bytes = match message {
                        Message::Text(text) => Bytes::from(text),
                        Message::Binary(bytes) => bytes,
                        Message::Close(Some(close)) => {
                            let said =
                                format!("closed by the node: {} {}", close.code, close.reason);
                            return Ended::Lost(said);
                        }
                        Message::Close(None) => return Ended::Lost("closed by the node".into()),
                        _ => continue,
                    };
                    endpoint.stats.messages.add(1);
                    endpoint.stats.bytes.add(bytes.len() as u64);
                    if let Err(closed) = self.on_frame(bytes, arrival, &mut early).await {
                        return closed.into();
                    }
                    stride += 1;
                    if stride >= STRIDE {
                        stride = 0;
                        endpoint.shared.items.yield_if_ahead();
                        tokio::task::yield_now().await;
                    }
                }
                Wake::Message(Some(Err(error))) | Wake::Broken(error) => {
                    return self.broken(&error);
                }
                Wake::Message(None) => return Ended::Lost("closed by the node".into()),
                Wake::Quiet => {
                    match silence.judge(progress(&socket).1) {
                        Verdict::Fine => {}
                        Verdict::Ping => {
                            // Where the socket takes nothing, the node does not answer either.
                            if let Err(error) =
                                Pin::new(&mut socket).start_send(Message::Ping(Bytes::new()))
                            {
                                return self.broken(&error);
                            }
                            unsent = true;
                        }
                        Verdict::Lost => return Ended::Lost(silence.reason()),
                    }
                    timer
                        .as_mut()
                        .reset(tokio::time::Instant::now() + silence.wait());
                }
            }
        }
    }

    async fn on_frame(
        &self,
        bytes: Bytes,
        arrival: Arrival,
        early: &mut VecDeque<(Bytes, Arrival)>,
    ) -> Result<(), Closed> {
        let mut next = Some((bytes, arrival));
        // Frames to route again: those set aside when a subscription is confirmed.
        let mut again = 0;
        while let Some((bytes, arrival)) = next {
            let frame = self.session.borrow_mut().route(&bytes, &self.rpc, arrival);
            match frame {
                Routed::Transaction => self.endpoint.offer_notification(bytes, arrival).await?,
                Routed::Hash(hash) => {
                    self.tell_hashes();
                    self.endpoint.offer_hash(hash, arrival)?;
                }
                Routed::Head(head) => {
                    self.heads.set(self.heads.get() + 1);
                    self.announce_head(head);
                }
                Routed::Answers { subscribed: true } => again = early.len(),
                Routed::Answers { subscribed: false } => {}
                Routed::Unknown if self.sets_aside(early, &bytes) => {
                    early.push_back((bytes, arrival));
                }
                Routed::Unknown => {
                    self.endpoint.reporter.report(
                        AnomalyKind::MalformedFrame,
                        "a notification nobody subscribed to",
                    );
                }
                Routed::Malformed(reason) => self.malformed(&bytes, &reason),
            }
            next = if again > 0 { early.pop_front() } else { None };
            again = again.saturating_sub(1);
        }
        if self.endpoint.caught_up.get() && !early.is_empty() {
            for _ in early.drain(..) {
                self.endpoint.reporter.report(
                    AnomalyKind::MalformedFrame,
                    "a notification nobody subscribed to",
                );
            }
        }
        Ok(())
    }

    /// Whether a frame of an unknown subscription may belong to one that is about to be confirmed.
    fn sets_aside(&self, early: &VecDeque<(Bytes, Arrival)>, frame: &Bytes) -> bool {
        let held: usize = early.iter().map(|(bytes, _)| bytes.len()).sum();
        let room =
            early.len() < EARLY && held + frame.len() <= self.endpoint.shared.limits.frame_bytes;
        room && !self.endpoint.caught_up.get()
    }

    fn malformed(&self, frame: &Bytes, reason: &str) {
        let prefix = String::from_utf8_lossy(&frame[..frame.len().min(48)]).into_owned();
        let said = self.endpoint.url.scrub(&format!("{reason}: {prefix}"));
        self.endpoint
            .reporter
            .report(AnomalyKind::MalformedFrame, &said);
    }

    fn broken(&self, error: &WsError) -> Ended {
        let kind = match error {
            WsError::Capacity(_) => Some(AnomalyKind::OversizedFrame),
            // A peer that breaks off violates nothing, though the crate files it there.
            WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
            WsError::Utf8(_) | WsError::Protocol(_) => Some(AnomalyKind::MalformedFrame),
            _ => None,
        };
        if matches!(error, WsError::Capacity(_)) && self.endpoint.reads_pool.take() {
            self.endpoint.pool_too_large.set(true);
        }
        let said = self.endpoint.url.scrub(&error.to_string());
        if let Some(kind) = kind {
            self.endpoint.reporter.report(kind, &said);
        }
        Ended::Lost(said)
    }
}

/// Hands what waits to the socket as far as it takes it. Reading goes on meanwhile: a node that does not read must not
/// keep us from reading.
fn send(
    socket: &mut Socket,
    outgoing: &mut mpsc::Receiver<String>,
    unsent: &mut bool,
    cx: &mut futures_util::task::Context<'_>,
) -> Result<(), WsError> {
    loop {
        if *unsent {
            match Pin::new(&mut *socket).poll_flush(cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => return Ok(()),
            }
            *unsent = false;
        }
        match outgoing.poll_recv(cx) {
            Poll::Ready(Some(text)) => {
                Pin::new(&mut *socket).start_send(Message::text(text))?;
                *unsent = true;
            }
            // Closed only together with the connection.
            Poll::Ready(None) | Poll::Pending => return Ok(()),
        }
    }
}
