//! A node that only talks: answers the sensor's handshake and requests, then sends pending transactions at a set rate, or
//! as fast as the socket takes them. Frames are rendered before the clock starts; only their hashes change, so that this
//! side outruns any reader.

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
    pub rate: Option<u64>,
    pub count: u64,
}

pub struct Feed {
    pub address: SocketAddr,
    /// When transaction n (its hash is n + 1) was handed to the socket. Only with a rate.
    pub sent: Receiver<Vec<Instant>>,
    go: Sender<Plan>,
}

impl Feed {
    /// Listens on a free loopback port for one client, which gets nothing before it subscribes. `pin` runs first on each of its threads.
    pub fn start(objects: &[String], pin: fn()) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let frames: Vec<Frame> = objects.iter().map(|o| render(o)).collect();
        let (go, plans) = channel();
        let (report, sent) = channel();
        thread::spawn(move || {
            pin();
            let (stream, _) = listener.accept().expect("accept");
            serve(stream, &frames, &plans, &report, pin);
        });
        Self { address, sent, go }
    }

    pub fn send(&self, plan: Plan) {
        self.go.send(plan).expect("the feed runs");
    }
}

fn render(object: &str) -> Frame {
    let text = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\"params\":{{\"subscription\":\"{SUBSCRIPTION}\",\"result\":{object}}}}}"
    );
    let mut bytes = header(text.len());
    let hash_at = bytes.len() + text.find("\"hash\":\"0x").expect("a hash") + 10;
    bytes.extend_from_slice(text.as_bytes());
    Frame { bytes, hash_at }
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

fn serve(
    stream: TcpStream,
    frames: &[Frame],
    plans: &Receiver<Plan>,
    report: &Sender<Vec<Instant>>,
    pin: fn(),
) {
    stream.set_nodelay(true).expect("nodelay");
    // The handshake alone is the library's; afterwards whole frames are written by hand.
    let ws = tokio_tungstenite::tungstenite::accept(stream).expect("handshake");
    let stream = ws.get_ref().try_clone().expect("clone");
    let writer = Arc::new(Mutex::new(stream.try_clone().expect("clone")));
    let replies = writer.clone();
    let (subscribed, subscription) = channel();
    thread::spawn(move || {
        pin();
        answer(stream, &replies, &subscribed);
    });
    if subscription.recv().is_err() {
        return;
    }
    let mut next = 0_u64;
    let mut buffer = Vec::with_capacity(1 << 18);
    while let Ok(plan) = plans.recv() {
        let start = Instant::now();
        let mut sent = Vec::new();
        for n in 0..plan.count {
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
            if writer.lock().expect("writer").write_all(&buffer).is_err() {
                return;
            }
            buffer.clear();
        }
        if report.send(sent).is_err() {
            return;
        }
    }
}

/// Answers requests until the client leaves, and tells when it subscribed. Client frames are masked; the ones a sensor
/// sends are small.
fn answer(mut stream: TcpStream, writer: &Mutex<TcpStream>, subscribed: &Sender<()>) {
    let mut head = [0_u8; 2];
    while stream.read_exact(&mut head).is_ok() {
        let mut len = u64::from(head[1] & 0x7f);
        if len == 126 {
            let mut extended = [0; 2];
            if stream.read_exact(&mut extended).is_err() {
                return;
            }
            len = u64::from(u16::from_be_bytes(extended));
        }
        let mut mask = [0; 4];
        let mut body = vec![0; len as usize];
        if stream.read_exact(&mut mask).is_err() || stream.read_exact(&mut body).is_err() {
            return;
        }
        body.iter_mut()
            .enumerate()
            .for_each(|(i, b)| *b ^= mask[i % 4]);
        let reply = match head[0] & 0x0f {
            // web3.py sends its text as binary.
            0x1 | 0x2 => reply(&serde_json::from_slice(&body).unwrap_or_default())
                .to_string()
                .into_bytes(),
            0x9 => {
                let mut pong = vec![0x8a, body.len() as u8];
                pong.extend(body);
                let _ = writer.lock().expect("writer").write_all(&pong);
                continue;
            }
            _ => continue,
        };
        let mut frame = header(reply.len());
        frame.extend(reply);
        if writer.lock().expect("writer").write_all(&frame).is_err() {
            return;
        }
        if memchr::memmem::find(&body, b"newPendingTransactions").is_some() {
            let _ = subscribed.send(());
        }
    }
}

fn reply(request: &serde_json::Value) -> serde_json::Value {
    if let Some(batch) = request.as_array() {
        return batch.iter().map(reply).collect();
    }
    let result = match request["method"].as_str().unwrap_or_default() {
        "eth_chainId" => "0x1".into(),
        "eth_subscribe" if request["params"][0] == "newHeads" => HEADS.into(),
        "eth_subscribe" => SUBSCRIPTION.into(),
        // A contract that moves ether and tokens: two calls, a load and a store.
        "eth_getCode" => {
            "0x6000546001018060005560006000600060006000335af15060006000600060006000335af100".into()
        }
        method => {
            let error = serde_json::json!({"code": -32601, "message": format!("{method} is not available")});
            return serde_json::json!({"jsonrpc": "2.0", "id": request["id"], "error": error});
        }
    };
    let result: serde_json::Value = result;
    serde_json::json!({"jsonrpc": "2.0", "id": request["id"], "result": result})
}
