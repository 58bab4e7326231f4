//! What is to be simulated.

use crate::evidence::Authenticity;
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
        let authenticity = match &one.original {
            Some(original) => original.prove(&one.tx).0,
            None => Authenticity::Proven,
        };
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
    /// It is known to touch a monitored contract.
    pub contact: bool,
}

impl Suspect {
    pub fn key(&self) -> Key {
        (self.tx.hash, self.fingerprint)
    }
}
