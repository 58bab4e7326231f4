//! Against a real node. `ANVIL` names the binary, else it is looked for on the path; without one the tests say so.

use super::node::{Rig, config, hash_of};
use crate::config::Limits;
use crate::inbox::Item;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub struct Anvil {
    child: Child,
    pub port: u16,
}

pub fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("ANVIL").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        std::env::split_paths(&path)
            .map(|dir| dir.join("anvil"))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        eprintln!(
            "SKIPPED: no anvil on PATH and ANVIL is not set; nothing was tested against a real node"
        );
    }
    found
}

impl Anvil {
    /// Listens once this returns, by its own word: a port that answers may be another's. Port 0 lets the kernel choose.
    /// Blocks are mined on `evm_mine` only.
    pub fn start(binary: &PathBuf, port: u16) -> Self {
        let mut child = Command::new(binary)
            .args(["--port", &port.to_string(), "--chain-id", "1"])
            .arg("--no-mining")
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("anvil starts");
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = said.find_map(|line| {
            let line = line.unwrap();
            Some(
                line.strip_prefix("Listening on 127.0.0.1:")?
                    .parse()
                    .unwrap(),
            )
        });
        let port = listening.expect("anvil says that it listens before it ends");
        std::thread::spawn(move || said.for_each(drop));
        Self { child, port }
    }

    pub fn rpc(&self, method: &str, params: Value) -> Value {
        let url = format!("http://127.0.0.1:{}", self.port);
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let tls = crate::node::transport::tls_config_of(None).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_backend_preconfigured((*tls).clone())
            .build()
            .unwrap();
        let answer: Value = runtime.block_on(async {
            let request = client
                .post(url)
                .header("content-type", "application/json")
                .body(body);
            request.send().await.unwrap().json().await.unwrap()
        });
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub fn send(&self, transaction: Value) -> String {
        let sender = self.rpc("eth_accounts", json!([]))[0].clone();
        let mut transaction = transaction;
        transaction["from"] = sender;
        self.rpc("eth_sendTransaction", json!([transaction]))
            .as_str()
            .unwrap()
            .to_owned()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        // The whole group: npm's anvil is a script that starts the node proper.
        Command::new("kill")
            .args(["-9", "--", &format!("-{}", self.child.id())])
            .status()
            .ok();
        self.child.wait().ok();
    }
}

/// A port that stays ours while its node is away, as long as what comes with it is kept: it is below those that the
/// kernel gives to whoever asks for any, and who else looks for one here meets the listener beside it.
fn kept_port() -> (u16, TcpListener) {
    (20_000..32_000)
        .find_map(|port| {
            let ours = TcpListener::bind(("127.0.0.2", port)).ok()?;
            TcpListener::bind(("127.0.0.1", port)).ok()?;
            Some((port, ours))
        })
        .expect("a port is free")
}

#[test]
fn transactions_heads_blocks_and_code_of_a_real_node() {
    let Some(binary) = binary() else { return };
    let anvil = Anvil::start(&binary, 0);
    let mut rig = Rig::with(
        &config(&[format!("ws://127.0.0.1:{}", anvil.port)]),
        &Limits::default(),
    );
    rig.ready();
    // Creates a contract whose code is 0x00: PUSH1 1 PUSH1 0 RETURN.
    let created = anvil.send(json!({"data": "0x60016000f3", "gas": "0x30000"}));
    assert_eq!(hash_of(&rig.transaction()), created);
    anvil.rpc("evm_mine", json!([]));
    let head = rig.find(|item| match item {
        Item::Head(head) if head.number == 1 => Some(head),
        _ => None,
    });
    assert!(head.base_fee.is_some());
    let block = rig.find(|item| match item {
        Item::Block(block) if block.number == 1 => Some(block),
        _ => None,
    });
    assert_eq!((block.hash, block.transactions.len()), (head.hash, 1));
    assert!(block.transactions[0].creates && block.transactions[0].hash.to_string() == created);
    let receipt = anvil.rpc("eth_getTransactionReceipt", json!([created]));
    anvil.rpc("evm_mine", json!([]));
    rig.find(|item| matches!(item, Item::Head(head) if head.number == 2).then_some(()));
    rig.source.request_code(
        receipt["contractAddress"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap(),
    );
    let code = rig.find(|item| match item {
        Item::Code(code) => Some(code),
        _ => None,
    });
    assert_eq!((code.code.as_ref(), code.created_at), (&[0][..], Some(1)));
}

#[test]
fn what_was_pending_before_the_start_and_after_a_restart_is_seen() {
    let Some(binary) = binary() else { return };
    let (port, _kept) = kept_port();
    let anvil = Anvil::start(&binary, port);
    let before = anvil.send(json!({"to": format!("0x{:040x}", 5), "value": "0x1"}));
    let mut rig = Rig::with(
        &config(&[format!("ws://127.0.0.1:{port}")]),
        &Limits::default(),
    );
    rig.ready();
    assert_eq!(hash_of(&rig.transaction()), before);
    drop(anvil);
    rig.until("down", |rig| !rig.source.endpoints()[0].up);
    let anvil = Anvil::start(&binary, port);
    let during = anvil.send(json!({"to": format!("0x{:040x}", 6), "value": "0x1"}));
    let first = hash_of(&rig.transaction());
    assert_eq!(first, during);
    rig.until("up again", |rig| rig.source.endpoints()[0].up);
    let after = anvil.send(json!({"to": format!("0x{:040x}", 7), "value": "0x1"}));
    rig.find(|item| match item {
        Item::Notification(raw) | Item::Object(raw) => (hash_of(&raw.bytes) == after).then_some(()),
        _ => None,
    });
    assert_eq!(rig.stats.reconnects.get(), 1);
}
