//! Subscriptions to items: live transactions of every WebSocket endpoint at once, on one thread.
//!
//! [`thread`] runs everything. [`reconnect`] strings connections together: a [`handshake`], then [`connection`] reads frames
//! that [`session`] tells apart, [`resync`] reads what was missed, [`heads`] are watched, and a [`desk`] asks for what was
//! announced by its hash alone. [`deliver`] puts transactions into the inbox. Beside them works [`background`].

mod background;
mod connection;
mod deliver;
mod desk;
mod endpoint;
mod handshake;
mod hashes;
mod heads;
mod readiness;
mod reconnect;
mod resync;
mod session;
mod thread;

#[cfg(test)]
pub(crate) mod tests;

use crate::config::{Limits, LiveConfig};
use crate::error::{Error, Result};
use crate::inbox::queue::ItemSender;
use crate::node::redact::SecretUrl;
use crate::node::{code, fetch, http_client, parse_urls, transport};
use crate::stats::{EndpointSnapshot, EndpointStats, Stats};
use alloy_primitives::{Address, B256};
use rustls::ClientConfig;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use thread::LiveThread;
use tokio::sync::{Notify, mpsc};

const THREAD: &str = "mempool-ids-live";

/// The running source. Dropping it stops it.
pub struct LiveSource {
    urls: Vec<SecretUrl>,
    endpoints: Vec<Arc<EndpointStats>>,
    code: code::CodeRequests,
    fetches: mpsc::Sender<B256>,
    stop: Arc<Notify>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ended: Arc<AtomicBool>,
}

/// Says that the thread has ended, be it by a panic.
struct Farewell(Arc<AtomicBool>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.store(true, Release);
    }
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
        let (fetches, wanted) = mpsc::channel(fetch::WAITING);
        let stop = Arc::new(Notify::new());
        let live = LiveThread {
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
        let ended = Arc::new(AtomicBool::new(false));
        let farewell = Farewell(ended.clone());
        let thread = std::thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || {
                let _farewell = farewell;
                let items = live.items.clone();
                items.told_of_panics(THREAD, || live.run());
            })
            .map_err(|error| Error::Config(format!("no thread for the live source: {error}")))?;
        Ok(Self {
            urls,
            endpoints,
            code,
            fetches,
            stop,
            thread: Mutex::new(Some(thread)),
            ended,
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

    /// The same counters, shared: `seen`, `first` and lag are the pipeline's to fill, by [`Raw::endpoint`](crate::inbox::Raw::endpoint).
    pub fn endpoint_stats(&self) -> &[Arc<EndpointStats>] {
        &self.endpoints
    }

    /// Contracts are monitored: code comes with what tells whom a contract works for.
    pub fn look_inside(&self) {
        self.code.look_inside();
    }

    /// Asks for the code of `address`; it arrives as `Item::Code`, a second time where its creation block took longer.
    /// Never blocks: what is under way is not asked again, what has no room is dropped and counted.
    pub fn request_code(&self, address: Address) {
        self.code.request(address);
    }

    /// Asks the nodes for one transaction; it arrives as `Item::Fetched`, or as an anomaly where no node knows it.
    pub fn fetch(&self, hash: B256) {
        // Without room the caller asks more than any node answers; the next poll may succeed.
        self.fetches.try_send(hash).ok();
    }

    /// Whether its thread is gone and has put in the queue what it ever will; that may still be there.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Acquire)
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
