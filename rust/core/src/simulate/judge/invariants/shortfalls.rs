//! What the contract has less of afterwards.

use super::entries::{Entries, account, ancestors};
use super::{Effects, codes, lanes, orders};
use crate::config::WatchedAsset;
use crate::evidence::transfers::{Asset, Transfer};
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, U256};
use std::collections::{BTreeMap, BTreeSet};

/// Assets that are looked at in one execution: each unknown balance is a view call.
pub(super) const MAX_ASSETS: usize = 32;

/// One asset that left and did not come back.
#[derive(Debug, Clone)]
pub(super) struct Shortfall {
    /// A collection of unique tokens counts as one token.
    pub asset: Asset,
    /// Smallest units, or a count of unique tokens.
    pub amount: U256,
    /// Of a collection, which ones left and did not come back.
    pub numbers: BTreeSet<U256>,
    /// Who got most of it.
    pub receiver: Address,
    /// The balance before, where that is known.
    pub before: Option<U256>,
}

impl Shortfall {
    /// Whether an asset counts for it.
    pub fn is_of(&self, asset: Asset) -> bool {
        collection(asset) == self.asset
    }

    /// The calls into the contract in which more of it left than came.
    pub fn paying(&self, effects: &Effects, entries: &Entries) -> BTreeSet<u32> {
        let contract = effects.contract.address;
        let mut flows: BTreeMap<u32, (U256, U256)> = BTreeMap::new();
        let transfers = effects.transfers.iter();
        for moved in transfers.filter(|one| self.is_of(one.asset)) {
            let Some(entry) = entries.inside(moved.frame) else {
                continue;
            };
            let (out, back) = flows.entry(entry).or_default();
            if moved.from == contract {
                *out = out.saturating_add(moved.amount);
            } else if moved.to == contract {
                *back = back.saturating_add(moved.amount);
            }
        }
        flows.retain(|_, (out, back)| out > back);
        flows.into_keys().collect()
    }

    /// Of the balance before.
    pub fn share(&self) -> Option<f64> {
        let before = self.before.filter(|before| !before.is_zero())?;
        Some(super::words::share(self.amount, before).min(1.0))
    }
}

#[derive(Default)]
struct Traffic {
    out: U256,
    back: U256,
    receivers: BTreeMap<Address, U256>,
    /// Of a collection, how much more often each left than it came.
    numbers: BTreeMap<U256, i64>,
}

/// Of watched assets, what went to others than the canonical receivers, less what these others brought.
pub(super) fn of(effects: &Effects, called: &BTreeSet<Address>) -> Vec<Shortfall> {
    let contract = effects.contract;
    let flows = flows(effects, called);
    let own = effects.execution.diff.0.get(&contract.address);
    // Tokens that are merely called could be made up to crowd out the others.
    let rank = |asset: &Asset| match asset {
        _ if named(effects, asset) => 0,
        Asset::Native => 0,
        Asset::Token(token) | Asset::Unique(token, _) if lanes::keeps(own, *token) => 1,
        _ => 2,
    };
    let mut lost: Vec<_> = flows
        .into_iter()
        .filter(|(_, flow)| flow.out > flow.back)
        .collect();
    // Nor do those use up the time for what is asked of the others.
    lost.sort_by_cached_key(|(asset, _)| rank(asset));
    lost.truncate(MAX_ASSETS);
    let lost = lost.into_iter().map(|(asset, flow)| Shortfall {
        asset,
        amount: flow.out - flow.back,
        numbers: flow
            .numbers
            .into_iter()
            .filter(|(_, times)| *times > 0)
            .map(|(number, _)| number)
            .collect(),
        receiver: largest(&flow.receivers),
        before: held_before(effects, asset),
    });
    let mut losses: Vec<Shortfall> = lost.collect();
    losses.sort_by(|a, b| {
        b.share()
            .unwrap_or(0.0)
            .total_cmp(&a.share().unwrap_or(0.0))
    });
    losses
}

/// What came in of watched assets beyond what went out.
pub(super) fn gains(effects: &Effects, called: &BTreeSet<Address>) -> Vec<(Asset, U256)> {
    let flows = flows(effects, called).into_iter();
    let gained = flows.filter(|(_, flow)| flow.back > flow.out);
    gained
        .map(|(asset, flow)| (asset, flow.back - flow.out))
        .collect()
}

fn flows(effects: &Effects, called: &BTreeSet<Address>) -> BTreeMap<Asset, Traffic> {
    let contract = effects.contract;
    let mut ordered = BTreeSet::new();
    let mut in_code: BTreeMap<Address, bool> = BTreeMap::new();
    let own = effects.execution.diff.0.get(&contract.address);
    // Who is merely called, or paid, may be a token, too, and say what it likes: of what the contract does not know it lost
    // only what it asked for itself.
    let mut counts = |asset: &Asset, moved: &Transfer| match asset {
        _ if named(effects, asset) => true,
        Asset::Native => true,
        Asset::Token(token) | Asset::Unique(token, _) if !called.contains(token) => {
            lanes::keeps(own, *token)
        }
        Asset::Token(token) | Asset::Unique(token, _) => {
            moved.to == contract.address
                || lanes::keeps(own, *token)
                || *in_code
                    .entry(*token)
                    .or_insert_with(|| code_names(effects, *token))
                || order(effects, *token, moved).is_some_and(|order| ordered.insert(order))
        }
    };
    let mut flows: BTreeMap<Asset, Traffic> = BTreeMap::new();
    for transfer in effects.transfers {
        let (from, to) = (transfer.from, transfer.to);
        if (from == contract.address) == (to == contract.address) {
            continue;
        }
        let leaves = from == contract.address;
        let other = if leaves { to } else { from };
        let asset = collection(transfer.asset);
        if contract.receivers.contains(&other) || !counts(&asset, transfer) {
            continue;
        }
        let flow = flows.entry(asset).or_default();
        if let Asset::Unique(_, number) = transfer.asset {
            *flow.numbers.entry(number).or_default() += if leaves { 1 } else { -1 };
        }
        if leaves {
            flow.out = flow.out.saturating_add(transfer.amount);
            let sum = flow.receivers.entry(other).or_default();
            *sum = sum.saturating_add(transfer.amount);
        } else {
            flow.back = flow.back.saturating_add(transfer.amount);
        }
    }
    flows
}

/// The call by which the contract itself had a token move this.
fn order(effects: &Effects, token: Address, moved: &Transfer) -> Option<u32> {
    let frames = &effects.execution.trace.frames;
    let contract = effects.contract.address;
    let asked = ancestors(frames, moved.frame).position(|frame| {
        frame.from == contract && account(frame) == Some(token) && orders::moves(frame, moved)
    })?;
    let up = |frame: &u32| Some(frames.get(*frame as usize)?.parent);
    std::iter::successors(Some(moved.frame), up).nth(asked)
}

/// Whether the contract's code names a token, or code that runs as it and that its storage or its code names.
fn code_names(effects: &Effects, token: Address) -> bool {
    let contract = effects.contract.address;
    let own = effects.execution.diff.0.get(&contract);
    let is_own = |code: Address| {
        code == contract || lanes::keeps(own, code) || codes::name(effects, contract, code)
    };
    let mut run = codes::run_as(effects, contract).into_iter();
    run.any(|code| codes::name(effects, code, token) && is_own(code))
}

/// Whether the owner says that it is the contract's, as an asset or by a limit of its own.
fn named(effects: &Effects, asset: &Asset) -> bool {
    let contract = effects.contract;
    contract.assets.contains(asset)
        || contract
            .limits
            .outflow
            .amounts
            .contains_key(&watched(*asset))
}

/// As the configuration names it.
pub(super) fn watched(asset: Asset) -> WatchedAsset {
    match asset {
        Asset::Native => WatchedAsset::Native,
        Asset::Token(token) | Asset::Unique(token, _) => WatchedAsset::Token(token),
    }
}

/// Unique tokens are counted by their collection.
pub(super) fn collection(asset: Asset) -> Asset {
    match asset {
        Asset::Unique(token, _) => Asset::Token(token),
        other => other,
    }
}

/// What the contract had of an asset before, where that is known.
pub(super) fn held_before(effects: &Effects, asset: Asset) -> Option<U256> {
    let contract = effects.contract.address;
    match asset {
        Asset::Native => {
            let account = effects.execution.diff.0.get(&contract)?;
            Some(account.balance_before())
        }
        Asset::Token(token) | Asset::Unique(token, _) => {
            effects.views.balance(When::Before, token, contract)
        }
    }
}

fn largest(receivers: &BTreeMap<Address, U256>) -> Address {
    let largest = receivers.iter().max_by_key(|(_, amount)| **amount);
    largest.map_or(Address::ZERO, |(receiver, _)| *receiver)
}
