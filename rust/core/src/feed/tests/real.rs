//! Real nodes. `ANVIL` and `GETH` name the binaries, else they are looked for on the path; without one the tests say so.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub struct RealNode {
    child: Child,
    pub port: u16,
    /// Blocks are mined on `evm_mine` only.
    mines_on_demand: bool,
    _data: Option<tempfile::TempDir>,
}

fn binary(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        std::env::split_paths(&path)
            .map(|dir| dir.join(name))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        eprintln!(
            "SKIPPED: no {name} on PATH and {variable} is not set; nothing was tested against a real node"
        );
    }
    found
}

impl RealNode {
    /// Of chain 1. Port 0 lets the kernel choose.
    pub fn anvil(port: u16) -> Option<Self> {
        let mut command = Command::new(binary("ANVIL", "anvil")?);
        command
            .args(["--port", &port.to_string(), "--chain-id", "1"])
            .arg("--no-mining")
            .stdout(Stdio::piped());
        let said = |line: &str| line.strip_prefix("Listening on 127.0.0.1:")?.parse().ok();
        Some(Self::listening(
            command,
            |child| child.stdout.take(),
            said,
            None,
        ))
    }

    /// A development chain of its own, number 1337, which mines what it is sent.
    pub fn geth() -> Option<Self> {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary("GETH", "geth")?);
        command
            .args([
                "--dev",
                "--http",
                "--http.port",
                "0",
                "--http.api",
                "eth,debug",
            ])
            .args([
                "--port",
                "0",
                "--authrpc.port",
                "0",
                "--nodiscover",
                "--ipcdisable",
            ])
            .arg("--datadir")
            .arg(data.path())
            .stderr(Stdio::piped());
        let said = |line: &str| {
            let served = line.contains("HTTP server started") && line.contains("auth=false");
            let (_, address) = line.split_once("endpoint=127.0.0.1:")?;
            let port = address.split_whitespace().next()?;
            served.then(|| port.parse().ok())?
        };
        Some(Self::listening(
            command,
            |child| child.stderr.take(),
            said,
            Some(data),
        ))
    }

    /// Listens once this returns, by its own word: a port that answers may be another's.
    fn listening<R: Read + Send + 'static>(
        mut command: Command,
        output: impl Fn(&mut Child) -> Option<R>,
        said: impl Fn(&str) -> Option<u16>,
        data: Option<tempfile::TempDir>,
    ) -> Self {
        let mut child = command.process_group(0).spawn().expect("it starts");
        let mut lines = BufReader::new(output(&mut child).unwrap()).lines();
        let port = lines.find_map(|line| said(&line.unwrap()));
        let port = port.expect("it says that it listens before it ends");
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            port,
            mines_on_demand: data.is_none(),
            _data: data,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn rpc(&self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn answer(&self, method: &str, params: Value) -> Value {
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
        runtime.block_on(async {
            let request = client
                .post(self.url())
                .header("content-type", "application/json")
                .body(body);
            request.send().await.unwrap().json().await.unwrap()
        })
    }

    /// From its own first account.
    pub fn send(&self, transaction: Value) -> String {
        let sender = self.rpc("eth_accounts", json!([]))[0].clone();
        let mut transaction = transaction;
        transaction["from"] = sender;
        self.rpc("eth_sendTransaction", json!([transaction]))
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Has the transaction mined. Its receipt.
    pub fn mined(&self, transaction: &str) -> Value {
        if self.mines_on_demand {
            self.rpc("evm_mine", json!([]));
        }
        loop {
            let answer = self.answer("eth_getTransactionReceipt", json!([transaction]));
            // geth refuses until it has looked through its first blocks.
            let indexing = answer["error"]["message"] == "transaction indexing is in progress";
            assert!(indexing || answer.get("error").is_none(), "{answer}");
            if !answer["result"].is_null() {
                return answer["result"].clone();
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for RealNode {
    fn drop(&mut self) {
        // The whole group: npm's anvil is a script that starts the node proper.
        Command::new("kill")
            .args(["-9", "--", &format!("-{}", self.child.id())])
            .status()
            .ok();
        self.child.wait().ok();
    }
}
