//! The live thread: its tasks, what each of them is given, its end.

use super::background::Background;
use super::deliver::Deliver;
use super::endpoint::{Endpoint, Seen};
use super::hashes::Lookups;
use super::readiness::Readiness;
use super::reconnect::Connector;
use crate::config::{Limits, LiveConfig};
use crate::evidence::AnomalyKind;
use crate::inbox::Item;
use crate::inbox::queue::ItemSender;
use crate::node::backoff::Backoff;
use crate::node::code::CodeQueue;
use crate::node::guard::lasting;
use crate::node::http::HttpNode;
use crate::node::redact::SecretUrl;
use crate::node::report::{Outbox, Reporter, emit};
use crate::node::routes::Routes;
use crate::node::standing::Standing;
use crate::node::{aside, heads};
use crate::stats::{EndpointStats, Stats};
use crate::thread::give_way;
use crate::wire::nesting::MAX_NESTING;
use alloy_primitives::B256;
use rustls::ClientConfig;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinSet, LocalSet};

/// How long the last items may wait for a pipeline that does not read them.
const FAREWELL: Duration = Duration::from_secs(2);

/// Everything the thread needs.
pub struct LiveThread {
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
    pub codes: CodeQueue,
    pub wanted: mpsc::Receiver<B256>,
    pub stop: Arc<Notify>,
}

impl LiveThread {
    pub fn run(self) {
        let (items, stats, stop) = (self.items.clone(), self.stats.clone(), self.stop.clone());
        let outbox = Rc::new(Outbox::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(aside::THREADS)
            // They take large answers apart: what is announced comes first.
            .on_thread_start(give_way)
            .build();
        // Out of file handles: nothing can be read, and whoever runs this thread says so.
        let runtime = runtime.unwrap_or_else(|error| panic!("no connections: {error}"));
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
            let reporter = report(url.to_string());
            let (client, bytes) = (self.client.clone(), self.limits.message_bytes);
            HttpNode::new(url, client, self.chain_id, bytes, MAX_NESTING, reporter)
        });
        let routes = Rc::new(Routes::new(http.collect()));
        let (heads, announced) = mpsc::channel(heads::WAITING);
        let count = self.urls.len() as u16;
        let connector = Rc::new(Connector {
            tls: self.tls,
            message_bytes: self.limits.message_bytes,
            stall_timeout: Duration::from_millis(self.config.stall_timeout_ms),
            resync: self.config.resync,
            routes: routes.clone(),
            lookups: Rc::new(Lookups::new(self.limits.dedup)),
            heads,
            readiness: Readiness::new(count, self.items.clone()),
        });
        let endpoint = |((index, url), stats): ((u16, SecretUrl), Arc<EndpointStats>)| {
            let reporter = Rc::new(report(url.to_string()));
            Rc::new(Endpoint {
                index,
                url,
                stats,
                reporter: reporter.clone(),
                deliver: Deliver {
                    endpoint: index,
                    frame_bytes: self.limits.frame_bytes,
                    items: self.items.clone(),
                    stats: self.stats.clone(),
                    reporter,
                },
                standing: Standing::new(self.chain_id),
                seen: Seen::default(),
            })
        };
        let urls = (0..count).zip(self.urls).zip(self.endpoints);
        let endpoints: Vec<_> = urls.map(endpoint).collect();

        let background = Background {
            routes,
            items: self.items,
            stats: self.stats.clone(),
            announced,
            codes: self.codes,
            wanted: self.wanted,
        };
        let mut tasks = background.spawn(&endpoints, report, outbox.clone());
        let mut connections = JoinSet::new();
        for endpoint in endpoints {
            let (connector, config) = (connector.clone(), self.config.clone());
            connections.spawn_local(async move {
                let connected = async || {
                    connector
                        .keep_connected(&endpoint, Backoff::of(&config))
                        .await
                };
                lasting(connected, &endpoint.reporter).await;
            });
        }
        tokio::select! {
            // The pipeline is gone, or a task has failed that nothing fails in.
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended
                    && error.is_panic()
                {
                    // Nothing works without it: it is the thread's own.
                    std::panic::resume_unwind(error.into_panic());
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
