//! The live thread: its tasks, what they share, its end.

use super::endpoint::Endpoint;
use super::hashes::Lookups;
use super::heads::Announced;
use super::redact::SecretUrl;
use super::report::{Outbox, Reporter, emit};
use super::routes::{HttpNode, Routes};
use super::{blocks, code, fetch, heads, reconnect};
use crate::config::{Limits, LiveConfig};
use crate::event::AnomalyKind;
use crate::source::Item;
use crate::source::queue::{Closed, ItemSender};
use crate::stats::{EndpointStats, Stats};
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
        let (chain, contents, codes) = (
            report("heads".into()),
            report("blocks".into()),
            report("code".into()),
        );
        let mut tasks = JoinSet::new();
        tasks.spawn_local(heads::follow(shared.clone(), announced, new_blocks, chain));
        tasks.spawn_local(blocks::fetch(
            shared.clone(),
            endpoints.clone(),
            blocks,
            contents,
        ));
        let items = self.items.clone();
        let deliver = outbox.clone();
        tasks.spawn_local(async move {
            deliver.deliver(&items).await;
            Closed
        });
        let background = shared.clone();
        let wanted = self.wanted;
        let fetches = report("fetch".into());
        tasks.spawn_local(async move {
            tokio::join!(
                code::serve(background.clone(), self.codes, codes),
                fetch::serve(background, wanted, fetches)
            );
            Closed
        });
        let mut connections = JoinSet::new();
        for endpoint in endpoints {
            connections.spawn_local(keep_connected(endpoint));
        }
        loop {
            tokio::select! {
                // The pipeline is gone, or a task has panicked, which is told and survived.
                Some(ended) = tasks.join_next() => match ended {
                    Ok(Closed) => return,
                    Err(error) => reporter.tell(AnomalyKind::NodeError, format!("internal error: {error}")),
                },
                over = connections.join_next() => if over.is_none() { break },
            }
        }
        let reason = format!(
            "no endpoint serves chain {}: nothing can be watched",
            self.chain_id
        );
        reporter.tell(AnomalyKind::WrongChain, reason);
    }
}

/// An endpoint goes on even where our own code fails on something it sent.
async fn keep_connected(endpoint: Rc<Endpoint>) {
    loop {
        let life = tokio::task::spawn_local(reconnect::keep_connected(endpoint.clone()));
        match life.await {
            Ok(()) => return,
            Err(error) => endpoint
                .reporter
                .tell(AnomalyKind::NodeError, format!("internal error: {error}")),
        }
        tokio::time::sleep(Duration::from_millis(
            endpoint.shared.config.reconnect_max_ms,
        ))
        .await;
    }
}
