//! A transaction's JSON as it arrived: what few of its readers need is read from it when they do.

use super::signed::decode_raw;
use super::{WireError, notification_object};
use crate::evidence::{Authenticity, Identity};
use crate::tx::{Extras, PendingTransaction};
use alloy_consensus::TxEnvelope;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::Address;
use bytes::Bytes;
use std::borrow::Cow;

/// A transaction object, or the notification around it; it has been read as a transaction before.
#[derive(Debug, Clone)]
pub struct Original {
    pub json: Bytes,
    pub is_notification: bool,
}

impl Original {
    /// For keeping: the bytes may be a part of a message of megabytes.
    pub fn copy(&self) -> Self {
        Self {
            json: Bytes::copy_from_slice(&self.json),
            is_notification: self.is_notification,
        }
    }

    /// # Errors
    /// In words: a field is not what it should be.
    pub fn extras(&self) -> Result<Extras, String> {
        let object = self.object().map_err(|error| error.to_string())?;
        Extras::of_object(&object)
    }

    fn object(&self) -> Result<Cow<'_, [u8]>, WireError> {
        match self.is_notification {
            true => notification_object(&self.json).map(Cow::Owned),
            false => Ok(Cow::Borrowed(&*self.json)),
        }
    }

    /// Whether it is what its signer signed and its hash stands for, and who the signer is: `tx` is what was read of it.
    ///
    /// Hashes the transaction and recovers the signer: some 100 µs, for suspects only.
    pub fn prove(&self, tx: &PendingTransaction) -> (Authenticity, Option<Address>) {
        let object = self.object().unwrap_or_default();
        let envelope = serde_json::from_slice::<TxEnvelope>(&object).ok();
        let Some(envelope) = envelope.filter(|envelope| !envelope.signature().r().is_zero()) else {
            let readable = tx.tx_type == 0 || Extras::of_object(&object).is_ok();
            return match readable {
                // Fields are missing, or a development node signed in nobody's name.
                true => (Authenticity::Unproven, None),
                // What is no transaction at all is not what any hash says.
                false => (Authenticity::Contradicted, None),
            };
        };
        let Ok(signed) = decode_raw(&envelope.encoded_2718(), Some(tx.hash), None, tx.seen_ms)
        else {
            return (Authenticity::Contradicted, None);
        };
        let signer = signed.from;
        let same = PendingTransaction {
            from: tx.from,
            chain_id: signed.chain_id.filter(|_| tx.chain_id.is_some()),
            ..signed
        } == *tx;
        match same {
            true => (Authenticity::Proven, Some(signer)),
            // Of repeated keys another one was read.
            false => (Authenticity::Contradicted, None),
        }
    }
}

impl Identity {
    /// As of [`Original::prove`]. What came without its JSON was checked where it was read.
    pub fn of(tx: &PendingTransaction, original: Option<&Original>) -> Self {
        let unread = (Authenticity::Proven, None);
        let (authenticity, signer) = original.map_or(unread, |original| original.prove(tx));
        Self {
            authenticity,
            signer,
        }
    }
}

#[cfg(test)]
mod tests;
