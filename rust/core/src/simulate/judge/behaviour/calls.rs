//! What was called, how often, by whom, and what was entered again before it had ended.

use super::scene::{Act, Scene};
use super::{TraceFeatures, log, share};
use crate::decode::Verb;
use alloy_primitives::Address;
use hashbrown::{HashMap, HashSet};
use std::hash::Hash;

pub fn fill(scene: &Scene, features: &mut TraceFeatures) {
    shape(scene, features);
    reentry(scene, features);
    repetition(scene, features);
    verbs(scene, features);
    lead(scene, features);
    root(scene, features);
}

fn shape(scene: &Scene, f: &mut TraceFeatures) {
    let entries = scene.entries().count();
    let contracts: HashSet<_> = scene.entries().map(|act| act.context).collect();
    f.frames = log(entries);
    f.depth = scene
        .acts
        .iter()
        .map(|act| act.frame.depth)
        .max()
        .unwrap_or(0)
        .into();
    f.delegate_share = share(scene.acts.len() - entries, scene.acts.len());
    f.static_share = share(scene.entries().filter(|act| act.reads()).count(), entries);
    f.contracts = log(contracts.len());
    f.tokens = log(tokens(scene).len());
    f.frames_per_contract = (entries as f64 / contracts.len().max(1) as f64).ln_1p() as f32;
    f.created = log(scene.created.len());
    let leading = scene.created.intersection(&scene.lead).count();
    f.created_leading = log(leading);
    let called = scene
        .acts
        .iter()
        .filter(|act| act.calls() && scene.created.contains(&act.context));
    f.calls_to_created = log(called.count());
    f.destroyed = log(scene.destroyed);
    f.self_calls = log(scene
        .entries()
        .skip(1)
        .filter(|act| act.caller == act.context)
        .count());
}

fn tokens(scene: &Scene) -> HashSet<Address> {
    let asked = scene.entries().filter(|act| {
        matches!(
            act.verb,
            Some(Verb::Transfer | Verb::TransferFrom | Verb::Approve | Verb::Balance)
        )
    });
    asked.map(|act| act.context).collect()
}

/// An entry of a contract that is open, by a frame in another's name.
fn reentry(scene: &Scene, f: &mut TraceFeatures) {
    let mut open: HashMap<Address, usize> = HashMap::new();
    let mut path: Vec<usize> = Vec::new();
    let (mut callbacks, mut reentries, mut reads) = (0, 0, 0);
    let mut reentered = HashSet::new();
    for (index, act) in scene.acts.iter().enumerate() {
        while path.last().copied() != act.parent {
            let Some(left) = path.pop() else { break };
            let left = scene.acts[left].context;
            if let Some(count) = open.get_mut(&left) {
                *count -= 1;
            }
        }
        let again = open.get(&act.context).is_some_and(|count| *count > 0)
            && act.caller != act.context
            && !act.frame.input.is_empty();
        if again && act.reads() {
            reads += 1;
        } else if again && act.calls() && scene.lead.contains(&act.context) {
            callbacks += 1;
        } else if again && act.calls() {
            reentries += 1;
            reentered.insert(act.context);
        }
        *open.entry(act.context).or_default() += 1;
        path.push(index);
    }
    f.callbacks = log(callbacks);
    f.reentries = log(reentries);
    f.reentered = reentered.len() as f32;
    f.reads_while_open = log(reads);
}

fn repetition(scene: &Scene, f: &mut TraceFeatures) {
    let function = |act: &Act| (act.context, act.selector);
    let called = scene
        .acts
        .iter()
        .filter(|act| act.calls() && act.selector.is_some());
    f.repeat = log(most(called.map(function)));
    let actions = || scene.acts.iter().filter(|act| act.is_action());
    f.repeat_action = log(most(actions().map(function)));
    let by_lead = actions().filter(|act| act.parent.is_some() && scene.lead.contains(&act.caller));
    f.repeat_by_lead = log(most(by_lead.map(function)));
    f.distinct_actions = log(distinct(actions().map(function)));
}

fn verbs(scene: &Scene, f: &mut TraceFeatures) {
    let mut counts: HashMap<Verb, usize> = HashMap::new();
    for verb in scene.entries().filter_map(|act| act.verb) {
        *counts.entry(verb).or_default() += 1;
    }
    let n = |verb| counts.get(&verb).copied().unwrap_or(0);
    f.n_callback = log(n(Verb::Callback));
    f.n_flash = log(n(Verb::Flash));
    f.n_swap = log(n(Verb::Swap));
    f.n_liquidate = log(n(Verb::Liquidate));
    f.n_borrow = log(n(Verb::Borrow));
    f.n_repay = log(n(Verb::Repay));
    f.n_mint = log(n(Verb::Mint));
    f.n_burn = log(n(Verb::Burn));
    f.n_deposit = log(n(Verb::Deposit));
    f.n_withdraw = log(n(Verb::Withdraw));
    f.n_sync = log(n(Verb::Sync));
    f.n_claim = log(n(Verb::Claim));
    f.n_approve = log(n(Verb::Approve));
    f.n_transfer_from = log(n(Verb::TransferFrom));
    f.n_transfer = log(n(Verb::Transfer));
    f.n_price = log(n(Verb::Price));
    f.n_balance = log(n(Verb::Balance));
    f.n_admin = log(n(Verb::Admin));
    let put_in = n(Verb::Deposit) + n(Verb::Mint);
    let taken_out = n(Verb::Withdraw) + n(Verb::Burn);
    f.deposit_withdraw = log(put_in.min(taken_out));
    f.borrow_repay = log(n(Verb::Borrow).min(n(Verb::Repay)));
    let called = || {
        scene
            .acts
            .iter()
            .filter(|act| act.calls() && act.selector.is_some())
    };
    let unknown = distinct(
        called()
            .filter(|act| act.verb.is_none())
            .map(|act| act.selector),
    );
    f.unknown_selectors = log(unknown);
    f.unknown_share = share(unknown, distinct(called().map(|act| act.selector)));
}

fn lead(scene: &Scene, f: &mut TraceFeatures) {
    let asked: Vec<&Act> = scene
        .entries()
        .filter(|act| act.parent.is_some() && scene.lead.contains(&act.caller))
        .collect();
    let with = |verb| asked.iter().filter(|act| act.verb == Some(verb)).count();
    let callees: HashSet<_> = asked.iter().map(|act| act.context).collect();
    let balances = with(Verb::Balance);
    let own = asked.iter().filter(|act| {
        act.verb == Some(Verb::Balance)
            && act
                .word(0)
                .is_some_and(|word| Address::from_word(word.into()) == act.caller)
    });
    let own = own.count();
    f.lead_share = share(asked.len(), scene.entries().count());
    f.lead_calls = log(asked.len());
    f.lead_callees = log(callees.len());
    f.lead_contracts = log(callees.difference(&tokens(scene)).count());
    f.lead_selectors = log(distinct(asked.iter().filter_map(|act| act.selector)));
    f.lead_approvals = log(with(Verb::Approve));
    f.lead_balances = log(balances);
    f.lead_own_balances = log(own);
    f.lead_foreign_balances = log(balances - own);
    f.lead_prices = log(with(Verb::Price));
    f.lead_static_share = share(asked.iter().filter(|act| act.reads()).count(), asked.len());
}

fn root(scene: &Scene, f: &mut TraceFeatures) {
    let Some(root) = scene.acts.first() else {
        return;
    };
    let creates = root.frame.kind.creates();
    let arguments = match creates {
        true => 0,
        false => root.frame.input.len().saturating_sub(4),
    };
    let plain = !creates && root.selector.is_none();
    f.root_known = f32::from(plain || root.verb.is_some());
    f.root_bytes = log(arguments);
    f.root_terse = if arguments <= 32 { f.frames } else { 0.0 };
    let sends = |act: &Act| act.frame.value.is_some_and(|value| !value.is_zero());
    f.root_value = f32::from(sends(root));
    let pays = |act: &Act| act.calls() && act.context == scene.sender && sends(act);
    f.pays_sender = f32::from(scene.acts.iter().skip(1).any(pays));
}

/// How often the most frequent occurs.
pub fn most<T: Hash + Eq>(things: impl Iterator<Item = T>) -> usize {
    let mut counts: HashMap<T, usize> = HashMap::new();
    things.for_each(|thing| *counts.entry(thing).or_default() += 1);
    counts.into_values().max().unwrap_or(0)
}

/// How many differ.
fn distinct<T: Hash + Eq>(things: impl Iterator<Item = T>) -> usize {
    things.collect::<HashSet<T>>().len()
}
