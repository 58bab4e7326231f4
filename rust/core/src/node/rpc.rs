//! The questions of one WebSocket connection: ids, batches, timeouts, and each answer to who asked.

use super::health::Health;
use super::message::{Answered, Reply, ReplyTo, RpcError, TIMEOUT, request};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Bytes of a subscription's name, which every frame is compared with.
const NAME: usize = 128;
/// Messages that wait for the socket.
const OUTGOING: usize = 256;

/// What is subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Pending,
    Heads,
}

struct Unanswered {
    reply: oneshot::Sender<Answered>,
    /// The result is the id of this subscription, to be known before the next frame is routed.
    topic: Option<Topic>,
    batched: bool,
}

/// The asking side of one connection. The connection's loop sends what it puts out and brings back the answers.
pub struct WsRpc {
    next_id: Cell<u64>,
    questions: RefCell<HashMap<u64, Unanswered>>,
    out: mpsc::Sender<String>,
    pub health: Health,
}

impl WsRpc {
    /// The second value yields the messages to send.
    pub fn new() -> (Self, mpsc::Receiver<String>) {
        let (out, outgoing) = mpsc::channel(OUTGOING);
        let rpc = Self {
            next_id: Cell::new(1),
            questions: RefCell::default(),
            out,
            health: Health::default(),
        };
        (rpc, outgoing)
    }

    /// `params` is the JSON text of the parameter array.
    pub async fn call(&self, method: &str, params: &str, timeout: Duration) -> Answered {
        self.ask(method, params, None, timeout).await
    }

    pub async fn subscribe(&self, topic: Topic, params: &str) -> Answered {
        self.ask("eth_subscribe", params, Some(topic), TIMEOUT)
            .await
    }

    /// One method for many parameters in one message. Where the node refuses the batch as such, every outcome is
    /// [`RpcError::Refused`].
    pub async fn batch(&self, method: &str, params: &[String]) -> Vec<Answered> {
        let mut asked: Vec<_> = params.iter().map(|_| self.expect(None, true)).collect();
        let messages: Vec<_> = asked
            .iter()
            .zip(params)
            .map(|((guard, _), p)| request(guard.id, method, p))
            .collect();
        let sent = self.out.send(format!("[{}]", messages.join(","))).await;
        if sent.is_err() {
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
    ) -> Answered {
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
    ) -> (Guard<'_>, oneshot::Receiver<Answered>) {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let (reply, receiver) = oneshot::channel();
        let question = Unanswered {
            reply,
            topic,
            batched,
        };
        self.questions.borrow_mut().insert(id, question);
        (Guard { rpc: self, id }, receiver)
    }

    /// Brings one answer to who asked. Returns the subscription it confirms, by its topic and its name.
    ///
    /// # Errors
    /// In words, where nobody asked.
    pub fn settle(&self, reply: Reply) -> Result<Option<(Topic, Bytes)>, String> {
        let Reply { to, outcome } = reply;
        let question = match to {
            ReplyTo::Unnamed => return self.refuse_batches(outcome).map(|()| None),
            ReplyTo::Question(id) => self.questions.borrow_mut().remove(&id),
            ReplyTo::Nothing => None,
        };
        let question = question.ok_or("an answer that nobody waits for")?;
        let confirmed = match (question.topic, &outcome) {
            (Some(_), Ok(name)) if name.raw.len() > NAME => {
                return Err("a subscription whose name has no end".into());
            }
            (Some(topic), Ok(name)) => Some((topic, Bytes::copy_from_slice(&name.raw))),
            _ => None,
        };
        // Who asked may have stopped waiting in the meantime.
        question.reply.send(outcome).ok();
        Ok(confirmed)
    }

    fn refuse_batches(&self, outcome: Answered) -> Result<(), String> {
        let Err(error) = outcome else {
            return Err("a result without an id".into());
        };
        let mut questions = self.questions.borrow_mut();
        let batched: Vec<_> = questions
            .extract_if(|_, question| question.batched)
            .collect();
        if batched.is_empty() {
            return Err(error.to_string());
        }
        for (_, question) in batched {
            question.reply.send(Err(error.clone())).ok();
        }
        Ok(())
    }

    /// The connection is gone: whoever waits learns it now.
    pub fn close(&self) {
        self.questions.borrow_mut().clear();
    }
}

/// Forgets a question whose asker has given up.
struct Guard<'a> {
    rpc: &'a WsRpc,
    id: u64,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.rpc.questions.borrow_mut().remove(&self.id);
    }
}
