//! The block that pending transactions are executed in: the one after the head.

use crate::chain::ChainSpec;
use crate::chain::forks::{HeaderFields, Rules};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use revm::context::BlockEnv;
use revm::primitives::hardfork::SpecId;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The block that an execution happens in, and its rules.
#[derive(Debug, Clone)]
pub struct Environment {
    pub chain_id: u64,
    pub fork: SpecId,
    pub block: BlockEnv,
    /// EIP-4844's update fraction, where the chain has its own.
    pub blob_base_fee_update_fraction: Option<u64>,
}

impl Environment {
    /// Of what was executed somewhere else.
    pub fn unknown(chain_id: u64) -> Self {
        Self {
            chain_id,
            fork: SpecId::default(),
            block: BlockEnv::default(),
            blob_base_fee_update_fraction: None,
        }
    }
}

/// A header as `eth_getBlockBy…` answers it, as far as the next block hangs on it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    number: U64,
    pub hash: B256,
    pub parent_hash: B256,
    timestamp: U64,
    gas_limit: U64,
    gas_used: U64,
    #[serde(default)]
    pub miner: Address,
    #[serde(default)]
    mix_hash: B256,
    #[serde(default)]
    difficulty: U256,
    #[serde(default)]
    extra_data: Bytes,
    base_fee_per_gas: Option<U256>,
    excess_blob_gas: Option<U64>,
    blob_gas_used: Option<U64>,
    withdrawals_root: Option<B256>,
    requests_hash: Option<B256>,
    block_access_list_hash: Option<B256>,
    #[serde(default)]
    withdrawals: Vec<Withdrawal>,
    /// Their hashes.
    #[serde(default)]
    transactions: Vec<Listed>,
}

/// A transaction as a block lists it: by its hash, unless a node says more than was asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Listed {
    Hash(B256),
    Other(IgnoredAny),
}

#[derive(Debug, Clone, Deserialize)]
struct Withdrawal {
    address: Address,
}

impl Header {
    pub fn number(&self) -> u64 {
        self.number.to()
    }

    pub fn timestamp(&self) -> u64 {
        self.timestamp.to()
    }

    /// How many transactions the block has.
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Their hashes, in order.
    pub fn hashes(&self) -> impl Iterator<Item = Option<B256>> {
        self.transactions.iter().map(|listed| match listed {
            Listed::Hash(hash) => Some(*hash),
            Listed::Other(_) => None,
        })
    }

    /// Whose balances grew with the block and without a transaction.
    pub fn paid(&self) -> impl Iterator<Item = Address> {
        let withdrawn = self.withdrawals.iter().map(|withdrawal| withdrawal.address);
        withdrawn.chain([self.miner])
    }

    /// The block after this one, where `before` is the timestamp of the one before it: its number and base fee are
    /// certain, its time is likely, and who builds it is not known: this one's beneficiary stands for it.
    pub fn next(&self, chain: &ChainSpec, before: Option<u64>) -> Environment {
        let timestamp = chain.next_timestamp(self.timestamp(), before);
        let number = self.number().saturating_add(1);
        let rules = chain.rules(number, timestamp, self.fields());
        let base_fee = chain.next_base_fee(
            self.base_fee_per_gas.map(|fee| fee.saturating_to()),
            self.gas_used.to(),
            self.gas_limit.to(),
            &self.extra_data,
        );
        let base_fee = u64::try_from(base_fee).unwrap_or(u64::MAX);
        let blobs = self.next_excess_blob_gas(&rules);
        self.environment(chain.id, rules, number, timestamp, base_fee, blobs)
    }

    /// This very block.
    pub fn own(&self, chain: &ChainSpec) -> Environment {
        let (number, timestamp) = (self.number(), self.timestamp());
        let rules = chain.rules(number, timestamp, self.fields());
        let base_fee = self.base_fee_per_gas.unwrap_or_default().saturating_to();
        let blobs = bounded(self.excess_blob_gas);
        self.environment(chain.id, rules, number, timestamp, base_fee, blobs)
    }

    fn environment(
        &self,
        chain_id: u64,
        rules: Rules,
        number: u64,
        timestamp: u64,
        basefee: u64,
        excess_blob_gas: u64,
    ) -> Environment {
        let mut block = BlockEnv {
            number: U256::from(number),
            beneficiary: self.miner,
            timestamp: U256::from(timestamp),
            gas_limit: self.gas_limit.to(),
            basefee,
            difficulty: self.difficulty,
            prevrandao: Some(self.mix_hash),
            ..BlockEnv::default()
        };
        let fraction = u64::try_from(rules.blobs.update_fraction).unwrap_or(u64::MAX);
        if rules.fork >= SpecId::CANCUN {
            set_excess_blob_gas(&mut block, excess_blob_gas, fraction);
        }
        Environment {
            chain_id,
            fork: rules.fork,
            block,
            blob_base_fee_update_fraction: Some(fraction),
        }
    }

    /// EIP-4844, and since Osaka EIP-7918. A node may say any number: absurd ones saturate.
    fn next_excess_blob_gas(&self, rules: &Rules) -> u64 {
        let (excess, used) = (bounded(self.excess_blob_gas), bounded(self.blob_gas_used));
        if rules.fork >= SpecId::OSAKA {
            let base_fee = self.base_fee_per_gas.unwrap_or_default().saturating_to();
            return rules
                .blobs
                .next_block_excess_blob_gas_osaka(excess, used, base_fee);
        }
        (excess + used).saturating_sub(rules.blobs.target_blob_gas_per_block())
    }

    fn fields(&self) -> HeaderFields {
        HeaderFields {
            base_fee: self.base_fee_per_gas.is_some(),
            withdrawals_root: self.withdrawals_root.is_some(),
            excess_blob_gas: self.excess_blob_gas.is_some(),
            requests_hash: self.requests_hash.is_some(),
            block_access_list_hash: self.block_access_list_hash.is_some(),
        }
    }
}

/// Sets the price of blobs, which grows by e with each `fraction` of excess: beyond this many it is no number any more.
pub fn set_excess_blob_gas(block: &mut BlockEnv, excess: u64, fraction: u64) {
    const MOST: u64 = 32;
    let excess = excess.min(fraction.saturating_mul(MOST));
    block.set_blob_excess_gas_and_price(excess, fraction.max(1));
}

/// So that sums of them are numbers still.
fn bounded(gas: Option<U64>) -> u64 {
    gas.unwrap_or_default().to::<u64>().min(u64::MAX >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn header(more: serde_json::Value) -> Header {
        let mut header = json!({
            "number": "0x1312d00", "hash": B256::repeat_byte(1), "parentHash": B256::repeat_byte(2),
            "timestamp": "0x66500000", "gasLimit": "0x1c9c380", "gasUsed": "0x1c9c380",
            "baseFeePerGas": "0x3b9aca00", "miner": Address::repeat_byte(3),
        });
        let fields = more.as_object().unwrap().clone();
        header.as_object_mut().unwrap().extend(fields);
        serde_json::from_value(header).unwrap()
    }

    #[test]
    fn the_next_block_follows_from_the_head() {
        let header = header(json!({"excessBlobGas": "0x80000", "blobGasUsed": "0x60000"}));
        let next = header.next(&ChainSpec::of(1), Some(header.timestamp() - 12));
        assert_eq!(next.fork, SpecId::CANCUN);
        assert_eq!(next.block.number, U256::from(20_000_001));
        assert_eq!(next.block.timestamp, U256::from(0x66500000 + 12));
        // A full block raises the fee by an eighth.
        assert_eq!(next.block.basefee, 1_125_000_000);
        let blobs = next.block.blob_excess_gas_and_price.unwrap();
        assert_eq!(blobs.excess_blob_gas, 0x80000);
        assert_eq!(header.paid().collect::<Vec<_>>(), [Address::repeat_byte(3)]);
    }

    #[test]
    fn absurd_headers_give_a_block_all_the_same() {
        let most = format!("{:#x}", u64::MAX);
        let header = header(json!({
            "excessBlobGas": most, "blobGasUsed": most, "baseFeePerGas": U256::MAX, "timestamp": most,
            "number": most, "gasUsed": most, "gasLimit": most, "requestsHash": B256::ZERO, "withdrawals": [],
        }));
        for chain in [1, 31_337, 8_453] {
            let next = header.next(&ChainSpec::of(chain), None);
            assert_eq!(next.block.number, U256::from(u64::MAX));
            assert_eq!(next.block.basefee, u64::MAX);
        }
    }
}
