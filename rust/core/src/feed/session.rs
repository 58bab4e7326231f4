//! Which frame is what.

use crate::chain::Head;
use crate::node::rpc::{Topic, WsRpc};
use crate::node::transport::Arrival;
use crate::wire::json;
use crate::wire::json::{Envelope, MAX_NESTING, nests_within};
use alloy_primitives::B256;
use bytes::Bytes;
use memchr::memmem::Finder;

/// What a frame turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Routed {
    /// A notification with a whole transaction: forwarded as it is.
    Transaction,
    /// A notification with a hash only.
    Hash(B256),
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

impl Session {
    pub fn new() -> Self {
        Self {
            names: Names::default(),
            subscription: Finder::new(b"\"subscription\""),
            result: Finder::new(b"\"result\""),
        }
    }

    /// Every frame passes here. A notification of the pending subscription is recognised by its first bytes; the rest of
    /// the frame is not looked at, and is parsed by the pipeline.
    #[inline]
    pub fn route(&mut self, frame: &Bytes, rpc: &WsRpc, arrival: Arrival) -> Routed {
        if let Some((name, result)) = self.peek(frame)
            && self.names.pending.as_deref() == Some(name)
        {
            match frame.get(result) {
                Some(b'{') => return Routed::Transaction,
                Some(b'"') => {
                    let text = frame
                        .get(result + 1..result + 67)
                        .and_then(|hash| std::str::from_utf8(hash).ok());
                    if let Some(hash) = text.and_then(json::hash) {
                        return Routed::Hash(hash);
                    }
                }
                _ => {}
            }
        }
        self.route_slowly(frame, rpc, arrival)
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

    fn route_slowly(&mut self, frame: &Bytes, rpc: &WsRpc, arrival: Arrival) -> Routed {
        let Ok(text) = std::str::from_utf8(frame) else {
            return Routed::Malformed("not UTF-8".into());
        };
        if !nests_within(frame, MAX_NESTING) {
            return Routed::Malformed(format!("nested deeper than {MAX_NESTING}"));
        }
        if text.trim_start().starts_with('[') {
            return self.route_batch(frame, text, rpc, arrival);
        }
        let Some(envelope) = Envelope::parse(text) else {
            return Routed::Malformed("not a JSON-RPC message".into());
        };
        if envelope.method.is_some() {
            return self.route_notification(&envelope, arrival);
        }
        self.route_answer(frame, &envelope, rpc, arrival)
    }

    fn route_batch(&mut self, frame: &Bytes, text: &str, rpc: &WsRpc, arrival: Arrival) -> Routed {
        let mut last = Routed::Malformed("an empty batch".into());
        for element in json::elements(text) {
            last = match element.and_then(Envelope::parse) {
                Some(answer) => self.route_answer(frame, &answer, rpc, arrival),
                None => Routed::Malformed("a batch of something else than answers".into()),
            };
            if let Routed::Malformed(_) = last {
                break;
            }
        }
        last
    }

    fn route_answer(
        &mut self,
        frame: &Bytes,
        answer: &Envelope<'_>,
        rpc: &WsRpc,
        arrival: Arrival,
    ) -> Routed {
        match rpc.settle(frame, answer, arrival) {
            Err(reason) => Routed::Malformed(reason),
            Ok(None) => Routed::Answers { subscribed: false },
            Ok(Some(topic)) => {
                let name = answer
                    .result
                    .map(|name| Bytes::copy_from_slice(name.as_bytes()));
                match topic {
                    Topic::Pending => self.names.pending = name,
                    Topic::Heads => self.names.heads = name,
                }
                Routed::Answers { subscribed: true }
            }
        }
    }

    fn route_notification(&mut self, envelope: &Envelope<'_>, arrival: Arrival) -> Routed {
        let (mut name, mut result) = (None, None);
        for (member, value) in
            json::members(envelope.params.unwrap_or("{}")).map_while(|member| member)
        {
            match &*member {
                "subscription" => name = Some(value.as_bytes()),
                "result" => result = Some(value),
                _ => {}
            }
        }
        let (Some("\"eth_subscription\""), Some(name), Some(result)) =
            (envelope.method, name, result)
        else {
            return Routed::Malformed(
                "a notification of something else than a subscription".into(),
            );
        };
        if self.names.pending.as_deref() == Some(name) {
            match (
                result.starts_with('{'),
                json::string(result).and_then(json::hash),
            ) {
                (true, _) => Routed::Transaction,
                (_, Some(hash)) => Routed::Hash(hash),
                _ => Routed::Malformed(
                    "a pending transaction that is neither an object nor a hash".into(),
                ),
            }
        } else if self.names.heads.as_deref() == Some(name) {
            match json::head(result, arrival.unix_ms) {
                Some(head) => Routed::Head(head),
                None => Routed::Malformed("a block header that cannot be read".into()),
            }
        } else {
            Routed::Unknown
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
