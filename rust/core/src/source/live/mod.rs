//! Live transactions: every WebSocket endpoint at once, on one thread.
//!
//! [`endpoint`] is one connection's life and [`reconnect`] strings them together; [`session`] tells frames apart,
//! [`rpc`] asks and [`resync`] reads what was missed. [`heads`], [`blocks`] and [`code`] work in the background.

mod blocks;
mod code;
mod endpoint;
mod hashes;
mod heads;
mod json;
mod reconnect;
mod redact;
mod report;
mod resync;
mod routes;
mod rpc;
mod session;
mod silence;
mod transport;

#[cfg(test)]
mod tests;

use self::endpoint::Endpoint;
use self::hashes::Lookups;
use self::heads::Announced;
use self::redact::SecretUrl;
use self::report::{Outbox, Reporter, emit};
use self::routes::{HttpNode, Routes};
use super::queue::{Closed, ItemSender};
use super::{Item, Raw};
use crate::config::{Limits, LiveConfig};
use crate::error::{Error, Result};
use crate::event::AnomalyKind;
use crate::stats::{EndpointSnapshot, EndpointStats, Stats};
use alloy_primitives::{Address, B256};
use rustls::ClientConfig;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinSet, LocalSet};

/// Transactions asked for by name that wait.
const FETCHES: usize = 1024;
/// How long the last items may wait for a pipeline that does not read them.
const FAREWELL: Duration = Duration::from_secs(2);

/// The running source. Dropping it stops it.
pub struct LiveSource {
    urls: Vec<SecretUrl>,
    endpoints: Vec<Arc<EndpointStats>>,
    code: code::CodeRequests,
    fetches: mpsc::Sender<B256>,
    stop: Arc<Notify>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LiveSource {
    /// Starts connecting to all endpoints and returns at once. Items: `Ready` once every endpoint is subscribed or has
    /// failed its first attempt, at least one being subscribed; `End` last, after [`stop`](Self::stop) or where every
    /// endpoint serves another chain than `chain_id`.
    ///
    /// # Errors
    /// [`Error::Config`] where a URL cannot be used or `SSL_CERT_FILE` cannot be read.
    pub fn start(
        config: &LiveConfig,
        chain_id: u64,
        limits: &Limits,
        stats: Arc<Stats>,
        items: ItemSender,
    ) -> Result<LiveSource> {
        let tls = transport::tls_config().map_err(Error::Config)?;
        Self::start_with(tls, config, chain_id, limits, stats, items)
    }

    fn start_with(
        tls: Arc<ClientConfig>,
        config: &LiveConfig,
        chain_id: u64,
        limits: &Limits,
        stats: Arc<Stats>,
        items: ItemSender,
    ) -> Result<LiveSource> {
        let urls = parse_urls("websocket_urls", &config.websocket_urls, &["ws", "wss"])?;
        if urls.is_empty() || urls.len() > usize::from(u16::MAX) {
            return Err(Error::Config(
                "chain.websocket_urls: at least one URL is needed".into(),
            ));
        }
        let rpc_urls = parse_urls("rpc_urls", &config.rpc_urls, &["http", "https"])?;
        let client = http_client(&tls)?;
        let endpoints: Vec<_> = urls
            .iter()
            .map(|_| Arc::new(EndpointStats::default()))
            .collect();
        let (code, codes) = code::queue(stats.clone());
        let (fetches, wanted) = mpsc::channel(FETCHES);
        let stop = Arc::new(Notify::new());
        let start = Start {
            config: config.clone(),
            chain_id,
            limits: limits.clone(),
            stats,
            items,
            tls,
            client,
            urls: urls.clone(),
            rpc_urls,
            endpoints: endpoints.clone(),
            codes,
            wanted,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("mempool-ids-live".into())
            .spawn(move || start.run())
            .map_err(|error| Error::Config(format!("no thread for the live source: {error}")))?;
        Ok(Self {
            urls,
            endpoints,
            code,
            fetches,
            stop,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// The endpoints' counters now, in the order of the configuration.
    pub fn endpoints(&self) -> Vec<EndpointSnapshot> {
        let pairs = self.urls.iter().zip(&self.endpoints);
        pairs
            .map(|(url, stats)| EndpointSnapshot {
                endpoint: url.to_string(),
                up: stats.up.get() == 1,
                seen: stats.seen.get(),
                first: stats.first.get(),
                mean_lag_us: stats.lag_sum_us.get() as f64 / stats.lag_count.get().max(1) as f64,
                connects: stats.connects.get(),
                disconnects: stats.disconnects.get(),
                messages: stats.messages.get(),
                bytes: stats.bytes.get(),
            })
            .collect()
    }

    /// The same counters, shared: `seen`, `first` and lag are the pipeline's to fill, by [`Raw::endpoint`].
    pub fn endpoint_stats(&self) -> &[Arc<EndpointStats>] {
        &self.endpoints
    }

    /// Asks for the code of `address`; it arrives as `Item::Code`, a second time where its creation block took longer.
    /// Never blocks: what is under way is not asked again, what has no room is dropped and counted.
    pub fn request_code(&self, address: Address) {
        self.code.request(address);
    }

    /// Asks the nodes for one transaction; it arrives as `Item::Object`, or as an anomaly where no node knows it.
    pub fn fetch(&self, hash: B256) {
        // Without room the caller asks more than any node answers; the next poll may succeed.
        self.fetches.try_send(hash).ok();
    }

    /// Ends all connections and waits for the thread; `Item::End` is the last item.
    pub fn stop(&self) {
        self.stop.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A panic has been told as an anomaly, or ends the queue by itself.
            thread.join().ok();
        }
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        self.stop();
    }
}

fn parse_urls(name: &str, urls: &[String], schemes: &[&str]) -> Result<Vec<SecretUrl>> {
    let parse = |(n, text): (usize, &String)| {
        SecretUrl::parse(text, schemes)
            .map_err(|reason| Error::Config(format!("chain.{name}[{n}]: {reason}")))
    };
    urls.iter().enumerate().map(parse).collect()
}

fn http_client(tls: &ClientConfig) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(transport::CONNECT_TIMEOUT)
        .timeout(rpc::TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Error::Config(format!("no HTTP client: {}", error.without_url())))
}

/// What all tasks of the live thread share.
pub(crate) struct Shared {
    items: ItemSender,
    stats: Arc<Stats>,
    config: LiveConfig,
    limits: Limits,
    chain_id: u64,
    tls: Arc<ClientConfig>,
    routes: Routes,
    lookups: Lookups,
    heads: mpsc::Sender<Announced>,
    /// The number of the canonical head; 0 before the first.
    head: Cell<u64>,
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
    async fn attempted(&self, endpoint: u16, subscribed: bool) -> Result<(), Closed> {
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
struct Start {
    config: LiveConfig,
    chain_id: u64,
    limits: Limits,
    stats: Arc<Stats>,
    items: ItemSender,
    tls: Arc<ClientConfig>,
    client: reqwest::Client,
    urls: Vec<SecretUrl>,
    rpc_urls: Vec<SecretUrl>,
    endpoints: Vec<Arc<EndpointStats>>,
    codes: code::CodeQueue,
    wanted: mpsc::Receiver<B256>,
    stop: Arc<Notify>,
}

impl Start {
    fn run(self) {
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
                fetch(background, wanted, fetches)
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

/// Transactions asked for by name.
async fn fetch(shared: Rc<Shared>, mut wanted: mpsc::Receiver<B256>, reporter: Reporter) {
    while let Some(hash) = wanted.recv().await {
        let answer = shared
            .routes
            .ask(None, "eth_getTransactionByHash", &format!(r#"["{hash}"]"#))
            .await;
        match answer {
            Ok(answer) if answer.raw.starts_with(b"{") => {
                shared.stats.received.add(1);
                let (at, unix_ms) = (answer.arrival.at, answer.arrival.unix_ms);
                let raw = Raw {
                    bytes: answer.raw,
                    endpoint: 0,
                    at,
                    unix_ms,
                };
                if emit(&shared.items, Item::Object(raw)).await.is_err() {
                    return;
                }
            }
            Ok(_) => reporter.report(AnomalyKind::NodeError, &format!("{hash}: not an object")),
            Err(error) => reporter.report(AnomalyKind::NodeError, &format!("{hash}: {error}")),
        }
    }
}
