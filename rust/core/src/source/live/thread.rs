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
use futures_util::FutureExt;
use rustls::ClientConfig;
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
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
        let (chain, contents) = (report("heads".into()), report("blocks".into()));
        let (codes, fetches) = (report("code".into()), report("fetch".into()));
        let (codes, fetches) = (Rc::new(codes), Rc::new(fetches));
        let pause = Duration::from_millis(shared.config.reconnect_max_ms);
        let mut tasks = JoinSet::new();
        let (mut announced, background) = (announced, shared.clone());
        tasks.spawn_local(async move {
            let follow =
                async || heads::follow(&background, &mut announced, &new_blocks, &chain).await;
            lasting(follow, &chain, pause).await;
        });
        let (mut blocks, background, sources) = (blocks, shared.clone(), endpoints.clone());
        tasks.spawn_local(async move {
            let fetch = async || blocks::fetch(&background, &sources, &mut blocks, &contents).await;
            lasting(fetch, &contents, pause).await;
        });
        let (mut queue, background) = (self.codes, shared.clone());
        tasks.spawn_local(async move {
            let serve = async || code::serve(&background, &mut queue, &codes).await;
            lasting(serve, &codes, pause).await;
        });
        let (mut wanted, background) = (self.wanted, shared.clone());
        tasks.spawn_local(async move {
            let serve = async || fetch::serve(&background, &mut wanted, &fetches).await;
            lasting(serve, &fetches, pause).await;
        });
        let (items, deliver) = (self.items.clone(), outbox.clone());
        tasks.spawn_local(async move { deliver.deliver(&items).await });
        let mut connections = JoinSet::new();
        for endpoint in endpoints {
            connections.spawn_local(async move {
                let connected = async || reconnect::keep_connected(endpoint.clone()).await;
                lasting(connected, &endpoint.reporter, pause).await;
            });
        }
        tokio::select! {
            // The pipeline is gone.
            _ = tasks.join_next() => return,
            _ = connections.join_all() => {}
        }
        let reason = format!(
            "no endpoint serves chain {}: nothing can be watched",
            self.chain_id
        );
        reporter.tell(AnomalyKind::WrongChain, reason);
    }
}

/// Runs `task` to its end, and anew after `pause` where our own code fails on something a node sent.
async fn lasting(mut task: impl AsyncFnMut(), reporter: &Reporter, pause: Duration) {
    while let Err(panic) = AssertUnwindSafe(task()).catch_unwind().await {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or(panic.downcast_ref::<&str>().copied());
        let said = format!("internal error: {}", said.unwrap_or("unknown"));
        reporter.tell(AnomalyKind::NodeError, said);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_fails_is_told_and_begins_anew_with_what_it_had() {
        let stats = Arc::new(Stats::default());
        let reporter = Reporter::new(Rc::default(), stats.clone(), "test".into());
        let (sender, mut inbox) = mpsc::channel(4);
        for number in 1..=3 {
            sender.try_send(number).unwrap();
        }
        drop(sender);
        let mut sum = 0;
        let task = async || {
            while let Some(number) = inbox.recv().await {
                assert_ne!(number, 2, "fails");
                sum += number;
            }
        };
        lasting(task, &reporter, Duration::ZERO).await;
        assert_eq!(sum, 4);
        assert_eq!(stats.anomalies.get(AnomalyKind::NodeError), 1);
    }
}
