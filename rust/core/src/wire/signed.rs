//! From a signed transaction's bytes (EIP-2718) to a [`PendingTransaction`].

use super::WireError;
use crate::evidence::AnomalyKind;
use crate::tx::PendingTransaction;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, keccak256};

/// Decodes `raw`, whose recorded hash and sender are `hash` and `from`.
///
/// A blob transaction may carry its sidecar, which is dropped. The hash is always computed, and compared where one is
/// recorded. The sender is believed where recorded (it may be an impersonated one, which no signature yields), else
/// recovered from the signature.
pub(crate) fn decode_raw(
    raw: &[u8],
    hash: Option<B256>,
    from: Option<Address>,
    seen_ms: u64,
) -> Result<PendingTransaction, WireError> {
    let (envelope, actual) = self::envelope(raw)?;
    let tx_type = u8::from(envelope.tx_type());
    if hash.is_some_and(|recorded| recorded != actual) {
        return Err(WireError {
            kind: AnomalyKind::HashMismatch,
            reason: format!("rawTx hashes to {actual}").into(),
        });
    }
    let from = match from {
        Some(from) => from,
        None => envelope
            .recover_signer_unchecked()
            .map_err(|_| WireError::field("rawTx", "signature has no signer"))?,
    };
    let max_fee_per_gas = envelope.max_fee_per_gas();
    Ok(PendingTransaction {
        hash: actual,
        from,
        to: envelope.to(),
        value: envelope.value(),
        nonce: envelope.nonce(),
        gas: envelope.gas_limit(),
        tx_type,
        chain_id: envelope.chain_id().filter(|id| tx_type > 0 || *id > 0),
        max_fee_per_gas,
        max_priority_fee_per_gas: envelope
            .max_priority_fee_per_gas()
            .unwrap_or(max_fee_per_gas),
        input: into_input(envelope),
        seen_ms,
    })
}

/// A signed transaction and its hash.
pub(super) fn envelope(raw: &[u8]) -> Result<(TxEnvelope, B256), WireError> {
    let tx_type = match raw.first() {
        None => return Err(WireError::field("rawTx", "empty")),
        Some(first @ 0..0x80) => *first,
        Some(_) => 0,
    };
    if tx_type > 4 {
        return Err(WireError {
            kind: AnomalyKind::UnknownTransactionType,
            reason: format!("type {tx_type:#x}").into(),
        });
    }
    let envelope = TxEnvelope::decode_2718_exact(raw)
        .map_err(|_| WireError::field("rawTx", "not a signed transaction"))?;
    // With a sidecar the bytes are not what is hashed.
    let actual = if tx_type == 3 {
        *envelope.tx_hash()
    } else {
        keccak256(raw)
    };
    Ok((envelope, actual))
}

/// The calldata, without another copy where the decoder's is the only one.
fn into_input(envelope: TxEnvelope) -> Vec<u8> {
    let bytes = match envelope {
        TxEnvelope::Legacy(tx) => tx.into_parts().0.input,
        TxEnvelope::Eip2930(tx) => tx.into_parts().0.input,
        TxEnvelope::Eip1559(tx) => tx.into_parts().0.input,
        TxEnvelope::Eip4844(tx) => tx.into_parts().0.input().clone(),
        TxEnvelope::Eip7702(tx) => tx.into_parts().0.input,
    };
    Vec::from(bytes.0)
}
