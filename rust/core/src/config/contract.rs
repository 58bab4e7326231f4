//! What the user says of a contract: where it is, and what no transaction may do to it.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitoredContract {
    pub name: String,
    pub address: Address,
    /// The ABI's JSON text (a bare array or an artifact with an `abi` field).
    #[serde(default)]
    pub abi: Option<String>,
    /// What is watched for outflow, beside ether and the tokens that the contract's own code calls or its storage names.
    #[serde(default)]
    pub assets: Vec<WatchedAsset>,
    /// Where its assets may go in any amount: its strategies, its treasury.
    #[serde(default)]
    pub receivers: Vec<Address>,
    /// Who may change its owner, roles and code, and move everything (a migration).
    #[serde(default)]
    pub admins: Vec<Address>,
    #[serde(default)]
    pub views: ContractViews,
    #[serde(default)]
    pub invariants: InvariantLimits,
    /// The call that pauses it. Absent: nothing is asked about pausing it.
    #[serde(default)]
    pub pause: Option<Pause>,
}

/// A call that pauses a contract, ready to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The guardian.
    pub from: Address,
    /// The contract, or what pauses it.
    pub to: Address,
    pub input: Bytes,
    /// Wei.
    #[serde(default)]
    pub value: U256,
    /// Gas limit. Absent: the most that a transaction may have.
    #[serde(default)]
    pub gas: Option<u64>,
    /// A view whose first word is not 0 where the contract is paused.
    #[serde(default)]
    pub check: Option<PauseCheck>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseCheck {
    pub to: Address,
    pub input: Bytes,
}

/// `"native"`, or a token's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WatchedAsset {
    Native,
    Token(Address),
}

impl TryFrom<String> for WatchedAsset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "native" => Ok(Self::Native),
            other => other
                .parse()
                .map(Self::Token)
                .map_err(|_| format!("'{other}' is neither \"native\" nor a token's address")),
        }
    }
}

impl From<WatchedAsset> for String {
    fn from(asset: WatchedAsset) -> Self {
        match asset {
            WatchedAsset::Native => "native".to_owned(),
            WatchedAsset::Token(token) => token.to_string(),
        }
    }
}

/// Functions without arguments that answer one number: `totalAssets()`. What is not given is not checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContractViews {
    pub share_price: Option<String>,
    pub total_assets: Option<String>,
    pub total_supply: Option<String>,
    /// What it owes, in units of `total_assets`.
    pub liabilities: Option<String>,
}

/// Parameters of each check (docs/invariants.md). Shares are of 1.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InvariantLimits {
    /// Names of checks that are left out.
    pub disabled: Vec<String>,
    pub outflow: OutflowLimits,
    pub solvency: SolvencyLimits,
    pub price_manipulation: PriceLimits,
    pub takeover: TakeoverLimits,
    pub governance: GovernanceLimits,
    pub donation: DonationLimits,
    pub bridge_release: BridgeLimits,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutflowLimits {
    /// Of the balance before.
    pub share: f64,
    /// From this share on, an outflow that no claim falls with is a severe loss.
    pub severe_share: f64,
    /// Smallest units of an asset that may leave at once: the history's p99.99, say. More is severe, booked and signed or not.
    pub amounts: BTreeMap<WatchedAsset, U256>,
}

impl Default for OutflowLimits {
    fn default() -> Self {
        Self {
            share: 0.05,
            severe_share: 0.3,
            amounts: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SolvencyLimits {
    /// Fall of the share price, and fall of the assets beyond that of the liabilities.
    pub drop: f64,
    pub severe_drop: f64,
    /// Events with which the contract registers a loss itself: `StrategyReported(address,uint256,uint256)`.
    pub loss_events: Vec<String>,
}

impl Default for SolvencyLimits {
    fn default() -> Self {
        Self {
            drop: 0.001,
            severe_drop: 0.1,
            loss_events: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriceLimits {
    /// Between what a price was before the transaction and what the contract was told.
    pub deviation: f64,
    /// Functions that tell a price, beside the known ones.
    pub functions: Vec<String>,
}

impl Default for PriceLimits {
    fn default() -> Self {
        Self {
            deviation: 0.03,
            functions: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TakeoverLimits {
    /// Storage slots that hold an owner, a role, an implementation, beside the conventional ones.
    pub slots: Vec<B256>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GovernanceLimits {
    /// Functions that carry out a proposal, beside the known ones.
    pub functions: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DonationLimits {
    /// Factor by which a donation may raise the share price.
    pub factor: f64,
    /// A supply up to this many smallest units is tiny.
    pub tiny_supply: U256,
}

impl Default for DonationLimits {
    fn default() -> Self {
        Self {
            factor: 2.0,
            tiny_supply: U256::from(1_000_000),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BridgeLimits {
    /// Functions that release what another chain locked. Empty: the check is silent.
    pub releases: Vec<ReleaseFunction>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseFunction {
    /// `release(bytes32,address,uint256)`
    pub function: String,
    /// Which 32-byte word of its arguments is the root; the first is 0.
    pub root_word: usize,
    /// A view that takes a root and answers 0 where it is not known yet: `confirmAt(bytes32)`.
    #[serde(default)]
    pub known: Option<String>,
}
