//! Questions about the chain's state, on a thread and connections of their own: large answers must not hold up what is
//! announced.

use super::backoff::Backoff;
use super::guard::{guarded, lasting};
use super::http::HttpNode;
use super::line::{Line, MAX_NESTING};
use super::message::RpcError;
use super::redact::SecretUrl;
use super::report::{Outbox, Reporter};
use super::routes::{Routes, no_answer};
use super::standing::Standing;
use super::{aside, transport};
use crate::config::{Limits, LiveConfig};
use crate::error::{Error, Result};
use crate::inbox::queue::ItemSender;
use crate::stats::Stats;
use crate::thread::give_way;
use bytes::Bytes;
use rustls::ClientConfig;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::LocalSet;

const THREAD: &str = "mempool-ids-ask";

/// Questions that wait.
const WAITING: usize = 1_024;
/// Questions under way.
const CONCURRENT: usize = 32;
/// Parsers go deep into an answer.
const STACK: usize = 16 << 20;

/// A raw result, or why there is none.
pub type Asked = std::result::Result<Bytes, RpcError>;
type Reply = Box<dyn FnOnce(Asked) + Send>;

struct Question {
    method: &'static str,
    params: String,
    deadline: Instant,
    reply: Reply,
}

/// Asks the nodes of one chain. Its thread ends with the last clone.
#[derive(Clone)]
pub struct Asker {
    questions: mpsc::Sender<Question>,
}

impl Asker {
    /// Over the RPC URLs of `live`; where there are none, over WebSocket connections of its own. What the nodes fail to do
    /// is told through `items`.
    ///
    /// # Errors
    /// [`Error::Config`]: a URL cannot be used, or no thread can be had.
    pub fn start(
        live: &LiveConfig,
        chain_id: u64,
        limits: &Limits,
        stats: Arc<Stats>,
        items: ItemSender,
    ) -> Result<Self> {
        let tls = transport::tls_config().map_err(Error::Config)?;
        let http = super::parse_urls("rpc_urls", &live.rpc_urls, &["http", "https"])?;
        let sockets = match http.is_empty() {
            true => super::parse_urls("websocket_urls", &live.websocket_urls, &["ws", "wss"])?,
            false => Vec::new(),
        };
        let (questions, asked) = mpsc::channel(WAITING);
        let asking = Asking {
            client: super::http_client(&tls)?,
            live: live.clone(),
            http,
            sockets,
            chain_id,
            message_bytes: limits.message_bytes,
            tls,
            stats,
            items,
        };
        std::thread::Builder::new()
            .name(THREAD.into())
            .stack_size(STACK)
            .spawn(move || {
                // Whoever has nobody to ask simulates nothing: that is no quiet day.
                let items = asking.items.clone();
                items.told_of_panics(THREAD, || asking.run(asked));
            })
            .map_err(|error| Error::Config(format!("no thread to ask the nodes: {error}")))?;
        Ok(Self { questions })
    }

    /// Has one node after another asked until one answers, and hands over the raw result, or why there is none.
    /// Never blocks. `reply` runs on the asking thread: it must be brief.
    pub fn ask(
        &self,
        method: &'static str,
        params: String,
        deadline: Instant,
        reply: impl FnOnce(Asked) + Send + 'static,
    ) {
        let question = Question {
            method,
            params,
            deadline,
            reply: Box::new(reply),
        };
        if let Err(error) = self.questions.try_send(question) {
            let question = match error {
                mpsc::error::TrySendError::Full(question)
                | mpsc::error::TrySendError::Closed(question) => question,
            };
            let said = "too many questions wait".into();
            (question.reply)(Err(RpcError::Transport(said)));
        }
    }

    /// The same for several at once, waiting for all answers, at the longest until the deadline.
    pub fn wait(&self, questions: Vec<(&'static str, String)>, deadline: Instant) -> Vec<Asked> {
        let ask = |(method, params)| {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            self.ask(method, params, deadline, move |answer| {
                sender.send(answer).ok();
            });
            receiver
        };
        let asked: Vec<_> = questions.into_iter().map(ask).collect();
        let answers = asked.iter().map(|answer| answer.recv_deadline(deadline));
        answers
            .map(|answer| answer.unwrap_or_else(|_| Err(no_answer())))
            .collect()
    }
}

/// What the thread needs.
struct Asking {
    client: reqwest::Client,
    live: LiveConfig,
    http: Vec<SecretUrl>,
    sockets: Vec<SecretUrl>,
    chain_id: u64,
    message_bytes: usize,
    tls: Arc<ClientConfig>,
    stats: Arc<Stats>,
    items: ItemSender,
}

impl Asking {
    fn run(self, asked: mpsc::Receiver<Question>) {
        give_way();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(aside::THREADS)
            .thread_stack_size(STACK)
            .build();
        // Out of file handles: whoever asks learns that nobody answers.
        let Ok(runtime) = runtime else { return };
        LocalSet::new().block_on(&runtime, self.serve(asked));
        runtime.shutdown_background();
    }

    /// Until nobody can ask any more.
    async fn serve(self, mut asked: mpsc::Receiver<Question>) {
        let outbox = Rc::new(Outbox::default());
        let report = |origin| Reporter::new(outbox.clone(), self.stats.clone(), origin);
        let nodes = self.http.into_iter().map(|url| {
            let reporter = report(url.to_string());
            let (client, bytes) = (self.client.clone(), self.message_bytes);
            HttpNode::new(url, client, self.chain_id, bytes, MAX_NESTING, reporter)
        });
        let routes = Rc::new(Routes::new(nodes.collect()));
        let mut tasks = tokio::task::JoinSet::new();
        for (index, url) in (0..).zip(self.sockets) {
            let line = Line {
                index,
                reporter: report(url.to_string()),
                url,
                tls: self.tls.clone(),
                message_bytes: self.message_bytes,
                stall_timeout: Duration::from_millis(self.live.stall_timeout_ms),
                standing: Standing::new(self.chain_id),
                routes: routes.clone(),
            };
            let live = self.live.clone();
            tasks.spawn_local(async move {
                let connected = async || line.keep_connected(Backoff::of(&live)).await;
                lasting(connected, &line.reporter).await;
            });
        }
        let (items, told) = (self.items, outbox.clone());
        tasks.spawn_local(async move { told.deliver(&items).await });
        let reporter = Rc::new(report("state".into()));
        let room = Arc::new(Semaphore::new(CONCURRENT));
        while let Ok(permit) = room.clone().acquire_owned().await
            && let Some(question) = asked.recv().await
        {
            let (routes, reporter) = (routes.clone(), reporter.clone());
            tokio::task::spawn_local(async move {
                guarded(answer(&routes, question), &reporter).await;
                drop(permit);
            });
        }
    }
}

async fn answer(routes: &Routes, question: Question) {
    let asked = routes.ask_by(question.deadline, question.method, &question.params);
    (question.reply)(asked.await.map(|answer| answer.raw));
}
