//! What is to be simulated.

use crate::tx::PendingTransaction;
use crate::wire::Original;
use alloy_primitives::B256;
use std::sync::Arc;

/// A suspect: its hash, and its contents' fingerprint. A node may tell other contents under the same hash.
pub type Key = (B256, u64);

/// A pending transaction, with its JSON: what no other stage reads is read from it.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub tx: Arc<PendingTransaction>,
    pub original: Option<Original>,
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
