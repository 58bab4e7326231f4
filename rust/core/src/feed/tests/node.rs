//! A node that does what a test tells it, over a real socket.

use crate::config::{Limits, LiveConfig};
use crate::evidence::{Anomaly, AnomalyKind};
use crate::feed::LiveSource;
use crate::inbox::Item;
use crate::inbox::queue::{ItemReceiver, ItemSender, queue};
use crate::node::Asker;
use crate::stats::Stats;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;

pub const PENDING: &str = "0xa1";
pub const HEADS: &str = "0xb1";

/// How the node answers one request.
pub enum Reply {
    Result(Value),
    /// The same, as JSON that no value holds.
    Answer(String),
    Error(i64, &'static str),
    /// These bytes as a text message.
    Text(String),
    Nothing,
    /// Resets the connection.
    Reset,
}

/// One request as the node got it.
pub struct Request {
    /// Number of the connection, from 0.
    pub connection: usize,
    pub method: String,
    pub params: Value,
}

/// What a test makes the node do on every open connection.
#[derive(Clone)]
pub enum Push {
    Text(String),
    /// Written to the socket as they are: half frames, garbage.
    Bytes(Vec<u8>),
    /// One byte of these every so often, and nothing else from then on.
    Drip(Vec<u8>, Duration),
    /// Neither reads nor writes any more.
    Stall,
    Reset,
}

type Behaviour = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

pub struct FakeNode {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    /// Of every request: its method and its parameters.
    pub log: Arc<Mutex<Vec<(String, Value)>>>,
    /// Sizes of the batches that arrived.
    pub batches: Arc<Mutex<Vec<usize>>>,
    push: broadcast::Sender<Push>,
    over: Arc<tokio::sync::Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Clone)]
struct Served {
    behaviour: Arc<Behaviour>,
    log: Arc<Mutex<Vec<(String, Value)>>>,
    batches: Arc<Mutex<Vec<usize>>>,
}

impl FakeNode {
    /// A well-behaved node of chain 1 with an empty pool, except where `behaviour` answers.
    pub fn start(behaviour: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::start_tls(behaviour, None)
    }

    pub fn start_tls(
        behaviour: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (push, _) = broadcast::channel(4096);
        let served = Served {
            behaviour: Arc::new(behaviour),
            log: Arc::default(),
            batches: Arc::default(),
        };
        let connections = Arc::new(AtomicUsize::new(0));
        let (log, batches, count, pushes) = (
            served.log.clone(),
            served.batches.clone(),
            connections.clone(),
            push.clone(),
        );
        let accept = async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((tcp, _)) = listener.accept().await {
                let number = count.fetch_add(1, SeqCst);
                let (served, pushed, tls) = (served.clone(), pushes.subscribe(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(tcp, number, served, pushed).await,
                        Some(tls) => {
                            let acceptor = tokio_rustls::TlsAcceptor::from(tls);
                            if let Ok(stream) = acceptor.accept(tcp).await {
                                serve(stream, number, served, pushed).await;
                            }
                        }
                    }
                });
            }
        };
        let over = Arc::new(tokio::sync::Notify::new());
        let end = over.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept => {}
                    () = end.notified() => {}
                }
            });
        });
        Self {
            address,
            connections,
            log,
            batches,
            push,
            over,
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/v3/averysecretkey", self.address)
    }

    /// Connected to this node: under load that takes a while.
    pub fn asker(&self, stats: Arc<Stats>, items: ItemSender) -> Asker {
        asker(&[self], stats, items)
    }

    pub fn push(&self, push: Push) {
        self.push.send(push).ok();
    }

    pub fn push_transaction(&self, transaction: &Value) {
        self.push(Push::Text(notification(PENDING, transaction)));
    }

    pub fn requests(&self, method: &str) -> usize {
        self.log
            .lock()
            .unwrap()
            .iter()
            .filter(|(name, _)| name == method)
            .count()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.over.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    fn reset(&self) {}
}

impl Stream for TcpStream {
    fn reset(&self) {
        self.set_zero_linger().ok();
    }
}

impl Stream for tokio_rustls::server::TlsStream<TcpStream> {}

async fn serve<S: Stream>(
    stream: S,
    connection: usize,
    served: Served,
    mut pushed: broadcast::Receiver<Push>,
) {
    let Ok(mut ws) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    loop {
        tokio::select! {
            message = ws.next() => match message {
                Some(Ok(Message::Text(text))) => match answer(&text, connection, &served) {
                    Answered::Text(text) => if ws.send(Message::text(text)).await.is_err() { return },
                    Answered::Nothing => {}
                    Answered::Reset => return ws.get_ref().reset(),
                },
                Some(Ok(_)) => {}
                _ => return,
            },
            push = pushed.recv() => match push {
                Ok(Push::Text(text)) => if ws.send(Message::text(text)).await.is_err() { return },
                Ok(Push::Bytes(bytes)) => if ws.get_mut().write_all(&bytes).await.is_err() { return },
                Ok(Push::Drip(bytes, every)) => {
                    for byte in bytes {
                        if ws.get_mut().write_all(&[byte]).await.is_err() { return }
                        tokio::time::sleep(every).await;
                    }
                    return std::future::pending().await;
                }
                Ok(Push::Stall) => return std::future::pending().await,
                Ok(Push::Reset) | Err(_) => return ws.get_ref().reset(),
            },
        }
    }
}

enum Answered {
    Text(String),
    Nothing,
    Reset,
}

fn answer(text: &str, connection: usize, served: &Served) -> Answered {
    let request: Value = serde_json::from_str(text).unwrap();
    let Some(batch) = request.as_array() else {
        return answer_one(&request, connection, served);
    };
    served.batches.lock().unwrap().push(batch.len());
    let mut answers = Vec::new();
    for request in batch {
        match answer_one(request, connection, served) {
            Answered::Text(text) => answers.push(text),
            Answered::Nothing => {}
            Answered::Reset => return Answered::Reset,
        }
    }
    // Some nodes answer a batch they refuse with one error.
    match answers.first() {
        Some(first) if first.contains(r#""id":null"#) => Answered::Text(first.clone()),
        _ => Answered::Text(format!("[{}]", answers.join(","))),
    }
}

fn answer_one(request: &Value, connection: usize, served: &Served) -> Answered {
    let id = &request["id"];
    let method = request["method"].as_str().unwrap().to_owned();
    let params = request["params"].clone();
    served
        .log
        .lock()
        .unwrap()
        .push((method.clone(), params.clone()));
    let request = Request {
        connection,
        method,
        params,
    };
    let reply = (served.behaviour)(&request).unwrap_or_else(|| usual(&request));
    match reply {
        Reply::Result(result) => {
            Answered::Text(json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string())
        }
        Reply::Answer(result) => Answered::Text(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
        )),
        Reply::Error(code, message) => {
            let error = json!({"code": code, "message": message});
            Answered::Text(json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string())
        }
        Reply::Text(text) => Answered::Text(text),
        Reply::Nothing => Answered::Nothing,
        Reply::Reset => Answered::Reset,
    }
}

fn usual(request: &Request) -> Reply {
    Reply::Result(match request.method.as_str() {
        "eth_chainId" => json!("0x1"),
        "eth_subscribe" if request.params[0] == "newHeads" => json!(HEADS),
        "eth_subscribe" => json!(PENDING),
        "txpool_content" => json!({"pending": {}, "queued": {}}),
        "eth_getBlockByNumber" => block(100, 0, 0, &[]),
        "eth_getBlockByHash" => block_of(request.params[0].as_str().unwrap()),
        "eth_getTransactionByHash" => transaction_of(request.params[0].as_str().unwrap()),
        _ => Value::Null,
    })
}

/// Connected to one of these nodes at least.
pub fn asker(nodes: &[&FakeNode], stats: Arc<Stats>, items: ItemSender) -> Asker {
    let urls: Vec<_> = nodes.iter().map(|node| node.url()).collect();
    asker_of(&config(&urls), stats, items)
}

/// Connected to one node of the configuration at least.
pub fn asker_of(live: &LiveConfig, stats: Arc<Stats>, items: ItemSender) -> Asker {
    let asker = Asker::start(live, 1, &Limits::default(), stats, items).expect("starts");
    let deadline = Instant::now() + Duration::from_secs(20);
    while asker.wait(vec![("eth_chainId", "[]".into())], deadline)[0].is_err() {
        assert!(Instant::now() < deadline, "connects in time");
        std::thread::sleep(Duration::from_millis(5));
    }
    asker
}

pub fn notification(subscription: &str, result: &Value) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{subscription}","result":{result}}}}}"#
    )
}

/// A hash that names a number and a branch.
pub fn hash(number: u64, branch: u8) -> String {
    format!("0x{number:062x}{branch:02x}")
}

pub fn transaction(nonce: u64) -> Value {
    transaction_of(&hash(nonce, 0xff))
}

pub fn transaction_of(hash: &str) -> Value {
    json!({"hash": hash, "from": format!("0x{:040x}", 1), "nonce": "0x1", "to": null, "input": "0x", "value": "0x0"})
}

/// Block `number` of `branch`, on a parent of branch `parent`.
pub fn block(number: u64, branch: u8, parent: u8, transactions: &[Value]) -> Value {
    json!({
        "number": format!("{number:#x}"), "hash": hash(number, branch), "parentHash": hash(number - 1, parent),
        "timestamp": "0x5", "gasUsed": "0x1", "gasLimit": "0x2", "baseFeePerGas": "0x7", "transactions": transactions,
    })
}

/// The block of a hash, with one transaction. Branch 2 leaves branch 0 after block 100.
pub fn block_of(hash: &str) -> Value {
    let number = u64::from_str_radix(&hash[2..64], 16).unwrap();
    let branch = u8::from_str_radix(&hash[64..], 16).unwrap();
    let parent = if branch == 2 && number == 101 {
        0
    } else {
        branch
    };
    let mined = transaction(number * 256 + u64::from(branch));
    block(number, branch, parent, &[mined])
}

/// A server's frame header for a text message of `length` bytes.
pub fn frame_header(length: usize) -> Vec<u8> {
    match length {
        0..=125 => vec![0x81, length as u8],
        126..=65_535 => [&[0x81, 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[0x81, 127][..], &(length as u64).to_be_bytes()].concat(),
    }
}

/// A source with the end of its queue.
pub struct Rig {
    pub source: LiveSource,
    pub stats: Arc<Stats>,
    items: ItemReceiver,
    pub anomalies: Vec<Anomaly>,
}

pub fn config(urls: &[String]) -> LiveConfig {
    let mut config: LiveConfig = serde_json::from_value(json!({"websocket_urls": urls})).unwrap();
    config.reconnect_initial_ms = 20;
    config.reconnect_max_ms = 200;
    config
}

impl Rig {
    pub fn start(nodes: &[&FakeNode]) -> Self {
        let urls: Vec<_> = nodes.iter().map(|node| node.url()).collect();
        Self::with(&config(&urls), &Limits::default())
    }

    pub fn with(config: &LiveConfig, limits: &Limits) -> Self {
        let stats = Arc::new(Stats::default());
        let (sender, items) = queue(limits, stats.clone());
        let source = LiveSource::start(config, 1, limits, stats.clone(), sender).unwrap();
        Self {
            source,
            stats,
            items,
            anomalies: Vec::new(),
        }
    }

    pub fn with_tls(config: &LiveConfig, tls: Arc<rustls::ClientConfig>) -> Self {
        let stats = Arc::new(Stats::default());
        let limits = Limits::default();
        let (sender, items) = queue(&limits, stats.clone());
        let source =
            LiveSource::start_with(tls, config, 1, &limits, stats.clone(), sender).unwrap();
        Self {
            source,
            stats,
            items,
            anomalies: Vec::new(),
        }
    }

    /// The next item that is no anomaly; anomalies are kept.
    pub fn next(&mut self) -> Item {
        self.next_within(Duration::from_secs(20))
            .expect("an item in time")
    }

    pub fn next_within(&mut self, patience: Duration) -> Option<Item> {
        let deadline = Instant::now() + patience;
        loop {
            match self
                .items
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))?
            {
                Item::Anomaly(anomaly) => self.anomalies.push(anomaly),
                item => return Some(item),
            }
        }
    }

    /// An item that is there now, whatever it is.
    pub fn take(&self) -> Option<Item> {
        self.items.try_recv()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Skips to the first item that `pick` takes.
    pub fn find<T>(&mut self, mut pick: impl FnMut(Item) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(found) = self
                .next_within(Duration::from_secs(20))
                .and_then(&mut pick)
            {
                return found;
            }
        }
        panic!("not found in time; anomalies: {:?}", self.anomalies);
    }

    pub fn ready(&mut self) {
        self.find(|item| matches!(item, Item::Ready).then_some(()));
    }

    /// The next transaction, as it was received.
    pub fn transaction(&mut self) -> Bytes {
        self.find(|item| match item {
            Item::Notification(raw) | Item::Object(raw) | Item::Fetched(raw) => Some(raw.bytes),
            _ => None,
        })
    }

    /// The hashes of the next `count` transactions, sorted.
    pub fn hashes(&mut self, count: usize) -> Vec<String> {
        let mut hashes: Vec<_> = (0..count).map(|_| hash_of(&self.transaction())).collect();
        hashes.sort();
        hashes
    }

    /// Waits until `holds`, reading items meanwhile.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "in time: {what}; anomalies: {:?}",
                self.anomalies
            );
            self.next_within(Duration::from_millis(5));
        }
    }

    pub fn said(&self, kind: AnomalyKind, part: &str) -> bool {
        self.anomalies
            .iter()
            .any(|anomaly| anomaly.kind == kind && anomaly.reason.contains(part))
    }

    pub fn until_said(&mut self, kind: AnomalyKind, part: &str) {
        self.until(&format!("{kind:?} {part}"), |rig| rig.said(kind, part));
    }

    /// Stops and returns what was left, which ends with `End`.
    pub fn stop(&mut self) -> Vec<Item> {
        self.source.stop();
        let mut left = Vec::new();
        while let Some(item) = self.next_within(Duration::from_secs(1)) {
            let end = matches!(item, Item::End);
            left.push(item);
            if end {
                break;
            }
        }
        left
    }
}

pub fn hash_of(bytes: &Bytes) -> String {
    let value: Value = serde_json::from_slice(bytes).unwrap();
    let object = if value["params"].is_object() {
        &value["params"]["result"]
    } else {
        &value
    };
    object["hash"].as_str().unwrap().to_owned()
}
