//! Signed transactions of every type, as nodes return them: for tests.

use super::context::ContextEntry;
use crate::chain::{BlockContents, CodeAnswer, Head, MinedTransaction, Reorg};
use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{
    EthereumTypedTransaction, SignableTransaction, TxEip1559, TxEip2930, TxEip4844,
    TxEip4844Variant, TxEip7702, TxEnvelope, TxLegacy,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use serde_json::{Value, json};

/// Repeatable pseudo-random values.
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn hash(&mut self) -> B256 {
        self.0 += 1;
        keccak256(self.0.to_le_bytes())
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        u64::from_le_bytes(self.hash()[..8].try_into().unwrap()) % n
    }
    pub(crate) fn address(&mut self) -> Address {
        Address::from_word(self.hash())
    }
    fn bytes(&mut self, max: u64) -> Bytes {
        let len = self.below(max + 1) as usize;
        self.hash().iter().copied().cycle().take(len).collect()
    }
    fn value(&mut self) -> U256 {
        U256::from_be_bytes(self.hash().0) >> (self.below(257) as usize)
    }
}

#[derive(Clone)]
pub(crate) struct Signed {
    pub raw: Vec<u8>,
    pub from: Address,
    pub hash: B256,
    /// As `eth_getTransactionByHash` returns it for a pending transaction.
    pub object: Value,
}

/// A transaction of `tx_type` (5: legacy without a chain id), signed with a random key.
pub(crate) fn signed(dice: &mut Dice, tx_type: u8) -> Signed {
    let to = dice.address();
    let kind = if tx_type < 3 && dice.below(4) == 0 {
        TxKind::Create
    } else {
        TxKind::Call(to)
    };
    let (nonce, gas_limit, value, input) = (
        dice.below(u64::MAX),
        dice.below(30_000_000),
        dice.value(),
        dice.bytes(700),
    );
    let price = u128::from(dice.below(u64::MAX)) << dice.below(60);
    let (max_fee_per_gas, max_priority_fee_per_gas, chain_id) = (price, price / 3, 1);
    let access_list = AccessList(vec![AccessListItem {
        address: dice.address(),
        storage_keys: vec![dice.hash(), dice.hash()],
    }]);
    let tx = match tx_type {
        0 | 5 => {
            let chain_id = (tx_type == 0).then_some(1);
            TxLegacy {
                chain_id,
                nonce,
                gas_price: price,
                gas_limit,
                to: kind,
                value,
                input,
            }
            .into()
        }
        1 => TxEip2930 {
            chain_id,
            nonce,
            gas_price: price,
            gas_limit,
            to: kind,
            value,
            access_list,
            input,
        }
        .into(),
        2 => TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to: kind,
            value,
            access_list,
            input,
        }
        .into(),
        3 => EthereumTypedTransaction::Eip4844(TxEip4844Variant::TxEip4844(TxEip4844 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to,
            value,
            access_list,
            blob_versioned_hashes: vec![dice.hash()],
            max_fee_per_blob_gas: price,
            input,
        })),
        _ => {
            let authorization = Authorization {
                chain_id: U256::from(1),
                address: dice.address(),
                nonce: 7,
            };
            let signature = sign_message(dice.hash(), authorization.signature_hash()).unwrap();
            let authorization_list = vec![authorization.into_signed(signature)];
            TxEip7702 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                authorization_list,
                input,
            }
            .into()
        }
    };
    let tx: EthereumTypedTransaction<TxEip4844Variant> = tx;
    let signature = sign_message(dice.hash(), tx.signature_hash()).unwrap();
    let envelope: TxEnvelope = tx.into_signed(signature).into();
    let from = envelope.recover_signer_unchecked().unwrap();
    let mut object = serde_json::to_value(&envelope).unwrap();
    object["from"] = json!(from);
    object["blockHash"] = Value::Null;
    object["blockNumber"] = Value::Null;
    object["transactionIndex"] = Value::Null;
    if tx_type >= 2 && tx_type != 5 {
        object["gasPrice"] = json!("0x1");
    }
    Signed {
        raw: envelope.encoded_2718(),
        from,
        hash: *envelope.tx_hash(),
        object,
    }
}

pub(crate) fn context(dice: &mut Dice) -> ContextEntry {
    match dice.below(4) {
        0 => ContextEntry::Head(Head {
            number: dice.below(1 << 40),
            hash: dice.hash(),
            parent: dice.hash(),
            timestamp: dice.below(1 << 33),
            base_fee: Some(u128::from(dice.below(u64::MAX)) << 64),
            gas_used: dice.below(1 << 30),
            gas_limit: dice.below(1 << 30),
            seen_ms: dice.below(1 << 41),
        }),
        1 => ContextEntry::Code(CodeAnswer {
            address: dice.address(),
            code: dice.bytes(1_500),
            inside: Default::default(),
            created_at: Some(1),
            dating: false,
        }),
        2 => ContextEntry::Reorg(Reorg {
            at_ms: 3,
            depth: 2,
            old_head: dice.hash(),
            new_head: dice.hash(),
            number: 8,
        }),
        _ => {
            let mined = MinedTransaction {
                hash: dice.hash(),
                from: dice.address(),
                nonce: 3,
                to: None,
                creates: false,
            };
            ContextEntry::Block(BlockContents {
                number: 9,
                hash: dice.hash(),
                transactions: vec![mined; 3],
            })
        }
    }
}
