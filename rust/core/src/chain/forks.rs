//! Which rules a block follows.

use alloy_eips::eip7840::BlobParams;
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_primitives::Address;
use revm::primitives::hardfork::SpecId;

/// Precompiles have no code, and answer all the same. All that any chain has defined lie below 0x200.
pub fn is_precompile(address: &Address) -> bool {
    let (high, low) = address.as_slice().split_at(18);
    high.iter().all(|byte| *byte == 0) && low != [0, 0] && low[0] < 2
}

/// The rules of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub fork: SpecId,
    pub blobs: BlobParams,
}

/// What a header tells of its rules, by the fields it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeaderFields {
    pub base_fee: bool,
    pub withdrawals_root: bool,
    pub excess_blob_gas: bool,
    pub requests_hash: bool,
}

impl Rules {
    /// Of a block of Ethereum or one of its test networks; `None` for other chains.
    pub fn of_ethereum(chain_id: u64, number: u64, timestamp: u64) -> Option<Self> {
        let mut rules = Self {
            fork: SpecId::FRONTIER,
            blobs: BlobParams::cancun(),
        };
        for (fork, condition) in schedule(chain_id)? {
            if condition.active_at_timestamp_or_number(timestamp, number) {
                rules.enter(fork);
            }
        }
        Some(rules)
    }

    /// Of a chain whose schedule is not known, by a header of it: the newest rules that such headers have.
    pub fn of_header(fields: HeaderFields) -> Self {
        let (fork, blobs) = match fields {
            // Osaka added no field to the header.
            HeaderFields {
                requests_hash: true,
                ..
            } => (SpecId::OSAKA, BlobParams::osaka()),
            HeaderFields {
                excess_blob_gas: true,
                ..
            } => (SpecId::CANCUN, BlobParams::cancun()),
            HeaderFields {
                withdrawals_root: true,
                ..
            } => (SpecId::SHANGHAI, BlobParams::cancun()),
            // Side chains took the rules of London and of the merge together.
            HeaderFields { base_fee: true, .. } => (SpecId::MERGE, BlobParams::cancun()),
            _ => (SpecId::BERLIN, BlobParams::cancun()),
        };
        Self { fork, blobs }
    }

    fn enter(&mut self, fork: EthereumHardfork) {
        use EthereumHardfork as F;
        self.fork = match fork {
            F::Frontier => SpecId::FRONTIER,
            F::Homestead => SpecId::HOMESTEAD,
            F::Tangerine => SpecId::TANGERINE,
            F::SpuriousDragon => SpecId::SPURIOUS_DRAGON,
            F::Byzantium => SpecId::BYZANTIUM,
            // Replaced by Petersburg before it began.
            F::Constantinople | F::Petersburg => SpecId::PETERSBURG,
            F::Istanbul => SpecId::ISTANBUL,
            F::Berlin => SpecId::BERLIN,
            F::London => SpecId::LONDON,
            F::Paris => SpecId::MERGE,
            F::Shanghai => SpecId::SHANGHAI,
            F::Cancun => SpecId::CANCUN,
            F::Prague => SpecId::PRAGUE,
            F::Osaka => SpecId::OSAKA,
            F::Amsterdam => SpecId::AMSTERDAM,
            // Difficulty and blob parameters alone.
            _ => self.fork,
        };
        self.blobs = match fork {
            F::Prague => BlobParams::prague(),
            F::Osaka => BlobParams::osaka(),
            F::Bpo1 => BlobParams::bpo1(),
            F::Bpo2 => BlobParams::bpo2(),
            _ => self.blobs,
        };
    }
}

fn schedule(chain_id: u64) -> Option<Vec<(EthereumHardfork, ForkCondition)>> {
    Some(match chain_id {
        1 => EthereumHardfork::mainnet().into(),
        17_000 => EthereumHardfork::holesky().into(),
        560_048 => EthereumHardfork::hoodi().into(),
        11_155_111 => EthereumHardfork::sepolia().into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_changes_its_rules_at_its_forks() {
        let fork = |number, timestamp| {
            let rules = Rules::of_ethereum(1, number, timestamp);
            rules.expect("known").fork
        };
        assert_eq!(fork(1_149_999, 0), SpecId::FRONTIER);
        assert_eq!(fork(1_150_000, 0), SpecId::HOMESTEAD);
        assert_eq!(fork(4_369_999, 1), SpecId::SPURIOUS_DRAGON);
        assert_eq!(fork(7_280_000, 1), SpecId::PETERSBURG);
        assert_eq!(fork(15_537_393, 1), SpecId::LONDON);
        assert_eq!(fork(15_537_394, 1), SpecId::MERGE);
        assert_eq!(fork(17_034_869, 1_681_338_454), SpecId::MERGE);
        assert_eq!(fork(17_034_870, 1_681_338_455), SpecId::SHANGHAI);
        assert_eq!(fork(19_426_587, 1_710_338_135), SpecId::CANCUN);
        assert_eq!(fork(22_431_084, 1_746_612_311), SpecId::PRAGUE);
        assert_eq!(fork(23_935_694, 1_764_798_551), SpecId::OSAKA);
    }

    #[test]
    fn blob_parameters_change_between_forks() {
        let blobs = |timestamp| {
            Rules::of_ethereum(1, 24_000_000, timestamp)
                .expect("known")
                .blobs
        };
        assert_eq!(blobs(1_764_798_551), BlobParams::osaka());
        assert_eq!(blobs(1_765_290_071), BlobParams::bpo1());
        assert_eq!(blobs(1_767_747_671), BlobParams::bpo2());
    }

    #[test]
    fn other_chains_are_known_by_their_headers() {
        assert_eq!(Rules::of_ethereum(137, 1, 1), None);
        let mut fields = HeaderFields::default();
        let fork = |fields| Rules::of_header(fields).fork;
        assert_eq!(fork(fields), SpecId::BERLIN);
        fields.base_fee = true;
        assert_eq!(fork(fields), SpecId::MERGE);
        fields.withdrawals_root = true;
        assert_eq!(fork(fields), SpecId::SHANGHAI);
        fields.excess_blob_gas = true;
        assert_eq!(fork(fields), SpecId::CANCUN);
        fields.requests_hash = true;
        assert_eq!(fork(fields), SpecId::OSAKA);
    }
}
