//! A transaction as the EVM takes it.

use super::environment::Environment;
use crate::config::Pause;
use crate::tx::{Extras, PendingTransaction};
use alloy_consensus::{Transaction, TxEnvelope, Typed2718};
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, TxKind};
use revm::context::TxEnv;
use revm::context_interface::either::Either;
use revm::primitives::eip7825::TX_GAS_LIMIT_CAP;
use revm::primitives::hardfork::SpecId;

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

/// Gas that a transaction may have at the most in this block (EIP-7825).
pub fn most_gas(environment: &Environment) -> u64 {
    let most = environment.block.gas_limit;
    match environment.fork >= SpecId::OSAKA {
        true => most.min(TX_GAS_LIMIT_CAP),
        false => most,
    }
}

/// The guardian's call at the base fee. Its nonce is whichever is next.
pub fn from_pause(pause: &Pause, environment: &Environment) -> TxEnv {
    TxEnv {
        caller: pause.from,
        kind: TxKind::Call(pause.to),
        data: pause.input.clone(),
        value: pause.value,
        gas_limit: pause.gas.unwrap_or_else(|| most_gas(environment)),
        gas_price: environment.block.basefee.into(),
        chain_id: Some(environment.chain_id),
        ..TxEnv::default()
    }
}
