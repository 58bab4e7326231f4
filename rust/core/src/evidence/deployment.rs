//! A contract that is new: what is known of it, how suspicious it looks, whose money made it, and what it does when it is called.

use super::{Factor, Simulation};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a creation was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sighting {
    /// Its transaction is a creation, and pending.
    Pending,
    /// A pending transaction creates it when it is simulated.
    Simulated,
    Mined {
        block: u64,
        /// Unix seconds.
        timestamp: u64,
    },
    /// Nowhere any more: its transaction failed or was replaced, or it destroyed itself.
    Gone,
}

/// Whose code an account runs in place of its own: of an EIP-1167 clone or an EIP-7702 delegation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Implementation {
    pub address: Address,
    pub code: Bytes,
}

/// A contract that is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub address: Address,
    /// Who signed the transaction.
    pub deployer: Address,
    /// Whose code created it: the deployer's own transaction, or a factory.
    pub creator: Address,
    pub tx: B256,
    /// Whom the transaction calls; nothing where it is a creation itself.
    #[serde(default)]
    pub to: Option<Address>,
    /// Of the deployer.
    pub nonce: u64,
    /// Wei that come with the transaction.
    #[serde(default)]
    pub value: U256,
    pub seen: Sighting,
    /// With its arguments; empty where it is not known (a delegation, a node without traces).
    pub init_code: Bytes,
    /// As it runs; empty where it could not be had.
    pub code: Bytes,
    pub runs: Option<Implementation>,
    /// What its constructor called, and what storage it wrote.
    pub called: Vec<Address>,
    pub stored: Vec<(U256, U256)>,
    /// Others with the same code from the same transaction.
    pub twins: Vec<Address>,
    /// How many more these are than are listed.
    pub more_twins: usize,
}

/// ERC-4337's, versions 0.6 to 0.8: who calls them are bundlers, which sign transactions that others ask for.
const ENTRY_POINTS: [Address; 3] = [
    address!("5ff137d4b0fdcd49dca30c7cf57e578a026d2789"),
    address!("0000000071727de22e5e9d8baf0edac6f37da032"),
    address!("4337084d9e255ff0702461cf8895ce9e3b5ff108"),
];

impl Deployment {
    /// Who answers for it: its deployer; of what a bundler signed, who created it.
    pub fn maker(&self) -> Address {
        match self.is_bundled() {
            true => self.creator,
            false => self.deployer,
        }
    }

    /// Its deployer is known and made it: not where a bundler signed, and not where nobody knows the transaction.
    pub fn is_deployers(&self) -> bool {
        !self.is_bundled() && !self.tx.is_zero()
    }

    /// A bundler signed the transaction, and has nothing to do with it.
    pub fn is_bundled(&self) -> bool {
        self.to.is_some_and(|to| ENTRY_POINTS.contains(&to))
    }
}

/// The two thresholds of a chain's model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "early_thresholds")]
pub struct EarlyThresholds {
    /// Of the precise score: alone enough for an alert.
    #[schemars(range(min = 0, max = 1))]
    pub high_precision: f32,
    /// Of the score: enough where the deployer was funded by a service of little repute, or has attacked before.
    #[schemars(range(min = 0, max = 1))]
    pub high_recall: f32,
}

/// How much a contract's code looks like an attacker's.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractScore {
    /// By the model that misses little: calibrated, 0..=1.
    pub score: f32,
    /// By the one that is seldom wrong: calibrated, 0..=1.
    pub precise: f32,
    pub thresholds: EarlyThresholds,
    pub model: Arc<str>,
    pub version: Arc<str>,
    /// Of its dispatcher.
    pub selectors: Vec<[u8; 4]>,
    /// In its code.
    pub addresses: Vec<Address>,
    /// Largest absolute contribution first.
    pub factors: Vec<Factor>,
}

/// Score from which a contract is of interest.
const INFO: f32 = 0.5;

impl ContractScore {
    /// Worth a hint, and a look at what it does.
    pub fn is_info(&self) -> bool {
        self.score >= INFO
    }

    /// Alone enough for an alert.
    pub fn high_precision(&self) -> bool {
        self.precise >= self.thresholds.high_precision
    }

    /// The score that decides, and its threshold: the precise one's where that is reached.
    pub fn by(&self) -> (f32, f32) {
        match self.high_precision() {
            true => (self.precise, self.thresholds.high_precision),
            false => (self.score, self.thresholds.high_recall),
        }
    }

    /// Enough where something else speaks against its deployer.
    pub fn high_recall(&self) -> bool {
        self.score >= self.thresholds.high_recall || self.high_precision()
    }
}

/// How much it says that an account's money comes from a service: mixers much, exchanges little.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "funding_grade")]
pub enum FundingGrade {
    Low,
    Medium,
    High,
}

/// Money that an account had of a service that asks little.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funding {
    /// `TornadoCash`.
    pub service: Arc<str>,
    pub grade: FundingGrade,
    /// The service's address.
    pub source: Address,
    /// 1: from the service itself; 2: from somebody who had it from there, `via`.
    pub hops: u8,
    pub via: Option<Address>,
    /// The wrapped native asset; nothing where it was native.
    pub token: Option<Address>,
    /// Smallest units, of the last transfer.
    pub amount: U256,
    pub block: u64,
    /// Unix seconds.
    pub timestamp: u64,
    pub tx: B256,
}

/// One call that a detonation makes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trial {
    pub from: Address,
    pub to: Address,
    /// Wei.
    pub value: U256,
    pub input: Bytes,
}

/// Why a contract does nothing for whom it was called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "guard")]
pub enum Guard {
    /// It looked at who called.
    Caller,
    /// It looked at the time, or the block.
    Time,
    /// It compared an argument, or its hash.
    Secret,
}

/// What calling a new contract showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Detonation {
    /// Number of the block that it was executed in.
    pub block: u64,
    /// Entry points that its dispatcher has, the fallback counted.
    pub entries: usize,
    /// Calls made; of these that did something, that reverted at a guard, and that touched a monitored contract.
    pub calls: usize,
    pub entered: usize,
    pub guarded: usize,
    pub touched: usize,
    /// Calls that asked for a part of the state that could not be had.
    pub missing: usize,
    /// What its guards looked at, the most frequent first.
    pub guards: Vec<Guard>,
    pub gas: u64,
    pub took_us: f64,
    /// There was more to try than the budget allows.
    pub cut: bool,
    /// A call does more than can be recorded, while it calls a monitored contract.
    #[serde(default)]
    pub hides: bool,
    /// The calls that break an invariant of a monitored contract alarmingly, and what comes of the last: its grade tells how
    /// sure that is.
    #[serde(skip)]
    pub proof: Option<Box<Proof>>,
}

/// Calls that harm a monitored contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// In order; the last one does the harm.
    pub calls: Vec<Trial>,
    /// Of the last, on what those before it left.
    pub simulation: Simulation,
}
