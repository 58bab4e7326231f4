//! Who acts together with the sender, and whether they come out richer.

use super::case::Case;
use crate::evidence::transfers::{Asset, net};
use alloy_primitives::{Address, I256};
use std::collections::{BTreeMap, BTreeSet};

/// Contracts of one creator that are told by its address.
const MAX_MADE: u64 = 256;

/// The sender, the contract it called (unless that is monitored), and what was created meanwhile.
pub(super) fn cluster(case: &Case) -> BTreeSet<Address> {
    let effects = case.effects;
    let frames = &effects.execution.trace.frames;
    let called = frames.first().and_then(|root| root.to);
    let created = frames.iter().filter(|frame| frame.kind.creates());
    let created = created.filter_map(|frame| frame.to);
    let mut cluster: BTreeSet<Address> = created.chain(called).collect();
    cluster.retain(|account| !effects.monitored.contains(account));
    cluster.insert(effects.sender);
    cluster
}

/// What the cluster has more of, where it has less of nothing: who trades has less of what was sold. Of a token of its own
/// it has as much as it likes.
pub(super) fn profit(case: &Case, cluster: &BTreeSet<Address>) -> Vec<(Asset, I256)> {
    let mut sums: BTreeMap<Asset, I256> = BTreeMap::new();
    for (account, assets) in net(case.effects.transfers) {
        for (asset, sum) in assets {
            if cluster.contains(&account) {
                let total = sums.entry(asset).or_default();
                *total = total.saturating_add(sum);
            }
        }
    }
    // A bribe to the block's builder is a cost of business.
    let bribe = I256::try_from(case.effects.execution.coinbase_payment).unwrap_or(I256::MAX);
    let made = made(case);
    let own = |asset: &Asset| match asset {
        Asset::Native => false,
        Asset::Token(token) | Asset::Unique(token, _) => {
            cluster.contains(token) || made.contains(token)
        }
    };
    let lost = |(asset, sum): (&Asset, &I256)| {
        let spared = if *asset == Asset::Native {
            -bribe
        } else {
            I256::ZERO
        };
        *sum < spared && !own(asset)
    };
    if sums.iter().any(lost) {
        return Vec::new();
    }
    sums.retain(|_, sum| sum.is_positive());
    sums.into_iter().collect()
}

/// The last contracts that the sender created before, and the contract that it called.
fn made(case: &Case) -> BTreeSet<Address> {
    let effects = case.effects;
    let called = effects.execution.trace.root().and_then(|root| root.to);
    let creators: BTreeSet<Address> = [effects.sender].into_iter().chain(called).collect();
    let of = |creator: &Address| {
        let known = effects.execution.diff.0.get(creator)?;
        Some((*creator, known.after.as_ref()?.nonce))
    };
    let known = creators.iter().filter_map(of);
    let each = known.flat_map(|(creator, nonce)| {
        let last = nonce.saturating_sub(MAX_MADE)..nonce;
        last.map(move |nonce| creator.create(nonce))
    });
    each.collect()
}
