//! A transaction seen before inclusion.

use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, B256, U128, U256};
use serde::{Deserialize, Serialize};

/// A transaction seen before inclusion, as every stage reads it.
///
/// Fees are wei per gas. A legacy or EIP-2930 transaction has `max_fee_per_gas == max_priority_fee_per_gas == gasPrice`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PendingTransaction {
    pub hash: B256,
    pub from: Address,
    /// `None` for a contract creation; `input` is then its init code.
    pub to: Option<Address>,
    /// Wei.
    pub value: U256,
    pub nonce: u64,
    /// Gas limit.
    pub gas: u64,
    /// EIP-2718 type: 0 legacy, 1 access list, 2 dynamic fee, 3 blob, 4 set code.
    pub tx_type: u8,
    /// Absent in pre-EIP-155 legacy transactions.
    pub chain_id: Option<u64>,
    pub max_fee_per_gas: u128,
    pub max_priority_fee_per_gas: u128,
    pub input: Vec<u8>,
    /// When the sensor received it: Unix milliseconds. Captures store this precision, so no stage may use a finer clock.
    pub seen_ms: u64,
}

impl PendingTransaction {
    /// The first four bytes of the calldata of a call; `None` for creations and shorter calldata.
    #[inline]
    pub fn selector(&self) -> Option<[u8; 4]> {
        self.to?;
        self.input.first_chunk::<4>().copied()
    }

    /// Effective tip in wei per gas: min(max priority fee, max fee − base fee), 0 where the cap is below the base fee.
    #[inline]
    pub fn effective_tip(&self, base_fee: u128) -> u128 {
        self.max_priority_fee_per_gas
            .min(self.max_fee_per_gas.saturating_sub(base_fee))
    }
}

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
    /// Bytes that it holds beside its own fields, at the most.
    pub fn footprint(&self) -> usize {
        let access = self.access_list.as_ref().map_or(0, |list| {
            let keys = list.0.iter().map(|item| 32 * item.storage_keys.capacity());
            size_of::<AccessListItem>() * list.0.capacity() + keys.sum::<usize>()
        });
        let blobs = self.blob_versioned_hashes.as_ref();
        let signed = self.authorization_list.as_ref();
        access
            + blobs.map_or(0, |hashes| 32 * hashes.capacity())
            + signed.map_or(0, |list| size_of::<SignedAuthorization>() * list.capacity())
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
