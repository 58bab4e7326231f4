//! Which frame is what.

use crate::chain::Head;
use crate::node::message::{Message, Reply};
use crate::node::rpc::{Topic, WsRpc};
use crate::node::transport::Arrival;
use crate::wire::json;
use alloy_primitives::B256;
use bytes::Bytes;
use memchr::memmem::Finder;

/// A notification of a pending transaction.
#[derive(Debug, PartialEq, Eq)]
pub enum Pending {
    /// The whole of it: forwarded as it is.
    Transaction,
    Hash(B256),
}

/// What a frame turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Routed {
    Pending(Pending),
    Head(Head),
    /// One or several answers, delivered to who asked; `subscribed` where one of them confirmed a subscription, so that
    /// frames set aside may be routed again.
    Answers {
        subscribed: bool,
    },
    /// Of a subscription not known yet.
    Unknown,
    Malformed(String),
}

/// The names of one connection's subscriptions: raw JSON tokens, since servers may use any value.
#[derive(Default)]
pub struct Names {
    pending: Option<Bytes>,
    heads: Option<Bytes>,
}

pub struct Session {
    names: Names,
    subscription: Finder<'static>,
    result: Finder<'static>,
}

/// A notification's frame begins with at most this before its subscription's name.
const PREFIX: usize = 256;
/// Bytes of a block header at the most; some nodes add the hashes of its transactions.
const MAX_HEADER: usize = 1 << 20;

impl Session {
    pub fn new() -> Self {
        Self {
            names: Names::default(),
            subscription: Finder::new(b"\"subscription\""),
            result: Finder::new(b"\"result\""),
        }
    }

    /// A notification of the pending subscription, by its first bytes; the rest of the frame is not looked at, and is parsed
    /// by the pipeline. Of other frames, or other layouts, `None`: they must be read.
    #[inline]
    pub fn recognise(&self, frame: &Bytes) -> Option<Pending> {
        let (name, result) = self.peek(frame)?;
        if self.names.pending.as_deref() != Some(name) {
            return None;
        }
        match frame.get(result)? {
            b'{' => Some(Pending::Transaction),
            b'"' => {
                let hash = std::str::from_utf8(frame.get(result + 1..result + 67)?).ok()?;
                json::hash(hash).map(Pending::Hash)
            }
            _ => None,
        }
    }

    /// The subscription's name and where the result begins, for frames laid out as nodes lay them out.
    fn peek<'a>(&self, frame: &'a [u8]) -> Option<(&'a [u8], usize)> {
        let prefix = &frame[..frame.len().min(PREFIX)];
        let name = after_colon(
            prefix,
            self.subscription.find(prefix)? + b"\"subscription\"".len(),
        )?;
        let length = match prefix[name] {
            b'"' => memchr::memchr(b'"', &prefix[name + 1..])? + 2,
            _ => memchr::memchr2(b',', b'}', &prefix[name..])?,
        };
        let end = name + length;
        let window = &frame[end..frame.len().min(end + 64)];
        let result = after_colon(frame, end + self.result.find(window)? + b"\"result\"".len())?;
        Some((&frame[name..end], result))
    }

    /// What was read; answers go to who asked.
    pub fn route(
        &mut self,
        message: Result<Message, String>,
        rpc: &WsRpc,
        arrival: Arrival,
    ) -> Routed {
        let routed = match message {
            Ok(Message::Answers(replies)) => self.settle(replies, rpc),
            Ok(Message::Notification {
                subscription,
                result,
            }) => self.route_notification(&subscription, &result, arrival),
            Err(reason) => Err(reason),
        };
        routed.unwrap_or_else(Routed::Malformed)
    }

    fn settle(
        &mut self,
        replies: Vec<Result<Reply, String>>,
        rpc: &WsRpc,
    ) -> Result<Routed, String> {
        let mut subscribed = false;
        for reply in replies {
            if let Some((topic, name)) = rpc.settle(reply?)? {
                match topic {
                    Topic::Pending => self.names.pending = Some(name),
                    Topic::Heads => self.names.heads = Some(name),
                }
                subscribed = true;
            }
        }
        Ok(Routed::Answers { subscribed })
    }

    fn route_notification(
        &self,
        name: &[u8],
        result: &[u8],
        arrival: Arrival,
    ) -> Result<Routed, String> {
        // Longer than any hash or header: not looked through on this thread.
        let text = match result.get(MAX_HEADER..) {
            None => std::str::from_utf8(result).unwrap_or_default(),
            Some(_) => "",
        };
        if self.names.pending.as_deref() == Some(name) {
            match json::string(text).and_then(json::hash) {
                _ if result.starts_with(b"{") => Ok(Routed::Pending(Pending::Transaction)),
                Some(hash) => Ok(Routed::Pending(Pending::Hash(hash))),
                None => Err("a pending transaction that is neither an object nor a hash".into()),
            }
        } else if self.names.heads.as_deref() == Some(name) {
            let head = json::head(text, arrival.unix_ms);
            let head = head.ok_or("a block header that cannot be read")?;
            Ok(Routed::Head(head))
        } else {
            Ok(Routed::Unknown)
        }
    }
}

/// Where the value begins whose name ends at `at`.
fn after_colon(text: &[u8], at: usize) -> Option<usize> {
    let blank = |from: usize| {
        text.get(from..)?
            .iter()
            .position(|b| !b.is_ascii_whitespace())
            .map(|n| from + n)
    };
    let colon = blank(at).filter(|at| text[*at] == b':')?;
    blank(colon + 1)
}

#[cfg(test)]
mod tests;
