//! Whose tokens move without a sign that they agreed.

use super::scene::{Act, Scene};
use super::{TraceFeatures, log};
use crate::decode::Verb;
use alloy_primitives::Address;
use hashbrown::HashSet;

/// `isValidSignature`, with a hash or with bytes (EIP-1271).
const ASKS_AN_OWNER: [[u8; 4]; 2] = [[0x16, 0x26, 0xba, 0x7e], [0x20, 0xc1, 0x3b, 0x0b]];
/// A signature's last byte on its own, and the length of one that is packed.
const SIGNATURE: [u8; 3] = [27, 28, 65];

pub fn fill(scene: &Scene, f: &mut TraceFeatures) {
    let owners = scene.acts.iter().filter_map(|act| pulled(scene, act));
    let owners: HashSet<Address> = owners.collect();
    f.pulled_unsigned = if owners.is_empty() || is_signed(scene) {
        0.0
    } else {
        log(owners.len())
    };
    f.approved_by_others = log(scene
        .acts
        .iter()
        .filter(|act| approves_us(scene, act))
        .count());
}

/// Whose token this call takes, if it is neither the sender's side nor the caller.
fn pulled(scene: &Scene, act: &Act) -> Option<Address> {
    let takes = act.calls() && act.verb == Some(Verb::TransferFrom);
    let owner = Address::from_word(act.word(0).filter(|_| takes)?.into());
    (owner != act.caller && !scene.cluster.contains(&owner)).then_some(owner)
}

/// An approval that somebody else gives to the sender's side.
fn approves_us(scene: &Scene, act: &Act) -> bool {
    let spender = act
        .word(0)
        .filter(|_| act.calls() && act.verb == Some(Verb::Approve));
    spender.is_some_and(|word| scene.cluster.contains(&Address::from_word(word.into())))
        && !scene.cluster.contains(&act.caller)
}

/// Whether an owner is asked, or the transaction has with it what looks like a signature. What recovers one is a precompile,
/// whose calls not every recorder keeps.
fn is_signed(scene: &Scene) -> bool {
    let asks = |act: &Act| act.selector.is_some_and(|it| ASKS_AN_OWNER.contains(&it));
    let brought = scene
        .acts
        .first()
        .and_then(|root| root.frame.input.get(4..));
    let words = brought.unwrap_or_default().as_chunks::<32>().0;
    let looks_like_one =
        |word: &[u8; 32]| word[..31].iter().all(|byte| *byte == 0) && SIGNATURE.contains(&word[31]);
    scene.acts.iter().any(asks) || words.iter().any(looks_like_one)
}
