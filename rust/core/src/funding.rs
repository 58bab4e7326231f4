//! Who had money of services that ask little: mixers, swaps, exchanges. A rolling index on disk of accounts that were paid by
//! one of [`Sources`], straight or by way of one account in between, made from the transfers of each block.
//!
//! What counts ([`flow`]):
//! - a payment *out of* a service, also by way of contracts in the same transaction (a relay that unwraps, a contract that pays
//!   many). What goes *into* a service counts for nothing.
//! - then, one account on: what the account that had it sends in transactions that it signs itself, at the most as much as it
//!   had. A contract that pays out in somebody else's transaction (an exchange of tokens, a bridge, a pool) passes nothing on:
//!   else whoever trades where a mixer's customer has traded would be suspect. So neither does a smart account.
//! - of exchanges the first payment alone: nearly everybody is two steps from one.
//! - nothing below [`Sources::least`]: anybody can send dust from a mixer to everybody.

mod attackers;
mod flow;
mod index;
mod sources;
#[cfg(test)]
mod tests;

pub use attackers::{Attackers, Label, LabelKind};
pub use index::{Fed, Index, Span, State};
pub use sources::{Source, Sources};

use crate::evidence::trace::Trace;
use crate::evidence::transfers::Asset;
use alloy_primitives::{Address, B256, U256};
use serde::Deserialize;

/// One movement of the native asset or of its wrapped form; of other tokens none counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    pub tx: B256,
    /// Who signed the transaction.
    pub signer: Address,
    pub from: Address,
    pub to: Address,
    /// Smallest units.
    pub value: U256,
    /// Nothing where it is native.
    #[serde(default)]
    pub token: Option<Address>,
}

/// What moved in a block, in its order; that of a transaction's native and wrapped transfers to each other does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    pub number: u64,
    pub hash: B256,
    pub parent: B256,
    /// Unix seconds.
    pub timestamp: u64,
    pub transfers: Vec<Transfer>,
}

/// What a transaction moved that stayed moved, by its trace, with or without logs.
pub fn transfers(tx: B256, trace: &Trace) -> impl Iterator<Item = Transfer> {
    let signer = trace.root().map(|root| root.from).unwrap_or_default();
    trace.movements().into_iter().filter_map(move |moved| {
        let token = match moved.asset {
            Asset::Native => None,
            Asset::Token(token) => Some(token),
            Asset::Unique(..) => return None,
        };
        Some(Transfer {
            tx,
            signer,
            from: moved.from,
            to: moved.to,
            value: moved.amount,
            token,
        })
    })
}
