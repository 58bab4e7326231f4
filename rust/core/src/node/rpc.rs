//! JSON-RPC over one WebSocket connection: ids, answers, batches, timeouts.

use super::redact::printable;
use super::routes::Health;
use super::transport::Arrival;
use crate::wire::json;
use crate::wire::json::Envelope;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a node may take to answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The same for a whole pool, which may be tens of megabytes.
pub const POOL_TIMEOUT: Duration = Duration::from_secs(180);
/// Messages that wait for the socket.
const OUTGOING: usize = 256;

/// What is subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Pending,
    Heads,
}

/// A result: raw JSON, never `null` unless asked for.
#[derive(Debug, Clone)]
pub struct Answer {
    pub raw: Bytes,
    pub arrival: Arrival,
}

impl Answer {
    pub fn text(&self) -> &str {
        // Checked when the frame was routed.
        std::str::from_utf8(&self.raw).unwrap_or_default()
    }

    pub fn is_null(&self) -> bool {
        &*self.raw == b"null"
    }
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The node's own error: code and message, bounded in length.
    #[error("refused: {message} ({code})")]
    Refused { code: i64, message: String },
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection ended first.
    #[error("connection lost")]
    Lost,
    /// No node has it.
    #[error("no node knows it")]
    Null,
    /// There is nobody to be asked, yet.
    #[error("no node is connected")]
    Unconnected,
    #[error("{0}")]
    Transport(String),
}

type Outcome = Result<Answer, RpcError>;

struct Waiting {
    reply: oneshot::Sender<Outcome>,
    /// The result is the id of this subscription, to be known before the next frame is routed.
    topic: Option<Topic>,
    batched: bool,
}

/// The asking side of one connection. The connection's loop sends what it puts out and brings back the answers.
pub struct WsRpc {
    next_id: Cell<u64>,
    waiting: RefCell<HashMap<u64, Waiting>>,
    out: mpsc::Sender<String>,
    pub health: Health,
}

impl WsRpc {
    /// The second value yields the messages to send.
    pub fn new() -> (Self, mpsc::Receiver<String>) {
        let (out, outgoing) = mpsc::channel(OUTGOING);
        (
            Self {
                next_id: Cell::new(1),
                waiting: RefCell::default(),
                out,
                health: Health::default(),
            },
            outgoing,
        )
    }

    /// `params` is the JSON text of the parameter array.
    pub async fn call(&self, method: &str, params: &str, timeout: Duration) -> Outcome {
        self.ask(method, params, None, timeout).await
    }

    pub async fn subscribe(&self, topic: Topic, params: &str) -> Outcome {
        self.ask("eth_subscribe", params, Some(topic), TIMEOUT)
            .await
    }

    /// One method for many parameters in one message. Where the node refuses the batch as such, every outcome is
    /// [`RpcError::Refused`].
    pub async fn batch(&self, method: &str, params: &[String]) -> Vec<Outcome> {
        let mut asked: Vec<_> = params.iter().map(|_| self.expect(None, true)).collect();
        let messages: Vec<_> = asked
            .iter()
            .zip(params)
            .map(|((guard, _), p)| request(guard.id, method, p))
            .collect();
        if self
            .out
            .send(format!("[{}]", messages.join(",")))
            .await
            .is_err()
        {
            return vec![Err(RpcError::Lost); params.len()];
        }
        let deadline = tokio::time::Instant::now() + TIMEOUT;
        let mut outcomes = Vec::with_capacity(asked.len());
        for (_guard, reply) in &mut asked {
            outcomes.push(match tokio::time::timeout_at(deadline, reply).await {
                Ok(outcome) => outcome.unwrap_or(Err(RpcError::Lost)),
                Err(_) => Err(RpcError::Timeout(TIMEOUT)),
            });
        }
        outcomes
    }

    async fn ask(
        &self,
        method: &str,
        params: &str,
        topic: Option<Topic>,
        timeout: Duration,
    ) -> Outcome {
        let (guard, reply) = self.expect(topic, false);
        let asked = async {
            self.out
                .send(request(guard.id, method, params))
                .await
                .map_err(|_| RpcError::Lost)?;
            reply.await.unwrap_or(Err(RpcError::Lost))
        };
        tokio::time::timeout(timeout, asked)
            .await
            .unwrap_or(Err(RpcError::Timeout(timeout)))
    }

    fn expect(
        &self,
        topic: Option<Topic>,
        batched: bool,
    ) -> (Guard<'_>, oneshot::Receiver<Outcome>) {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let (reply, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(
            id,
            Waiting {
                reply,
                topic,
                batched,
            },
        );
        (Guard { rpc: self, id }, receiver)
    }

    /// Brings one answer to who asked. Returns the topic whose subscription it confirms.
    ///
    /// # Errors
    /// In words, where nobody asked, or it is no answer.
    pub fn settle(
        &self,
        whole: &Bytes,
        answer: &Envelope<'_>,
        arrival: Arrival,
    ) -> Result<Option<Topic>, String> {
        let outcome = match (answer.result, answer.error) {
            (_, Some(error)) if error != "null" => Err(refusal(error)),
            (Some(result), _) => Ok(Answer {
                raw: json::share(whole, result),
                arrival,
            }),
            _ => return Err("neither result nor error".into()),
        };
        let id = match answer.id {
            // A batch refused as a whole is answered by one error without an id.
            None | Some("null") => return self.refuse_batches(outcome),
            Some(raw) => raw.trim_matches('"').parse::<u64>().ok(),
        };
        let waiting = id.and_then(|id| self.waiting.borrow_mut().remove(&id));
        let Some(waiting) = waiting else {
            return Err("an answer that nobody waits for".into());
        };
        let topic = if outcome.is_ok() { waiting.topic } else { None };
        // Who asked may have stopped waiting in the meantime.
        waiting.reply.send(outcome).ok();
        Ok(topic)
    }

    fn refuse_batches(&self, outcome: Outcome) -> Result<Option<Topic>, String> {
        let Err(error) = outcome else {
            return Err("a result without an id".into());
        };
        let batched: Vec<_> = self
            .waiting
            .borrow_mut()
            .extract_if(|_, waiting| waiting.batched)
            .collect();
        if batched.is_empty() {
            return Err(error.to_string());
        }
        for (_, waiting) in batched {
            waiting.reply.send(Err(error.clone())).ok();
        }
        Ok(None)
    }

    /// The connection is gone: whoever waits learns it now.
    pub fn close(&self) {
        self.waiting.borrow_mut().clear();
    }
}

/// Forgets a question whose asker has given up.
struct Guard<'a> {
    rpc: &'a WsRpc,
    id: u64,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.rpc.waiting.borrow_mut().remove(&self.id);
    }
}

pub fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// A JSON-RPC error object, whatever its shape.
pub fn refusal(raw: &str) -> RpcError {
    let (mut code, mut message) = (0, String::new());
    for (name, value) in json::members(raw).map_while(|member| member) {
        match &*name {
            "code" => code = value.parse().unwrap_or(0),
            "message" => message = sonic_rs::from_str(value).unwrap_or_default(),
            _ => {}
        }
    }
    let message = if message.is_empty() { raw } else { &message };
    RpcError::Refused {
        code,
        message: printable(message, 200),
    }
}
