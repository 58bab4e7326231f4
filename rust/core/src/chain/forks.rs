//! Which rules a block follows.

use alloy_eips::eip7840::BlobParams;
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_primitives::Address;
use revm::primitives::hardfork::SpecId;
use serde::Deserialize;

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
    pub block_access_list_hash: bool,
}

impl Rules {
    /// Of a chain whose schedule is not known, by a header of it: the newest rules that such headers have.
    pub fn of_header(fields: HeaderFields) -> Self {
        let (fork, blobs) = match fields {
            HeaderFields {
                block_access_list_hash: true,
                ..
            } => (SpecId::AMSTERDAM, BlobParams::osaka()),
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

/// When a chain's rules changed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Told")]
pub enum Forks {
    /// Each header tells.
    #[default]
    Headers,
    Schedule(Schedule),
}

/// Forks in the order in which they began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Fork>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fork {
    fork: EthereumHardfork,
    begins: ForkCondition,
    /// Where the chain has its own.
    blobs: Option<Blobs>,
}

/// A chain's own blob parameters; the rest is the fork's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Blobs {
    target: u64,
    max: u64,
    update_fraction: u64,
}

impl Schedule {
    /// The rules of a block, by its number and its time in Unix seconds.
    pub fn at(&self, number: u64, timestamp: u64) -> Rules {
        let mut rules = Rules {
            fork: SpecId::FRONTIER,
            blobs: BlobParams::cancun(),
        };
        for Fork {
            fork,
            begins,
            blobs,
        } in &self.0
        {
            if begins.active_at_timestamp_or_number(timestamp, number) {
                rules.enter(*fork);
                if let Some(own) = blobs {
                    rules.blobs.target_blob_count = own.target;
                    rules.blobs.max_blob_count = own.max;
                    rules.blobs.update_fraction = own.update_fraction.into();
                }
            }
        }
        rules
    }
}

/// As a file tells it.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "\"headers\", \"mainnet\", \"sepolia\", \"holesky\", \"hoodi\", or a list of {fork, block or timestamp, and \
                 perhaps blobs = {target, max, update_fraction}}"
)]
enum Told {
    Named(String),
    Listed(Vec<Listed>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    fork: String,
    block: Option<u64>,
    timestamp: Option<u64>,
    blobs: Option<Blobs>,
}

impl TryFrom<Told> for Forks {
    type Error = String;

    fn try_from(told: Told) -> Result<Self, String> {
        let network: Vec<(EthereumHardfork, ForkCondition)> = match told {
            Told::Listed(listed) => {
                let forks: Result<_, _> = listed.into_iter().map(Fork::try_from).collect();
                return Ok(Self::Schedule(Schedule(forks?)));
            }
            Told::Named(name) => match name.as_str() {
                "headers" => return Ok(Self::Headers),
                "mainnet" => EthereumHardfork::mainnet().into(),
                "sepolia" => EthereumHardfork::sepolia().into(),
                "holesky" => EthereumHardfork::holesky().into(),
                "hoodi" => EthereumHardfork::hoodi().into(),
                other => return Err(format!("no network's forks are known as {other:?}")),
            },
        };
        let forks = network.into_iter().map(|(fork, begins)| Fork {
            fork,
            begins,
            blobs: None,
        });
        Ok(Self::Schedule(Schedule(forks.collect())))
    }
}

impl TryFrom<Listed> for Fork {
    type Error = String;

    fn try_from(listed: Listed) -> Result<Self, String> {
        let fork = listed.fork.parse();
        let fork = fork.map_err(|_| format!("no fork is known as {:?}", listed.fork))?;
        let begins = match (listed.block, listed.timestamp) {
            (Some(number), None) => ForkCondition::Block(number),
            (None, Some(time)) => ForkCondition::Timestamp(time),
            _ => {
                let named = listed.fork;
                return Err(format!(
                    "{named}: either block or timestamp says when it began"
                ));
            }
        };
        if listed
            .blobs
            .is_some_and(|own| own.update_fraction == 0 || own.max < own.target || own.max > 1_024)
        {
            let named = listed.fork;
            return Err(format!(
                "{named}: blobs: update_fraction is not 0, max is no less than target and 1024 at most"
            ));
        }
        Ok(Self {
            fork,
            begins,
            blobs: listed.blobs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(toml: &str) -> Result<Schedule, String> {
        #[derive(Debug, Deserialize)]
        struct Spec {
            forks: Forks,
        }
        match toml::from_str::<Spec>(toml) {
            Ok(Spec {
                forks: Forks::Schedule(schedule),
            }) => Ok(schedule),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn mainnet_changes_its_rules_at_its_forks() {
        let mainnet = schedule("forks = 'mainnet'").unwrap();
        let fork = |number, timestamp| mainnet.at(number, timestamp).fork;
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
        let mainnet = schedule("forks = 'mainnet'").unwrap();
        let blobs = |timestamp| mainnet.at(24_000_000, timestamp).blobs;
        assert_eq!(blobs(1_764_798_551), BlobParams::osaka());
        assert_eq!(blobs(1_765_290_071), BlobParams::bpo1());
        assert_eq!(blobs(1_767_747_671), BlobParams::bpo2());
    }

    #[test]
    fn other_chains_are_known_by_their_headers() {
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
        fields.block_access_list_hash = true;
        assert_eq!(fork(fields), SpecId::AMSTERDAM);
    }

    #[test]
    fn a_list_of_forks_may_have_its_own_blobs() {
        let own = schedule(
            "forks = [{fork = 'london', block = 10},
                      {fork = 'Cancun', timestamp = 100, blobs = {target = 1, max = 2, update_fraction = 7}},
                      {fork = 'prague', timestamp = 200}]",
        )
        .unwrap();
        assert_eq!(own.at(9, 0).fork, SpecId::FRONTIER);
        assert_eq!(own.at(10, 99).fork, SpecId::LONDON);
        let cancun = own.at(10, 100);
        assert_eq!(cancun.fork, SpecId::CANCUN);
        assert_eq!(
            (cancun.blobs.target_blob_count, cancun.blobs.max_blob_count),
            (1, 2)
        );
        assert_eq!(cancun.blobs.update_fraction, 7);
        assert_eq!(own.at(10, 200).blobs, BlobParams::prague());
    }

    #[test]
    fn what_is_no_list_of_forks_is_refused() {
        for (wrong, said) in [
            ("forks = 'goerli'", "goerli"),
            ("forks = 1", "a list of {fork, block or timestamp"),
            ("forks = [{fork = 'london'}]", "either block or timestamp"),
            (
                "forks = [{fork = 'london', block = 1, timestamp = 1}]",
                "either block or timestamp",
            ),
            ("forks = [{fork = 'bronze', block = 1}]", "bronze"),
            (
                "forks = [{fork = 'cancun', block = 1, blobs = {target = 2, max = 1, update_fraction = 1}}]",
                "max is no less than target",
            ),
        ] {
            let error = schedule(wrong).unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
