//! What one sensor is told at start, once. Python validates the user's TOML and hands this over as JSON.

mod contract;
mod early;
mod funding;

pub use contract::*;
pub use early::*;
pub use funding::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

// No Debug: endpoint URLs carry keys.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorConfig {
    /// Name in every event.
    pub sensor: String,
    pub chain_id: u64,
    /// A file that says what the chain is, where the core does not know it, or not well enough.
    #[serde(default)]
    pub chain_spec: Option<PathBuf>,
    /// What alerts say of the response; Python acts by it.
    #[serde(default)]
    pub mode: Mode,
    pub source: SourceConfig,
    #[serde(default)]
    pub contracts: Vec<MonitoredContract>,
    pub detection: DetectionConfig,
    /// Absent: nothing is simulated.
    #[serde(default)]
    pub simulation: Option<SimulationConfig>,
    /// Absent: nobody looks for new contracts. It needs simulation and a model.
    #[serde(default)]
    pub early: Option<EarlyConfig>,
    /// Absent: transactions are received and emitted, not judged (`MempoolMonitor`).
    #[serde(default)]
    pub model: Option<ModelConfig>,
    #[serde(default)]
    pub capture: Option<CaptureConfig>,
    /// What becomes an event: alerts only, or a `tx` event for every transaction too.
    #[serde(default)]
    pub emit: Emit,
    #[serde(default)]
    pub limits: Limits,
}

/// How far the sensor goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "mode")]
pub enum Mode {
    #[default]
    MonitorOnly,
    AlertOnly,
    ActiveDefense,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceConfig {
    Live(LiveConfig),
    Replay(ReplayConfig),
}

// No Debug: endpoint URLs carry keys.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveConfig {
    pub websocket_urls: Vec<String>,
    /// Background requests (code, blocks) go here; over the WebSocket where empty.
    #[serde(default)]
    pub rpc_urls: Vec<String>,
    /// A connection silent for this long, ping unanswered, counts as lost; so does one without heads for three times as
    /// long while the node's chain goes on.
    #[serde(default = "defaults::stall_timeout_ms")]
    pub stall_timeout_ms: u64,
    /// First reconnect delay; doubles up to `max`, with full jitter; reset after a success.
    #[serde(default = "defaults::reconnect_initial_ms")]
    pub reconnect_initial_ms: u64,
    #[serde(default = "defaults::reconnect_max_ms")]
    pub reconnect_max_ms: u64,
    /// Fetch `txpool_content` after a (re)connect.
    #[serde(default = "defaults::yes")]
    pub resync: bool,
    /// What was announced this long ago and is not mined counts as dropped.
    #[serde(default = "defaults::drop_after_ms")]
    pub drop_after_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayConfig {
    /// A capture folder, Parquet file(s), or JSON lines (`.jsonl`, `.json`, each also `.gz`).
    pub paths: Vec<PathBuf>,
    /// 0: as fast as possible; 1: recorded speed; 2: twice that.
    #[serde(default)]
    pub speed: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionConfig {
    /// A detection is made where max(probability, signature score) reaches this.
    pub threshold: f32,
    /// Rule files' paths; "builtin" is the pack compiled in.
    pub rules: Vec<String>,
    /// Only transactions that touch a monitored contract.
    #[serde(default)]
    pub monitored_only: bool,
}

/// Who executes what is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Executor {
    /// This process.
    #[default]
    Revm,
    /// The node: the call tree and what changed.
    DebugTraceCall,
    /// The node: logs and ether's transfers, without the calls between them.
    #[serde(rename = "eth_simulate_v1")]
    EthSimulateV1,
}

/// What is simulated, and what one simulation may take.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulationConfig {
    pub backend: Executor,
    /// From the decision to simulate to the verdict. Without one by then the detection goes on without it.
    pub deadline_ms: u64,
    /// Score of the first stage from which a transaction is simulated that touches no monitored contract as far as can be
    /// seen.
    pub threshold: f32,
    /// Where contracts are monitored, creations are simulated whatever their score, and calls of contracts this many blocks
    /// old at the most: code of an attack is new, and need not show whom it is for. 0: none is.
    pub young_blocks: u64,
    /// Simulating threads; 0: as many as cores, and two at least.
    pub threads: usize,
    /// Suspects that wait or are simulated at once, of all senders and of one.
    pub queue: usize,
    pub per_sender: usize,
    /// Of one transaction.
    pub gas: u64,
    /// Calls recorded of one transaction; one that makes more has no verdict.
    pub frames: usize,
    /// Bytes of calldata, output and logs, and storage accesses recorded of one transaction; what is beyond is not judged.
    pub bytes: usize,
    pub accesses: usize,
    /// Accounts and slots of the chain's state that are kept.
    pub state: usize,
    /// Executes in other surroundings what asks for them.
    pub vary: bool,
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self {
            backend: Executor::default(),
            deadline_ms: 250,
            threshold: 0.3,
            young_blocks: 7_200,
            threads: 0,
            queue: 256,
            per_sender: 8,
            gas: 60_000_000,
            frames: 16_384,
            bytes: 8 << 20,
            accesses: 1 << 16,
            state: 1 << 18,
            vary: true,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Folder with manifest.json.
    pub dir: PathBuf,
    /// ONNX Runtime's shared library, from the onnxruntime wheel.
    pub onnxruntime: PathBuf,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureConfig {
    pub dir: PathBuf,
    /// A new file after this many milliseconds, or rows.
    #[serde(default = "defaults::rotate_ms")]
    pub rotate_ms: u64,
    #[serde(default = "defaults::rotate_rows")]
    pub rotate_rows: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Emit {
    #[default]
    Alerts,
    All,
}

/// Bounds of everything that input can make grow. Each is a count unless it says bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Frames waiting for the pipeline.
    pub queue_frames: usize,
    pub queue_bytes: usize,
    /// A single pending notification or JSON line.
    pub frame_bytes: usize,
    /// A whole WebSocket message (a `txpool_content` answer); above it the connection is closed.
    pub message_bytes: usize,
    /// Hashes remembered to drop duplicates.
    pub dedup: usize,
    /// Pending transactions followed to their end.
    pub tracked: usize,
    /// Callee codes kept.
    pub codes: usize,
    /// Senders and targets remembered for features 20 and 21.
    pub accounts: usize,
    /// Events waiting for Python.
    pub events: usize,
    /// Transactions classified in one inference call at the most.
    pub batch: usize,
    /// While items come closer together than this, the pipeline thread looks for the next one instead of sleeping: it
    /// then keeps a core busy, and saves the tens of microseconds that waking up takes. After an alert it sleeps, and
    /// leaves that core to whoever answers. 0: it always sleeps.
    pub spin_us: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_frames: 16_384,
            queue_bytes: 64 << 20,
            frame_bytes: 2 << 20,
            message_bytes: 64 << 20,
            dedup: 1 << 17,
            tracked: 1 << 16,
            codes: 1 << 14,
            accounts: 1 << 16,
            events: 1 << 14,
            batch: 64,
            spin_us: 2_000,
        }
    }
}

mod defaults {
    pub fn stall_timeout_ms() -> u64 {
        30_000
    }
    pub fn reconnect_initial_ms() -> u64 {
        250
    }
    pub fn reconnect_max_ms() -> u64 {
        30_000
    }
    pub fn drop_after_ms() -> u64 {
        3_600_000
    }
    pub fn rotate_ms() -> u64 {
        3_600_000
    }
    pub fn rotate_rows() -> u64 {
        1_000_000
    }
    pub fn yes() -> bool {
        true
    }
}
