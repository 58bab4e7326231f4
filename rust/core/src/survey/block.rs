//! A block as `eth_getBlockByHash` answers it with its transactions, as far as what it created hangs on it.

use crate::evidence::Sighting;
use crate::simulate::creations::Origin;
use crate::tx::Extras;
use alloy_primitives::{Address, B256, U64, U256};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Authorizations of one block whose signer is looked for: that takes a tenth of a millisecond each.
const AUTHORIZATIONS: usize = 256;
/// EIP-7702.
const SET_CODE: u64 = 4;

#[derive(Debug)]
pub struct Block {
    pub number: u64,
    pub hash: B256,
    pub parent: B256,
    /// Unix seconds.
    pub timestamp: u64,
    /// In order; nothing where one cannot be read.
    pub transactions: Vec<Option<Sent>>,
    /// Accounts that are to run another's code from now on, if their signatures and nonces hold.
    pub delegations: Vec<Delegation>,
    /// Authorizations above the bound.
    pub left_out: u64,
}

/// A transaction that a block has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    pub hash: B256,
    pub from: Address,
    nonce: U64,
    #[serde(default)]
    pub to: Option<Address>,
    #[serde(default)]
    pub value: U256,
    #[serde(default)]
    r#type: U64,
}

/// An EIP-7702 authorization.
#[derive(Debug, Clone, Copy)]
pub struct Delegation {
    /// Index of its transaction.
    pub transaction: usize,
    pub account: Address,
    pub runs: Address,
}

impl Block {
    /// # Errors
    /// In words, where it is no block, or another one.
    pub fn read(raw: &[u8], hash: &B256) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Json<'a> {
            number: U64,
            hash: B256,
            #[serde(default)]
            parent_hash: B256,
            timestamp: U64,
            #[serde(borrow)]
            transactions: Vec<&'a RawValue>,
        }
        let json: Json<'_> =
            serde_json::from_slice(raw).map_err(|error| format!("no block: {error}"))?;
        if json.hash != *hash {
            return Err("the node gave another block".into());
        }
        let mut block = Self {
            number: json.number.to(),
            hash: json.hash,
            parent: json.parent_hash,
            timestamp: json.timestamp.to(),
            transactions: Vec::with_capacity(json.transactions.len()),
            delegations: Vec::new(),
            left_out: 0,
        };
        for object in json.transactions {
            let sent: Option<Sent> = serde_json::from_str(object.get()).ok();
            let sets_code = sent.as_ref().is_some_and(Sent::sets_code);
            block.transactions.push(sent);
            if sets_code {
                block.add_delegations(object.get());
            }
        }
        Ok(block)
    }

    fn add_delegations(&mut self, object: &str) {
        let extras = Extras::of_object(object.as_bytes()).unwrap_or_default();
        for signed in extras.authorization_list.unwrap_or_default() {
            // To the zero address: it runs nothing any more.
            if signed.address().is_zero() {
                continue;
            }
            if self.delegations.len() >= AUTHORIZATIONS {
                self.left_out += 1;
                continue;
            }
            // One whose signature does not hold delegates nothing.
            if let Ok(account) = signed.recover_authority() {
                self.delegations.push(Delegation {
                    transaction: self.transactions.len() - 1,
                    account,
                    runs: *signed.address(),
                });
            }
        }
    }

    /// Whose what a transaction created is.
    pub fn origin(&self, sent: &Sent) -> Origin {
        Origin {
            deployer: sent.from,
            tx: sent.hash,
            to: sent.to,
            nonce: sent.nonce.to(),
            value: sent.value,
            seen: Sighting::Mined {
                block: self.number,
                timestamp: self.timestamp,
            },
        }
    }
}

impl Sent {
    fn sets_code(&self) -> bool {
        self.r#type.to::<u64>() == SET_CODE
    }

    /// Of the contract that it creates, where it succeeds.
    pub fn creates(&self) -> Option<Address> {
        let created = || self.from.create(self.nonce.to());
        self.to.is_none().then(created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::crypto::secp256k1::sign_message;
    use alloy_eips::eip7702::Authorization;
    use alloy_primitives::address;
    use proptest::prelude::*;
    use serde_json::json;

    const HASH: B256 = B256::repeat_byte(0xb1);
    const KEY: B256 = B256::with_last_byte(1);
    /// Whose key 1 is.
    const SIGNER: Address = address!("7e5f4552091a69125d5dfcb7b8c2659029395bdf");

    #[test]
    fn one_transaction_that_cannot_be_read_spoils_no_other() {
        let sent = json!({"hash": B256::repeat_byte(7), "from": Address::repeat_byte(1), "nonce": "0x5", "to": null, "value": "0x2"});
        let block = json!({"number": "0x7", "hash": HASH, "timestamp": "0x9", "transactions": [5, {"hash": 7}, sent, HASH]});
        let raw = block.to_string();
        let block = Block::read(raw.as_bytes(), &HASH).unwrap();
        let read: Vec<_> = block.transactions.iter().map(Option::is_some).collect();
        assert_eq!(read, [false, false, true, false]);
        let sent = block.transactions[2].as_ref().unwrap();
        assert_eq!(sent.creates(), Some(Address::repeat_byte(1).create(5)));
        assert!(Block::read(raw.as_bytes(), &B256::ZERO).is_err());
    }

    #[test]
    fn delegations_are_bounded_and_those_of_nobody_are_none() {
        let signed = |runs: Address| {
            let authorization = Authorization {
                chain_id: U256::ZERO,
                address: runs,
                nonce: 0,
            };
            let signature = sign_message(KEY, authorization.signature_hash()).unwrap();
            json!(authorization.into_signed(signature))
        };
        let void = json!({"chainId": "0x0", "address": Address::repeat_byte(2), "nonce": "0x0", "yParity": "0x0", "r": "0x0", "s": "0x0"});
        let mut list = vec![void, signed(Address::ZERO)];
        list.extend((0..AUTHORIZATIONS + 3).map(|_| signed(Address::repeat_byte(2))));
        let sent = json!({"hash": HASH, "from": Address::ZERO, "nonce": "0x0", "type": "0x4", "authorizationList": list});
        let block =
            json!({"number": "0x7", "hash": HASH, "timestamp": "0x9", "transactions": [sent]});
        let block = Block::read(block.to_string().as_bytes(), &HASH).unwrap();
        assert_eq!(block.delegations.len(), AUTHORIZATIONS);
        assert_eq!(block.left_out, 3);
        let delegates =
            |one: &Delegation| (one.account, one.runs) == (SIGNER, Address::repeat_byte(2));
        assert!(block.delegations.iter().all(delegates));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(raw in prop::collection::vec(any::<u8>(), 0..200)) {
            Block::read(&raw, &HASH).ok();
        }
    }
}
