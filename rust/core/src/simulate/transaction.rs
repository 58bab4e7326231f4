//! A transaction as the EVM takes it.

use alloy_consensus::{Transaction, TxEnvelope, Typed2718};
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::Address;
use revm::context::TxEnv;
use revm::context_interface::either::Either;

/// A signed transaction; `sender` is who signed it.
pub fn from_envelope(transaction: &TxEnvelope, sender: Address) -> TxEnv {
    let authorizations = transaction.authorization_list().unwrap_or_default();
    let authorizations = authorizations.iter().cloned();
    TxEnv {
        tx_type: transaction.ty(),
        caller: sender,
        gas_limit: transaction.gas_limit(),
        gas_price: transaction.max_fee_per_gas(),
        kind: transaction.kind(),
        value: transaction.value(),
        data: transaction.input().clone(),
        nonce: transaction.nonce(),
        chain_id: transaction.chain_id(),
        access_list: transaction.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: transaction.max_priority_fee_per_gas(),
        blob_hashes: transaction
            .blob_versioned_hashes()
            .unwrap_or_default()
            .to_vec(),
        max_fee_per_blob_gas: transaction.max_fee_per_blob_gas().unwrap_or_default(),
        authorization_list: authorizations
            .map(Either::<SignedAuthorization, _>::Left)
            .collect(),
    }
}
