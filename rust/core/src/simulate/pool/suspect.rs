//! What is to be simulated.

use crate::tx::PendingTransaction;
use bytes::Bytes;
use std::sync::Arc;

/// A pending transaction, with its JSON and whether that is a notification: what no other stage reads is read from it.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub tx: Arc<PendingTransaction>,
    pub raw: Option<(Bytes, bool)>,
}

/// A pending transaction that is worth a simulation.
#[derive(Debug, Clone)]
pub struct Suspect {
    pub tx: Arc<PendingTransaction>,
    /// As of [`Earlier`].
    pub raw: Option<(Bytes, bool)>,
    /// Pending too, and it may build on them: of the same sender, by nonce, and its callee's creation by another.
    pub before: Vec<Earlier>,
    /// It is known to touch a monitored contract.
    pub contact: bool,
}
