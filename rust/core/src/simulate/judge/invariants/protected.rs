//! A monitored contract as the checks need it.

use crate::config::{InvariantLimits, MonitoredContract, Pause, WatchedAsset};
use crate::decode::parse_abi;
use crate::error::{Error, Result};
use crate::evidence::transfers::Asset;
use alloy_json_abi::{Event, Function};
use alloy_primitives::{Address, B256, Bytes};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A monitored contract and what is allowed on it.
#[derive(Debug, Clone)]
pub struct Protected {
    pub name: Arc<str>,
    pub address: Address,
    /// What is watched for outflow, beside ether and the tokens that its own code calls or its storage names.
    pub assets: BTreeSet<Asset>,
    /// Where its assets may go in any amount.
    pub receivers: BTreeSet<Address>,
    /// Who may change its owner, roles and code, and move everything.
    pub admins: BTreeSet<Address>,
    pub views: ViewCalls,
    pub limits: InvariantLimits,
    pub pause: Option<Pause>,
    /// `limits.solvency.loss_events`.
    pub(super) loss_events: Vec<B256>,
    /// `limits.price_manipulation.functions`.
    pub(super) price_functions: Vec<[u8; 4]>,
    /// `limits.governance.functions`.
    pub(super) governance_functions: Vec<[u8; 4]>,
    pub(super) releases: Vec<Release>,
    /// Names of its functions.
    functions: HashMap<[u8; 4], String>,
}

/// Calldata of the views that the user named.
#[derive(Debug, Clone, Default)]
pub struct ViewCalls {
    pub share_price: Option<Bytes>,
    pub total_assets: Option<Bytes>,
    pub total_supply: Option<Bytes>,
    pub liabilities: Option<Bytes>,
}

/// A function that releases what another chain locked.
#[derive(Debug, Clone)]
pub(super) struct Release {
    pub selector: [u8; 4],
    pub root_word: usize,
    /// Selector of the view that knows roots.
    pub known: Option<[u8; 4]>,
}

impl Protected {
    /// # Errors
    /// [`Error::Config`] where a function, event or check's name is none, [`Error::Abi`] where the ABI does not parse.
    pub fn new(contract: &MonitoredContract) -> Result<Self> {
        let fault = |what: &str, why: String| {
            Error::Config(format!("contracts: {}: {what}: {why}", contract.name))
        };
        let limits = contract.invariants.clone();
        for name in &limits.disabled {
            if !super::names().any(|known| known == name) {
                let known: Vec<_> = super::names().collect();
                let why = format!("no check is named '{name}'; there are {}", known.join(", "));
                return Err(fault("invariants.disabled", why));
            }
        }
        let view = |what: &str, text: &Option<String>| -> Result<Option<Bytes>> {
            let Some(text) = text else { return Ok(None) };
            let function = function(text).map_err(|why| fault(what, why))?;
            if !function.inputs.is_empty() {
                return Err(fault(what, format!("'{text}' takes arguments")));
            }
            Ok(Some(Bytes::copy_from_slice(&function.selector()[..])))
        };
        let views = ViewCalls {
            share_price: view("views.share_price", &contract.views.share_price)?,
            total_assets: view("views.total_assets", &contract.views.total_assets)?,
            total_supply: view("views.total_supply", &contract.views.total_supply)?,
            liabilities: view("views.liabilities", &contract.views.liabilities)?,
        };
        let selectors = |what: &str, texts: &[String]| -> Result<Vec<[u8; 4]>> {
            let selector = |text: &String| function(text).map(|function| function.selector().0);
            let parsed: Result<_, _> = texts.iter().map(selector).collect();
            parsed.map_err(|why| fault(what, why))
        };
        let one = |what: &str, text: &String| selectors(what, std::slice::from_ref(text));
        let releases = limits.bridge_release.releases.iter().map(|release| {
            let what = "invariants.bridge_release.releases";
            Ok(Release {
                selector: one(what, &release.function)?[0],
                root_word: release.root_word,
                known: match &release.known {
                    Some(known) => Some(one(what, known)?[0]),
                    None => None,
                },
            })
        });
        let loss_events = limits.solvency.loss_events.iter().map(|text| {
            let event = Event::parse(text).map(|event| event.selector());
            let why = |_| format!("'{text}' is no event: write Loss(uint256)");
            event.map_err(|error| fault("invariants.solvency.loss_events", why(error)))
        });
        let abi = contract.abi.as_ref();
        let abi = abi
            .map(|text| parse_abi(&contract.name, text))
            .transpose()?;
        let functions = abi.iter().flat_map(|abi| abi.functions());
        Ok(Self {
            name: contract.name.as_str().into(),
            address: contract.address,
            assets: contract.assets.iter().map(|one| asset(*one)).collect(),
            receivers: contract.receivers.iter().copied().collect(),
            admins: contract.admins.iter().copied().collect(),
            views,
            pause: contract.pause.clone(),
            loss_events: loss_events.collect::<Result<_>>()?,
            price_functions: selectors(
                "invariants.price_manipulation.functions",
                &limits.price_manipulation.functions,
            )?,
            governance_functions: selectors(
                "invariants.governance.functions",
                &limits.governance.functions,
            )?,
            releases: releases.collect::<Result<_>>()?,
            functions: functions
                .map(|function| (function.selector().0, function.name.clone()))
                .collect(),
            limits,
        })
    }

    /// Whether a check is not disabled.
    pub(super) fn checks(&self, name: &str) -> bool {
        !self.limits.disabled.iter().any(|disabled| disabled == name)
    }

    pub(super) fn function(&self, selector: [u8; 4]) -> Option<&str> {
        self.functions.get(&selector).map(String::as_str)
    }
}

pub(super) fn asset(watched: WatchedAsset) -> Asset {
    match watched {
        WatchedAsset::Native => Asset::Native,
        WatchedAsset::Token(token) => Asset::Token(token),
    }
}

fn function(text: &str) -> Result<Function, String> {
    if !text.contains('(') {
        return Err(format!("'{text}' has no parameter types: write {text}()"));
    }
    Function::parse(text).map_err(|_| {
        format!("'{text}' is no function: write its name and parameter types, like transfer(address,uint256)")
    })
}
