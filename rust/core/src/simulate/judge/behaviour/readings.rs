//! What contracts told of themselves, and how the transaction changed it.

use super::scene::{Act, Scene};
use super::{TraceFeatures, log};
use crate::decode::Verb;
use alloy_primitives::{Address, U256};
use hashbrown::HashMap;

/// Share of its balance that an account must move at once for it to count.
const LARGE: f64 = 0.2;
/// |ln| of the ratio beyond which an answer has changed: 3 %.
const CHANGED: f64 = 0.03;
/// Beyond this, changes are alike.
const MOST: f64 = 20.0;
/// Bytes of calldata that tell one question from another.
const QUESTION: usize = 100;

pub fn fill(scene: &Scene, features: &mut TraceFeatures) {
    impact(scene, features);
    emptied(scene, features);
    answers(scene, features);
}

/// Compares each transfer with the balance that the token tells next of who gave and who got it: pools read theirs after
/// each trade, so this is a trade's size against the pool's.
fn impact(scene: &Scene, f: &mut TraceFeatures) {
    let mut told: HashMap<(Address, Address), U256> = HashMap::new();
    let (mut out, mut into, mut large) = (0.0_f64, 0.0_f64, 0);
    for act in scene.acts.iter().rev() {
        if let Some((holder, balance)) = told_balance(act) {
            told.insert((act.context, holder), balance);
            continue;
        }
        let Some(transfer) = act.frame.asked_transfer(0) else {
            continue;
        };
        let token = act.context;
        let balance = |holder| {
            told.get(&(token, holder))
                .filter(|_| !scene.cluster.contains(&holder))
        };
        let amount = f64::from(transfer.amount);
        if amount <= 0.0 {
            continue;
        }
        if let Some(left) = balance(transfer.from) {
            let part = amount / (amount + f64::from(*left));
            out = out.max(part);
            large += usize::from(part > LARGE);
        }
        if let Some(now) = balance(transfer.to)
            .map(|now| f64::from(*now))
            .filter(|now| *now >= amount)
        {
            let part = amount / now;
            into = into.max(part);
            large += usize::from(part > LARGE);
        }
    }
    f.impact_out = out as f32;
    f.impact_in = into as f32;
    f.impacts = log(large);
}

/// Whose balance a token tells, and what it is.
fn told_balance(act: &Act) -> Option<(Address, U256)> {
    let asked = (act.calls() || act.reads()) && act.verb == Some(Verb::Balance);
    let answered = asked && act.frame.output.len() == 32;
    let holder = act.word(0).filter(|_| answered)?;
    let balance = U256::from_be_slice(&act.frame.output);
    Some((Address::from_word(holder.into()), balance))
}

/// Compares each transfer with the balance that the token told last of who gave it.
fn emptied(scene: &Scene, f: &mut TraceFeatures) {
    let mut told: HashMap<(Address, Address), U256> = HashMap::new();
    let mut emptied = 0;
    for act in &scene.acts {
        if let Some((holder, balance)) = told_balance(act) {
            told.insert((act.context, holder), balance);
        } else if let Some(transfer) = act.frame.asked_transfer(0)
            && !scene.cluster.contains(&transfer.from)
            && transfer.amount > U256::ONE
            && told.remove(&(act.context, transfer.from)) == Some(transfer.amount)
        {
            emptied += 1;
        }
    }
    f.emptied = log(emptied);
}

/// Compares the answers to one question, asked again.
fn answers(scene: &Scene, f: &mut TraceFeatures) {
    struct Answers {
        least: f64,
        most: f64,
        times: usize,
    }
    let mut views: HashMap<(Address, &[u8]), Answers> = HashMap::new();
    for act in scene.acts.iter().filter(|act| is_view(act)) {
        let Some(word) = act.frame.output.first_chunk::<32>() else {
            continue;
        };
        // Longer words are no amounts but addresses, hashes and errors.
        let (high, low) = word.split_at(16);
        let value = f64::from(U256::from_be_slice(low));
        if high.iter().any(|byte| *byte != 0) || value <= 0.0 {
            continue;
        }
        let question = &act.frame.input[..act.frame.input.len().min(QUESTION)];
        let seen = views.entry((act.context, question)).or_insert(Answers {
            least: value,
            most: value,
            times: 0,
        });
        seen.least = seen.least.min(value);
        seen.most = seen.most.max(value);
        seen.times += 1;
    }
    let mut changed = 0;
    for ((_, question), seen) in &views {
        let moved = (seen.most / seen.least).ln().min(MOST);
        let selector = question.first_chunk().copied();
        if selector.and_then(Verb::of) == Some(Verb::Balance) {
            f.balance_moved = f.balance_moved.max(moved as f32);
        } else {
            f.view_moved = f.view_moved.max(moved as f32);
            changed += usize::from(moved > CHANGED);
        }
    }
    f.views_moved = log(changed);
    f.views_repeated = log(views.values().map(|seen| seen.times).max().unwrap_or(0));
}

/// One to three words answered to a question; contracts of old compilers ask without `STATICCALL`.
fn is_view(act: &Act) -> bool {
    let plain = act.calls() && matches!(act.verb, Some(Verb::Price | Verb::Balance));
    (plain || act.reads())
        && act.selector.is_some()
        && (32..=96).contains(&act.frame.output.len())
        && !matches!(
            act.verb,
            Some(Verb::Transfer | Verb::TransferFrom | Verb::Approve)
        )
}
