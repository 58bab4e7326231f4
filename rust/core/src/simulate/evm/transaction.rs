//! A transaction as the EVM takes it.

use crate::wire;
use crate::tx::PendingTransaction;
use alloy_consensus::{Transaction, TxEnvelope, Typed2718};
use alloy_eips::eip2930::AccessList;
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, B256, TxKind, U128};
use revm::context::TxEnv;
use revm::context_interface::either::Either;
use serde::{Deserialize, Serialize};

/// What a transaction has beside the fields that every stage reads, named as nodes name them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Extras {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_list: Option<AccessList>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_versioned_hashes: Option<Vec<B256>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fee_per_blob_gas: Option<U128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_list: Option<Vec<SignedAuthorization>>,
}

impl Extras {
    /// Of a transaction's JSON object, or the notification around it, which have been read before.
    ///
    /// # Errors
    /// In words: a field is not what it should be.
    pub fn of_json(json: &[u8], is_notification: bool) -> Result<Self, String> {
        let read = |object: &[u8]| {
            serde_json::from_slice(object)
                .map_err(|error| format!("a field beside the usual ones: {error}"))
        };
        match is_notification {
            true => read(&wire::notification_object(json).map_err(|error| error.to_string())?),
            false => read(json),
        }
    }

    pub fn of_envelope(transaction: &TxEnvelope) -> Self {
        Self {
            access_list: transaction.access_list().cloned(),
            blob_versioned_hashes: transaction.blob_versioned_hashes().map(<[B256]>::to_vec),
            max_fee_per_blob_gas: transaction.max_fee_per_blob_gas().map(U128::from),
            authorization_list: transaction
                .authorization_list()
                .map(<[SignedAuthorization]>::to_vec),
        }
    }
}

/// A pending transaction as every stage knows it, with what the others do not need.
pub fn from_pending(tx: &PendingTransaction, extras: Extras) -> TxEnv {
    let authorizations = extras.authorization_list.unwrap_or_default().into_iter();
    TxEnv {
        tx_type: tx.tx_type,
        caller: tx.from,
        gas_limit: tx.gas,
        gas_price: tx.max_fee_per_gas,
        kind: tx.to.map_or(TxKind::Create, TxKind::Call),
        value: tx.value,
        data: tx.input.clone().into(),
        nonce: tx.nonce,
        chain_id: tx.chain_id,
        access_list: extras.access_list.unwrap_or_default(),
        // Older types have one price.
        gas_priority_fee: (tx.tx_type >= 2).then_some(tx.max_priority_fee_per_gas),
        blob_hashes: extras.blob_versioned_hashes.unwrap_or_default(),
        max_fee_per_blob_gas: extras.max_fee_per_blob_gas.unwrap_or_default().to(),
        authorization_list: authorizations
            .map(Either::<SignedAuthorization, _>::Left)
            .collect(),
    }
}

/// A signed transaction; `sender` is who signed it.
pub fn from_envelope(transaction: &TxEnvelope, sender: Address) -> TxEnv {
    let max_fee_per_gas = transaction.max_fee_per_gas();
    let priority_fee = transaction.max_priority_fee_per_gas();
    let pending = PendingTransaction {
        from: sender,
        to: transaction.to(),
        value: transaction.value(),
        nonce: transaction.nonce(),
        gas: transaction.gas_limit(),
        tx_type: transaction.ty(),
        chain_id: transaction.chain_id(),
        max_fee_per_gas,
        max_priority_fee_per_gas: priority_fee.unwrap_or(max_fee_per_gas),
        input: transaction.input().to_vec(),
        ..PendingTransaction::default()
    };
    from_pending(&pending, Extras::of_envelope(transaction))
}
