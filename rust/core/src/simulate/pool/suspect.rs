//! What is to be simulated.

use crate::evidence::{Authenticity, Identity, Taken};
use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::B256;
use std::sync::Arc;

/// A suspect: its hash, and its contents' fingerprint. A node may tell other contents under the same hash.
pub type Key = (B256, u64);

/// A pending transaction, with its JSON: what no other stage reads is read from it.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub fingerprint: u64,
    pub tx: Arc<PendingTransaction>,
    pub original: Option<Original>,
}

impl Earlier {
    pub fn key(&self) -> Key {
        (self.tx.hash, self.fingerprint)
    }
}

/// Of several with one sender and nonce the first that is what its hash says, else the first that nothing speaks against: a
/// lie about what comes before an attack would make it harmless.
pub fn credible(earlier: Vec<Earlier>) -> Vec<Earlier> {
    let mut kept: Vec<(Authenticity, Earlier)> = Vec::with_capacity(earlier.len());
    for one in earlier {
        let identity = Identity::of(&one.tx, one.original.as_ref());
        let authenticity = identity.authenticity;
        // Told of another sender than its signer, it would take the place of what that one has sent.
        if identity.other_than(one.tx.from).is_some() {
            continue;
        }
        let same = |other: &&mut (Authenticity, Earlier)| {
            let other = &other.1.tx;
            (other.from, other.nonce) == (one.tx.from, one.tx.nonce)
        };
        match (authenticity, kept.iter_mut().find(same)) {
            (Authenticity::Contradicted, _) => {}
            (_, None) => kept.push((authenticity, one)),
            (Authenticity::Proven, Some(other)) if other.0 != Authenticity::Proven => {
                *other = (authenticity, one);
            }
            _ => {}
        }
    }
    kept.into_iter().map(|(_, one)| one).collect()
}

/// A pending transaction that is worth a simulation.
#[derive(Debug, Clone)]
pub struct Suspect {
    pub fingerprint: u64,
    pub tx: Arc<PendingTransaction>,
    /// As of [`Earlier`].
    pub original: Option<Original>,
    /// Pending too, and it may build on them: of the same sender, by nonce, and its callee's creation by another.
    pub before: Vec<Earlier>,
    /// Among these, first, is what others have pending, who may have prepared it; that counts as far as the next block can have
    /// it.
    pub among_others: bool,
    /// What others take, pending or in the last blocks.
    pub taken: Vec<Taken>,
    /// It is known to touch a monitored contract.
    pub contact: bool,
    /// Of the first stage.
    pub score: f32,
}

impl Suspect {
    pub fn key(&self) -> Key {
        (self.tx.hash, self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::samples::{Dice, Signed, signed};
    use crate::wire::parse_object;
    use serde_json::Value;

    fn told(object: &Value) -> Earlier {
        let json = serde_json::to_vec(object).unwrap();
        Earlier {
            fingerprint: 0,
            tx: Arc::new(parse_object(&json, 1).unwrap()),
            original: Some(Original {
                json: json.into(),
                is_notification: false,
            }),
        }
    }

    fn hashes(all: &[Earlier]) -> Vec<B256> {
        all.iter().map(|one| one.tx.hash).collect()
    }

    #[test]
    fn the_true_contents_count_whichever_were_told_last() {
        let Signed { object, hash, .. } = signed(&mut Dice(1), 2);
        let mut lie = object.clone();
        lie["input"] = "0xdeadbeef".into();
        let (lie, truth) = (told(&lie), told(&object));
        for both in [[lie.clone(), truth.clone()], [truth.clone(), lie]] {
            let kept = credible(both.to_vec());
            assert_eq!(hashes(&kept), [hash]);
            assert_eq!(kept[0].tx.input, truth.tx.input);
        }
    }

    #[test]
    fn what_somebody_else_signed_takes_nobodys_place() {
        let (own, mut other) = (signed(&mut Dice(1), 2), signed(&mut Dice(2), 2).object);
        other["from"] = own.object["from"].clone();
        let kept = credible(vec![told(&other), told(&own.object)]);
        assert_eq!(hashes(&kept), [own.hash]);
    }

    #[test]
    fn what_nobody_can_read_is_not_executed() {
        let mut object = signed(&mut Dice(1), 2).object;
        object["accessList"] = "0x7".into();
        assert!(credible(vec![told(&object)]).is_empty());
    }
}
