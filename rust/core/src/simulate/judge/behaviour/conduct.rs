//! How the lead goes about it. Public contracts run libraries and work for who asks them; a contract written for one
//! transaction answers its victims' questions, approves without limit and has round numbers written into its code.

use super::scene::{Act, Scene};
use super::{TraceFeatures, log};
use crate::decode::Verb;
use crate::evidence::trace::CallKind;
use alloy_primitives::{Address, U256};
use hashbrown::HashSet;

/// Words of arguments in which amounts are looked for.
const AMOUNTS: usize = 4;
/// Smaller words are counts and places in the calldata; those longer than 128 bits are hashes and limits.
const LEAST: u128 = 1 << 40;

pub fn fill(scene: &Scene, f: &mut TraceFeatures) {
    let inner = || scene.entries().filter(|act| act.parent.is_some());
    let asked = || inner().filter(|act| scene.lead.contains(&act.caller));
    f.root_calls = log(scene
        .acts
        .iter()
        .filter(|act| act.parent == Some(0))
        .count());
    f.lead_libraries = log(libraries(scene));
    f.lead_answers = log(answers(scene));
    f.lead_unlimited = log(asked().filter(|act| approves_all(act)).count());
    f.round_amounts = log(asked()
        .filter(|act| act.is_action() || act.verb == Some(Verb::Transfer))
        .flat_map(|act| (0..AMOUNTS).filter_map(|n| act.word(n)))
        .filter(|word| is_round(word))
        .count());
    f.sender_named = log(inner()
        .filter(|act| addresses(act).any(|address| address == scene.sender))
        .count());
    f.lead_named = log(inner()
        .filter(|act| !scene.cluster.contains(&act.caller))
        .filter(|act| addresses(act).any(|address| scene.lead.contains(&address)))
        .count());
    f.sender_pulled = log(scene
        .acts
        .iter()
        .filter(|act| act.frame.kind == CallKind::Call && act.verb == Some(Verb::TransferFrom))
        .filter(|act| {
            act.word(0)
                .is_some_and(|from| Address::from_word(from.into()) == scene.sender)
        })
        .count());
}

/// Codes that the lead runs in its own name, but for the one that a proxy hands the transaction to.
fn libraries(scene: &Scene) -> usize {
    let Some(root) = scene.acts.first() else {
        return 0;
    };
    let codes = scene.acts.iter().filter(|act| {
        !act.enters() && scene.lead.contains(&act.context) && act.frame.input != root.frame.input
    });
    codes.map(|act| act.frame.to).collect::<HashSet<_>>().len()
}

/// Functions of the lead that others call, but for callbacks.
fn answers(scene: &Scene) -> usize {
    let answers = scene.acts.iter().filter(|act| {
        act.parent.is_some()
            && (act.calls() || act.reads())
            && act.selector.is_some()
            && act.verb != Some(Verb::Callback)
            && scene.lead.contains(&act.context)
            && !scene.cluster.contains(&act.caller)
    });
    let functions: HashSet<_> = answers.map(|act| (act.context, act.selector)).collect();
    functions.len()
}

fn approves_all(act: &Act) -> bool {
    act.verb == Some(Verb::Approve) && act.word(1).is_some_and(|amount| amount[0] >= 0x80)
}

/// Whether more than half of an amount's decimal digits are zeros at its end.
fn is_round(word: &[u8; 32]) -> bool {
    let value = u128::try_from(U256::from_be_slice(word)).unwrap_or_default();
    value > LEAST && value.is_multiple_of(10_u128.pow(value.ilog10() / 2 + 3))
}

/// Words of its arguments that can be addresses.
fn addresses<'a>(act: &'a Act) -> impl Iterator<Item = Address> + 'a {
    let arguments = match act.selector {
        Some(_) => act.frame.input.get(4..).unwrap_or_default(),
        None => &[],
    };
    let words = arguments.as_chunks::<32>().0.iter();
    words
        .filter(|word| word[..12].iter().all(|byte| *byte == 0))
        .map(|word| Address::from_word(word.into()))
}
