//! The live thread: its tasks, what they share, its end.

use super::endpoint::Endpoint;
use super::hashes::Lookups;
use super::heads::{Announced, Chain};
use super::{blocks, code, fetch, heads, reconnect};
use crate::config::{Limits, LiveConfig};
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use crate::inbox::queue::{Closed, ItemSender};
use crate::node::guard::lasting;
use crate::node::redact::SecretUrl;
use crate::node::report::{Outbox, Reporter, emit};
use crate::node::routes::{HttpNode, Routes};
use crate::stats::{EndpointStats, Stats};
use crate::wire::json;
use alloy_primitives::B256;
use rustls::ClientConfig;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinSet, LocalSet};

/// How long the last items may wait for a pipeline that does not read them.
const FAREWELL: Duration = Duration::from_secs(2);

/// What all tasks of the live thread share.
pub struct Shared {
    pub items: ItemSender,
    pub stats: Arc<Stats>,
    pub config: LiveConfig,
    pub limits: Limits,
    pub chain_id: u64,
    pub tls: Arc<ClientConfig>,
    pub routes: Routes,
    pub lookups: Lookups,
    pub heads: mpsc::Sender<Announced>,
    /// The number of the canonical head; 0 before the first.
    pub head: Cell<u64>,
    readiness: RefCell<Readiness>,
}

#[derive(Default)]
struct Readiness {
    /// Endpoints whose first attempt is not over.
    untried: Vec<u16>,
    subscribed: bool,
    told: bool,
}

impl Shared {
    /// An endpoint's attempt to subscribe is over. Says `Ready` where that was what everyone waited for.
    pub async fn attempted(&self, endpoint: u16, subscribed: bool) -> Result<(), Closed> {
        let ready = {
            let mut state = self.readiness.borrow_mut();
            state.untried.retain(|other| *other != endpoint);
            state.subscribed |= subscribed;
            let ready = state.untried.is_empty() && state.subscribed && !state.told;
            state.told |= ready;
            ready
        };
        if ready {
            emit(&self.items, Item::Ready).await
        } else {
            Ok(())
        }
    }
}

/// Everything the thread needs.
pub struct Start {
    pub config: LiveConfig,
    pub chain_id: u64,
    pub limits: Limits,
    pub stats: Arc<Stats>,
    pub items: ItemSender,
    pub tls: Arc<ClientConfig>,
    pub client: reqwest::Client,
    pub urls: Vec<SecretUrl>,
    pub rpc_urls: Vec<SecretUrl>,
    pub endpoints: Vec<Arc<EndpointStats>>,
    pub codes: code::CodeQueue,
    pub wanted: mpsc::Receiver<B256>,
    pub stop: Arc<Notify>,
}

impl Start {
    pub fn run(self) {
        let (items, stats, stop) = (self.items.clone(), self.stats.clone(), self.stop.clone());
        let outbox = Rc::new(Outbox::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            // Out of file handles: nothing can be read, and the queue ends.
            Err(_) => return,
        };
        let reporter = Reporter::new(outbox.clone(), stats, "live source".into());
        {
            // Dropped before the end is sent, with every task in it.
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, async {
                tokio::select! {
                    biased;
                    () = stop.notified() => {}
                    () = self.work(outbox.clone(), reporter) => {}
                }
            });
        }
        runtime.block_on(async {
            let farewell = async {
                outbox.flush(&items).await?;
                emit(&items, Item::End).await
            };
            // Where nobody reads, dropping the sender ends the queue.
            tokio::time::timeout(FAREWELL, farewell).await.ok();
        });
        // A name lookup that hangs must not hold up the end.
        runtime.shutdown_background();
    }

    /// Runs until no endpoint can be used, or the pipeline is gone.
    async fn work(self, outbox: Rc<Outbox>, reporter: Reporter) {
        let report = |origin: String| Reporter::new(outbox.clone(), self.stats.clone(), origin);
        let http = self.rpc_urls.into_iter().map(|url| {
            let origin = url.to_string();
            HttpNode::new(
                url,
                self.client.clone(),
                self.chain_id,
                self.limits.message_bytes,
                json::MAX_NESTING,
                report(origin),
            )
        });
        let (heads, announced) = mpsc::channel(heads::WAITING);
        let (new_blocks, blocks) = mpsc::channel(blocks::WAITING);
        let count = self.urls.len() as u16;
        let shared = Rc::new(Shared {
            routes: Routes::new(http.collect()),
            lookups: Lookups::new(self.limits.dedup),
            heads,
            head: Cell::new(0),
            readiness: RefCell::new(Readiness {
                untried: (0..count).collect(),
                ..Readiness::default()
            }),
            items: self.items.clone(),
            stats: self.stats.clone(),
            config: self.config,
            limits: self.limits,
            chain_id: self.chain_id,
            tls: self.tls,
        });
        let endpoints: Vec<_> = (0..count)
            .zip(self.urls)
            .zip(self.endpoints)
            .map(|((index, url), stats)| {
                let reporter = report(url.to_string());
                Rc::new(Endpoint::new(index, url, stats, reporter, shared.clone()))
            })
            .collect();
        let (heads_reporter, blocks_reporter) = (report("heads".into()), report("blocks".into()));
        let mut tasks = JoinSet::new();
        let (mut announced, background) = (announced, shared.clone());
        tasks.spawn_local(async move {
            let mut chain = Chain::default();
            let follow = async || {
                heads::follow(
                    &background,
                    &mut chain,
                    &mut announced,
                    &new_blocks,
                    &heads_reporter,
                )
                .await;
            };
            lasting(follow, &heads_reporter).await;
        });
        let (mut blocks, background, sources) = (blocks, shared.clone(), endpoints.clone());
        tasks.spawn_local(async move {
            let fetch = async || {
                blocks::fetch(&background, &sources, &mut blocks, &blocks_reporter).await;
            };
            lasting(fetch, &blocks_reporter).await;
        });
        tasks.spawn_local(code::serve(
            shared.clone(),
            self.codes,
            report("code".into()),
        ));
        tasks.spawn_local(fetch::serve(
            shared.clone(),
            self.wanted,
            report("fetch".into()),
        ));
        let (items, deliver) = (self.items.clone(), outbox.clone());
        tasks.spawn_local(async move { deliver.deliver(&items).await });
        let mut connections = JoinSet::new();
        for endpoint in endpoints {
            connections.spawn_local(async move {
                let connected = async || reconnect::keep_connected(endpoint.clone()).await;
                lasting(connected, &endpoint.reporter).await;
            });
        }
        tokio::select! {
            // The pipeline is gone, or a task has failed that nothing fails in.
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended {
                    reporter.tell(AnomalyKind::NodeError, format!("internal error: {error}"));
                }
                return;
            }
            _ = connections.join_all() => {}
        }
        let reason = format!(
            "no endpoint serves chain {}: nothing can be watched",
            self.chain_id
        );
        reporter.tell(AnomalyKind::WrongChain, reason);
    }
}
