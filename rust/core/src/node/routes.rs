//! Background questions: over HTTP where the user gave RPC URLs, else over a WebSocket connection that is up.

use super::redact::SecretUrl;
use super::report::Reporter;
use super::rpc::{Answer, RpcError, TIMEOUT, WsRpc, refusal, request};
use super::transport::Arrival;
use crate::evidence::AnomalyKind;
use crate::wire::json;
use crate::wire::json::{Envelope, nests_within};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Nodes asked for one answer at the most.
const MAX_ROUTES: usize = 4;
/// A node that did not answer is asked last for this long: each question to it may cost a whole timeout.
const REST: Duration = Duration::from_secs(30);
/// Less than this is no time to answer in.
const SOME_TIME: Duration = Duration::from_millis(100);

pub struct Routes {
    http: Vec<HttpNode>,
    ws: RefCell<BTreeMap<u16, Rc<WsRpc>>>,
    added: Notify,
}

impl Routes {
    pub fn new(http: Vec<HttpNode>) -> Self {
        Self {
            http,
            ws: RefCell::default(),
            added: Notify::new(),
        }
    }

    pub fn add(&self, endpoint: u16, rpc: Rc<WsRpc>) {
        self.ws.borrow_mut().insert(endpoint, rpc);
        self.added.notify_waiters();
    }

    /// Until there is somebody to ask.
    pub async fn any(&self) {
        while self.http.is_empty() && self.ws.borrow().is_empty() {
            self.added.notified().await;
        }
    }

    pub fn remove(&self, endpoint: u16) {
        self.ws.borrow_mut().remove(&endpoint);
    }

    /// Whether an endpoint besides this one is up.
    pub fn others_up(&self, endpoint: u16) -> bool {
        self.ws.borrow().keys().any(|up| *up != endpoint)
    }

    /// Asks one node after another until one answers with something else than `null`: RPC URLs first, `prefer` first among
    /// the WebSocket connections, and last those that failed lately.
    ///
    /// # Errors
    /// What the last node said.
    pub async fn ask(
        &self,
        prefer: Option<u16>,
        method: &str,
        params: &str,
    ) -> Result<Answer, RpcError> {
        self.ask_in_turn(prefer, method, params, |_| TIMEOUT).await
    }

    /// The same for an answer that is of no use after the deadline: who is silent for a share of the time is no longer
    /// waited for alone.
    ///
    /// # Errors
    /// What the last node said.
    pub async fn ask_by(
        &self,
        deadline: Instant,
        method: &str,
        params: &str,
    ) -> Result<Answer, RpcError> {
        let share = |left: usize| {
            let time = deadline.saturating_duration_since(Instant::now());
            time / u32::try_from(left).unwrap_or(u32::MAX).max(1)
        };
        let asked = self.ask_in_turn(None, method, params, share);
        let answer = tokio::time::timeout_at(deadline.into(), asked).await;
        answer.unwrap_or_else(|_| Err(no_answer()))
    }

    /// `patience`: how long to wait before the next node is asked as well, by how many are left with it.
    async fn ask_in_turn(
        &self,
        prefer: Option<u16>,
        method: &str,
        params: &str,
        patience: impl Fn(usize) -> Duration,
    ) -> Result<Answer, RpcError> {
        let mut last = RpcError::Unconnected;
        let connections = self.connections(prefer);
        let mut nodes = self.in_order(&connections).into_iter();
        let mut asked = FuturesUnordered::new();
        loop {
            if asked.is_empty() {
                let Some(node) = nodes.next() else {
                    return Err(last);
                };
                asked.push(node.ask(method, params));
            }
            let patience = tokio::time::sleep(patience(nodes.len() + 1));
            tokio::select! {
                Some(answer) = asked.next() => match answer {
                    Ok(answer) => return Ok(answer),
                    Err(error) => last = error,
                },
                () = patience, if nodes.len() > 0 => {
                    asked.extend(nodes.next().map(|node| node.ask(method, params)));
                }
            }
        }
    }

    fn connections(&self, prefer: Option<u16>) -> Vec<Rc<WsRpc>> {
        let ws = self.ws.borrow();
        let mut up: Vec<_> = ws.iter().collect();
        up.sort_by_key(|(endpoint, _)| Some(**endpoint) != prefer);
        up.into_iter()
            .take(MAX_ROUTES)
            .map(|(_, rpc)| rpc.clone())
            .collect()
    }

    fn in_order<'a>(&'a self, connections: &'a [Rc<WsRpc>]) -> Vec<Node<'a>> {
        let http = self.http.iter().take(MAX_ROUTES).map(Node::Http);
        let nodes = http.chain(connections.iter().map(|rpc| Node::Ws(rpc)));
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort_by_key(|node| node.health().is_down());
        nodes
    }
}

/// Where the asker's own deadline passed.
pub fn no_answer() -> RpcError {
    RpcError::Transport("no answer in time".into())
}

/// Whether a node answers.
#[derive(Default)]
pub struct Health(Cell<Option<Instant>>);

impl Health {
    fn is_down(&self) -> bool {
        self.0.get().is_some_and(|at| at.elapsed() < REST)
    }

    fn watch(&self) -> Watch<'_> {
        Watch {
            health: self,
            since: Instant::now(),
            answered: None,
        }
    }
}

/// One question to a node. Where nobody waits for the answer any longer, the node is down if it had some time.
struct Watch<'a> {
    health: &'a Health,
    since: Instant,
    answered: Option<bool>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let down = match self.answered {
            Some(answered) => !answered,
            None if self.since.elapsed() < SOME_TIME => return,
            None => true,
        };
        self.health.0.set(down.then(Instant::now));
    }
}

enum Node<'a> {
    Http(&'a HttpNode),
    Ws(&'a WsRpc),
}

impl<'a> Node<'a> {
    fn health(&self) -> &'a Health {
        match self {
            Self::Http(node) => &node.health,
            Self::Ws(rpc) => &rpc.health,
        }
    }

    /// An answer that is not `null`.
    async fn ask(self, method: &str, params: &str) -> Result<Answer, RpcError> {
        let mut watch = self.health().watch();
        let answer = match &self {
            Self::Http(node) => node.call(method, params).await,
            Self::Ws(rpc) => rpc.call(method, params, TIMEOUT).await,
        };
        watch.answered = Some(matches!(answer, Ok(_) | Err(RpcError::Refused { .. })));
        match (answer, &self) {
            (Ok(answer), _) if answer.is_null() => Err(RpcError::Null),
            (Err(RpcError::Refused { code, message }), Self::Http(node)) => {
                let message = node.url.scrub(&message);
                Err(RpcError::Refused { code, message })
            }
            // Its words may repeat the URL's key, and the URL is not known here.
            (Err(RpcError::Refused { code, .. }), Self::Ws(_)) => {
                let message = "an error".into();
                Err(RpcError::Refused { code, message })
            }
            (answer, _) => answer,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unknown,
    Right,
    Wrong,
}

/// One RPC URL. Its chain is checked before its first answer is believed.
pub struct HttpNode {
    url: SecretUrl,
    client: reqwest::Client,
    chain_id: u64,
    /// Of one answer.
    max_bytes: usize,
    max_nesting: usize,
    standing: Cell<Standing>,
    health: Health,
    reporter: Reporter,
}

impl HttpNode {
    pub fn new(
        url: SecretUrl,
        client: reqwest::Client,
        chain_id: u64,
        max_bytes: usize,
        max_nesting: usize,
        reporter: Reporter,
    ) -> Self {
        Self {
            url,
            client,
            chain_id,
            max_bytes,
            max_nesting,
            standing: Cell::new(Standing::Unknown),
            health: Health::default(),
            reporter,
        }
    }

    async fn call(&self, method: &str, params: &str) -> Result<Answer, RpcError> {
        if self.standing.get() == Standing::Unknown {
            self.check_chain().await?;
        }
        match self.standing.get() {
            Standing::Wrong => Err(RpcError::Transport(format!(
                "{} serves another chain",
                self.url
            ))),
            _ => self.post(method, params).await,
        }
    }

    async fn check_chain(&self) -> Result<(), RpcError> {
        let answer = self.post("eth_chainId", "[]").await?;
        let id = json::string(answer.text()).and_then(json::quantity);
        let id = id.ok_or_else(|| RpcError::Transport("eth_chainId: not a quantity".into()))?;
        if id == self.chain_id {
            self.standing.set(Standing::Right);
        } else if self.standing.replace(Standing::Wrong) != Standing::Wrong {
            let reason = format!("serves chain {id}, not {}: not used", self.chain_id);
            self.reporter.tell(AnomalyKind::WrongChain, reason);
        }
        Ok(())
    }

    async fn post(&self, method: &str, params: &str) -> Result<Answer, RpcError> {
        let failed = |error: reqwest::Error| {
            // The cause says more than the error itself ("error sending request"), and neither may show the URL.
            let error = error.without_url();
            let cause = std::error::Error::source(&error)
                .map(ToString::to_string)
                .unwrap_or_default();
            RpcError::Transport(self.url.scrub(&format!("{}: {error} {cause}", self.url)))
        };
        let request = self
            .client
            .post(self.url.expose().clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(request(1, method, params));
        let mut response = request.send().await.map_err(failed)?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(RpcError::Transport(format!(
                    "{}: an answer above {} bytes",
                    self.url, self.max_bytes
                )));
            }
            body.extend_from_slice(&chunk);
        }
        let body = body.freeze();
        answer_of(&body, self.max_nesting).unwrap_or_else(|| {
            Err(RpcError::Transport(format!(
                "{}: status {}, no JSON-RPC answer",
                self.url,
                response.status().as_u16()
            )))
        })
    }
}

fn answer_of(body: &Bytes, max_nesting: usize) -> Option<Result<Answer, RpcError>> {
    let text = std::str::from_utf8(body).ok()?;
    let envelope = nests_within(body, max_nesting)
        .then(|| Envelope::parse(text))
        .flatten()?;
    match (envelope.result, envelope.error) {
        (_, Some(error)) if error != "null" => Some(Err(refusal(error))),
        (Some(result), _) => Some(Ok(Answer {
            raw: json::share(body, result),
            arrival: Arrival::now(),
        })),
        _ => None,
    }
}
