//! What moved between whom, and who came out with more.

use super::calls::most;
use super::scene::Scene;
use super::{TraceFeatures, log, share};
use crate::evidence::trace::Trace;
use crate::evidence::transfers::{Asset, Transfer, net};
use alloy_primitives::{Address, I256, U256};
use hashbrown::{HashMap, HashSet};

pub fn fill(scene: &Scene, trace: &Trace, features: &mut TraceFeatures) {
    // Live traces have logs, recorded ones have none: both are read by calls.
    let transfers = trace.transfers_by_calls();
    partners(scene, &transfers, features);
    outcome(scene, &transfers, features);
}

fn partners(scene: &Scene, transfers: &[Transfer], f: &mut TraceFeatures) {
    let count = |fits: &dyn Fn(&Transfer) -> bool| transfers.iter().filter(|t| fits(t)).count();
    let lead = |account: &Address| scene.lead.contains(account);
    let from_sender = count(&|t| t.from == scene.sender);
    f.transfers = log(transfers.len());
    f.lead_flow_share = share(count(&|t| lead(&t.from) || lead(&t.to)), transfers.len());
    f.lead_pays = log(count(&|t| lead(&t.from)));
    f.lead_gets = log(count(&|t| lead(&t.to)));
    f.sender_pays = log(from_sender);
    f.sender_gets = log(count(&|t| t.to == scene.sender));
    f.sender_share = share(from_sender, transfers.len());
    let paid = transfers
        .iter()
        .filter(|t| lead(&t.from))
        .map(|t| (t.asset, t.to));
    let got = transfers
        .iter()
        .filter(|t| lead(&t.to))
        .map(|t| (t.asset, t.from));
    let (paid, got): (HashSet<_>, HashSet<_>) = (paid.collect(), got.collect());
    f.round_trips = log(paid.intersection(&got).count());
    f.repeat_transfer = log(most(transfers.iter().map(|t| (t.asset, t.from, t.to))));
    f.largest_flow = log(most(transfers.iter().map(|t| t.asset)));
    // Whoever is called, calls, or signs takes part.
    let mut present: HashSet<_> = scene.acts.iter().map(|act| act.context).collect();
    present.extend([scene.sender, Address::ZERO]);
    let tokens = transfers.iter().filter(|t| t.asset != Asset::Native);
    let absent: HashSet<_> = tokens
        .map(|t| t.from)
        .filter(|from| !present.contains(from))
        .collect();
    f.pulled = log(absent.len());
    f.empty_transfers = log(count(&|t| {
        t.asset != Asset::Native && t.amount <= U256::ONE
    }));
    let moving = transfers.iter().filter(|t| !t.amount.is_zero());
    let amounts: HashSet<_> = moving.clone().map(|t| t.amount).collect();
    f.distinct_amounts = share(amounts.len(), moving.count());
}

/// One asset's movements and what they come to.
#[derive(Default)]
struct Sum {
    moved: f64,
    cluster: I256,
    /// What all have more of.
    gained: f64,
    /// Who lost most outside the cluster, and how much.
    loser: Option<(Address, f64)>,
}

fn outcome(scene: &Scene, transfers: &[Transfer], f: &mut TraceFeatures) {
    let mut sums: HashMap<Asset, Sum> = HashMap::new();
    let mut turnover: HashMap<(Asset, Address), f64> = HashMap::new();
    for t in transfers {
        let amount = f64::from(t.amount);
        sums.entry(t.asset).or_default().moved += amount;
        *turnover.entry((t.asset, t.from)).or_default() += amount;
        *turnover.entry((t.asset, t.to)).or_default() += amount;
    }
    let (mut losers, mut sender_gains) = (0, 0);
    for (account, assets) in net(transfers) {
        let ours = scene.cluster.contains(&account);
        for (asset, amount) in assets {
            let sum = sums.entry(asset).or_default();
            let size = f64::from(amount.unsigned_abs());
            if ours {
                sum.cluster = sum.cluster.saturating_add(amount);
            }
            if amount.is_positive() {
                sum.gained += size;
                sender_gains += usize::from(account == scene.sender);
            } else if !ours {
                losers += 1;
                if sum.loser.is_none_or(|(_, most)| size > most) {
                    sum.loser = Some((account, size));
                }
            }
        }
    }
    f.assets = log(sums.len());
    f.losers = log(losers);
    f.sender_gains = sender_gains as f32;
    f.losses = sums
        .values()
        .filter(|sum| sum.cluster.is_negative())
        .count() as f32;
    for (asset, sum) in &sums {
        if !sum.cluster.is_positive() || sum.moved <= 0.0 {
            continue;
        }
        let gain = f64::from(sum.cluster.unsigned_abs());
        f.gains += 1.0;
        f.gain_share = f.gain_share.max((gain / sum.moved) as f32);
        let Some((account, loss)) = sum.loser else {
            continue;
        };
        let part = gain.min(loss);
        let turned = turnover.get(&(*asset, account)).copied().unwrap_or(loss);
        f.drained = f.drained.max((part / turned.max(loss)) as f32);
        f.drain_share = f.drain_share.max((part / sum.gained.max(part)) as f32);
    }
    f.free_gain = f32::from(f.gains > 0.0 && f.losses == 0.0);
}
