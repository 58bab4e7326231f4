//! A node's talk: answers the sensor's handshake and requests, and sends pending transactions at a set rate, or
//! as fast as the socket takes them. Frames are rendered before the clock starts; only their hashes change, so that this
//! side outruns any reader.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const SUBSCRIPTION: &str = "0x9ce59a13059e417087c02d3236a0b1cc";
const HEADS: &str = "0x1ce59a13059e417087c02d3236a0b1cd";

/// A notification with the place of its transaction hash.
struct Frame {
    bytes: Vec<u8>,
    hash_at: usize,
}

#[derive(Clone, Copy)]
pub struct Plan {
    /// Transactions a second; `None`: as fast as the socket takes them.
    rate: Option<u64>,
    count: u64,
    /// A new head after this many transactions each.
    head_every: Option<u64>,
}

impl Plan {
    pub fn rated(rate: u64, count: u64) -> Self {
        Self {
            rate: Some(rate),
            ..Self::full(count)
        }
    }

    pub fn full(count: u64) -> Self {
        Self {
            rate: None,
            count,
            head_every: None,
        }
    }

    pub fn with_heads(self, every: u64) -> Self {
        Self {
            head_every: Some(every),
            ..self
        }
    }
}

/// What stands behind the feed.
pub trait Node: Send + Sync + 'static {
    /// The result as JSON of a method other than the handshake's; nothing where the node does not have it.
    fn answer(&self, method: &str, params: &Value) -> Option<String>;

    /// Makes a block; its header as JSON. Nothing where it makes none.
    fn next_head(&self) -> Option<String> {
        None
    }
}

/// Knows one contract, which is at every address.
pub struct Mute;

impl Node for Mute {
    fn answer(&self, method: &str, _: &Value) -> Option<String> {
        // It moves ether and tokens: two calls, a load and a store.
        const CODE: &str =
            r#""0x6000546001018060005560006000600060006000335af15060006000600060006000335af100""#;
        (method == "eth_getCode").then(|| CODE.into())
    }
}

pub struct Feed {
    address: SocketAddr,
    /// When transaction n (its hash is n + 1) was handed to the socket. Only with a rate.
    sent: Receiver<Vec<Instant>>,
    go: Sender<Plan>,
}

impl Feed {
    /// Listens on a free loopback port. The first client that subscribes gets the transactions, all have their answers.
    /// `pin` runs first on each of its threads.
    pub fn start(objects: &[String], node: Arc<dyn Node>, pin: fn()) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let frames: Vec<Frame> = objects.iter().map(|o| render(o)).collect();
        let (go, plans) = channel();
        let (report, sent) = channel();
        let (subscribed, subscription) = channel();
        let behind = node.clone();
        thread::spawn(move || {
            pin();
            for stream in listener.incoming() {
                let (node, subscribed) = (behind.clone(), subscribed.clone());
                let stream = stream.expect("accept");
                thread::spawn(move || {
                    pin();
                    // A node is elsewhere: its answers' cost is not the sensor's.
                    #[cfg(target_os = "linux")]
                    rustix::process::nice(19).expect("lower priority");
                    converse(stream, &*node, &subscribed);
                });
            }
        });
        thread::spawn(move || {
            pin();
            if let Ok(writer) = subscription.recv() {
                send(&writer, &frames, &*node, &plans, &report);
            }
        });
        Self { address, sent, go }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub fn send(&self, plan: Plan) {
        self.go.send(plan).expect("the feed runs");
    }

    /// Waits until all of a rated plan were handed to the socket.
    pub fn sent_times(&self) -> Vec<Instant> {
        let patience = Duration::from_secs(300);
        self.sent.recv_timeout(patience).expect("sent times")
    }
}

fn render(object: &str) -> Frame {
    let text = notification(SUBSCRIPTION, object);
    let mut bytes = header(text.len());
    let hash_at = bytes.len() + text.find("\"hash\":\"0x").expect("a hash") + 10;
    bytes.extend_from_slice(text.as_bytes());
    Frame { bytes, hash_at }
}

fn notification(subscription: &str, result: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\"params\":{{\"subscription\":\"{subscription}\",\"result\":{result}}}}}"
    )
}

/// RFC 6455: final text frame, unmasked as servers send it.
fn header(len: usize) -> Vec<u8> {
    let mut out = vec![0x81];
    match len {
        0..=125 => out.push(len as u8),
        126..=65_535 => {
            out.push(126);
            out.extend((len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out
}

/// One connection's writing end, for whole frames.
type Writer = Arc<Mutex<TcpStream>>;

fn write(writer: &Writer, frame: &[u8]) -> std::io::Result<()> {
    writer.lock().expect("writer").write_all(frame)
}

fn send(
    writer: &Writer,
    frames: &[Frame],
    node: &dyn Node,
    plans: &Receiver<Plan>,
    report: &Sender<Vec<Instant>>,
) {
    let mut next = 0_u64;
    let mut buffer = Vec::with_capacity(1 << 18);
    while let Ok(plan) = plans.recv() {
        let start = Instant::now();
        let mut sent = Vec::new();
        for n in 0..plan.count {
            if plan.head_every.is_some_and(|every| n > 0 && n % every == 0)
                && let Some(head) = node.next_head()
            {
                let text = notification(HEADS, &head);
                buffer.extend(header(text.len()));
                buffer.extend_from_slice(text.as_bytes());
            }
            let frame = &frames[(next % frames.len() as u64) as usize];
            next += 1;
            let at = buffer.len();
            buffer.extend_from_slice(&frame.bytes);
            alloy_primitives::hex::encode_to_slice(
                alloy_primitives::U256::from(next).to_be_bytes::<32>(),
                &mut buffer[at + frame.hash_at..at + frame.hash_at + 64],
            )
            .expect("64 digits");
            match plan.rate {
                Some(rate) => {
                    let due = start + Duration::from_nanos(1_000_000_000 / rate * n);
                    if let Some(wait) = due.checked_duration_since(Instant::now()) {
                        thread::sleep(wait);
                    }
                    sent.push(Instant::now());
                }
                None if buffer.len() < 1 << 17 && n + 1 < plan.count => continue,
                None => {}
            }
            if write(writer, &buffer).is_err() {
                return;
            }
            buffer.clear();
        }
        if report.send(sent).is_err() {
            return;
        }
    }
}

/// Answers requests until the client leaves, and tells when it subscribed. Client frames are masked.
fn converse(stream: TcpStream, node: &dyn Node, subscribed: &Sender<Writer>) {
    stream.set_nodelay(true).expect("nodelay");
    // The handshake alone is the library's; afterwards whole frames are read and written by hand.
    let Ok(socket) = tokio_tungstenite::tungstenite::accept(stream) else {
        return;
    };
    let mut stream = socket.get_ref().try_clone().expect("clone");
    let writer = Arc::new(Mutex::new(stream.try_clone().expect("clone")));
    while let Ok((kind, body)) = read(&mut stream) {
        let reply = match kind {
            // web3.py sends its text as binary.
            0x1 | 0x2 => reply(node, &serde_json::from_slice(&body).unwrap_or_default()),
            0x9 => {
                let mut pong = vec![0x8a, body.len() as u8];
                pong.extend(body);
                let _ = write(&writer, &pong);
                continue;
            }
            _ => continue,
        };
        let mut frame = header(reply.len());
        frame.extend(reply.into_bytes());
        if write(&writer, &frame).is_err() {
            return;
        }
        if memchr::memmem::find(&body, b"newPendingTransactions").is_some() {
            let _ = subscribed.send(writer.clone());
        }
    }
}

/// Opcode and unmasked body of a client's frame.
fn read(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0_u8; 2];
    stream.read_exact(&mut head)?;
    let len = match head[1] & 0x7f {
        126 => {
            let mut extended = [0; 2];
            stream.read_exact(&mut extended)?;
            u64::from(u16::from_be_bytes(extended))
        }
        127 => {
            let mut extended = [0; 8];
            stream.read_exact(&mut extended)?;
            u64::from_be_bytes(extended)
        }
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    let mut body = vec![0; len as usize];
    stream.read_exact(&mut mask)?;
    stream.read_exact(&mut body)?;
    let bytes = body.iter_mut().enumerate();
    bytes.for_each(|(i, byte)| *byte ^= mask[i % 4]);
    Ok((head[0] & 0x0f, body))
}

fn reply(node: &dyn Node, request: &Value) -> String {
    if let Some(batch) = request.as_array() {
        let replies: Vec<_> = batch.iter().map(|request| reply(node, request)).collect();
        return format!("[{}]", replies.join(","));
    }
    let (id, params) = (&request["id"], &request["params"]);
    let method = request["method"].as_str().unwrap_or_default();
    let result = match method {
        "eth_chainId" => Some("\"0x1\"".into()),
        "eth_subscribe" if params[0] == "newHeads" => Some(format!("\"{HEADS}\"")),
        "eth_subscribe" => Some(format!("\"{SUBSCRIPTION}\"")),
        _ => node.answer(method, params),
    };
    match result {
        Some(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        None => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"{method} is not available"}}}}"#
        ),
    }
}
