//! Background questions: over HTTP where the user gave RPC URLs, else over a WebSocket connection that is up.

use super::health::Health;
use super::http::HttpNode;
use super::message::{Answered, RpcError, TIMEOUT};
use super::rpc::WsRpc;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Nodes asked for one answer at the most.
const MAX_ROUTES: usize = 4;

/// After so much silence the next node is asked as well: one that takes what it is asked and says nothing must not keep a
/// block, or a callee's code, from who judges by it.
const PATIENCE: Duration = Duration::from_secs(1);

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
    pub async fn ask(&self, prefer: Option<u16>, method: &str, params: &str) -> Answered {
        self.ask_in_turn(prefer, method, params, |_| PATIENCE).await
    }

    /// The same for an answer that is of no use after the deadline: who is silent for a share of the time is no longer
    /// waited for alone.
    ///
    /// # Errors
    /// What the last node said.
    pub async fn ask_by(&self, deadline: Instant, method: &str, params: &str) -> Answered {
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
    ) -> Answered {
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

    fn in_order<'a>(&'a self, connections: &'a [Rc<WsRpc>]) -> Vec<Route<'a>> {
        let http = self.http.iter().take(MAX_ROUTES).map(Route::Http);
        let nodes = http.chain(connections.iter().map(|rpc| Route::Ws(rpc)));
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort_by_key(|node| node.health().is_down());
        nodes
    }
}

/// Where the asker's own deadline passed.
pub fn no_answer() -> RpcError {
    RpcError::Transport("no answer in time".into())
}

enum Route<'a> {
    Http(&'a HttpNode),
    Ws(&'a WsRpc),
}

impl<'a> Route<'a> {
    fn health(&self) -> &'a Health {
        match self {
            Self::Http(node) => &node.health,
            Self::Ws(rpc) => &rpc.health,
        }
    }

    /// An answer that is not `null`.
    async fn ask(self, method: &str, params: &str) -> Answered {
        let mut watch = self.health().watch();
        let answer = match &self {
            Self::Http(node) => node.call(method, params).await,
            Self::Ws(rpc) => rpc.call(method, params, TIMEOUT).await,
        };
        watch.answered = Some(matches!(answer, Ok(_) | Err(RpcError::Refused { .. })));
        match (answer, &self) {
            (Ok(answer), _) if answer.is_null() => Err(RpcError::Null),
            // Its words may repeat the URL's key, and the URL is not known here.
            (Err(RpcError::Refused { code, .. }), Self::Ws(_)) => {
                let message = "an error".into();
                Err(RpcError::Refused { code, message })
            }
            (answer, _) => answer,
        }
    }
}
