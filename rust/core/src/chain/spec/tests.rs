use super::*;
use crate::chain::Head;
use alloy_primitives::B256;
use revm::primitives::hardfork::SpecId;

fn load(text: &str) -> Result<Arc<ChainSpec>, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let loaded = ChainSpec::load(7, Some(file.path()));
    loaded.map_err(|error| {
        let name = file.path().display().to_string();
        assert!(error.to_string().contains(&name), "{error}");
        assert!(error.is_config(), "{error}");
        error.to_string()
    })
}

const LEAST: &str = "id = 7\nname = 'Seven'\nnative = 'SVN'\nblock_time_ms = 2000\n";

#[test]
fn every_spec_that_comes_along_is_read_and_no_two_are_of_one_chain() {
    let specs = BUILT_IN.map(|text| ChainSpec::parse(text).unwrap());
    let mut ids = specs.map(|spec| {
        assert_eq!(ChainSpec::of(spec.id).name, spec.name);
        spec.id
    });
    ids.sort_unstable();
    assert_eq!(
        ids,
        [1, 56, 137, 8_453, 17_000, 42_161, 560_048, 11_155_111]
    );
}

#[test]
fn a_chain_without_a_spec_is_as_ethereum_but_for_its_forks() {
    let (unknown, ethereum) = (ChainSpec::unknown(31_337), ChainSpec::of(1));
    assert!(matches!(unknown.forks, Forks::Headers));
    assert_eq!(unknown.base_fee, ethereum.base_fee);
    assert_eq!(unknown.block_time_ms, ethereum.block_time_ms);
    assert_eq!(unknown.builder, ethereum.builder);
    assert_eq!(unknown.transaction_types, ethereum.transaction_types);
    assert_eq!(unknown.native, ethereum.native);
    assert_eq!(ethereum.blocks_a_day(), 7_200);
}

#[test]
fn a_spec_of_the_users_stands_for_the_chains_own() {
    let spec = load(LEAST).unwrap();
    assert_eq!((spec.id, spec.native.as_str()), (7, "SVN"));
    assert!(spec.public_pool);
    assert_eq!(spec.base_fee, None);
    assert_eq!(spec.blocks_a_day(), 43_200);
}

#[test]
fn what_is_wrong_with_a_spec_is_said_with_its_file_and_key() {
    let of_another = LEAST.replace("id = 7", "id = 8");
    for (text, said) in [
        ("", "missing field `id`"),
        ("id = 'one'", "id = 'one'"),
        (of_another.as_str(), "id is 8, but chain.id is 7"),
        (&format!("{LEAST}blok_time = 1"), "blok_time"),
        (&LEAST.replace("2000", "0"), "block_time_ms: between"),
        (&LEAST.replace("SVN", ""), "native: 1 to 12"),
        (
            &LEAST.replace("SVN", "a\\u0007").replace('\'', "\""),
            "native: 1 to 12",
        ),
        (
            &format!("{LEAST}transaction_types = []"),
            "transaction_types: one",
        ),
        (&format!("{LEAST}transaction_types = [300]"), "300"),
        (&format!("{LEAST}builder = '0x12'"), "builder = '0x12'"),
        (&format!("{LEAST}forks = 'moon'"), "moon"),
        (
            &format!("{LEAST}base_fee = {{elasticity = 0, denominator = 8}}"),
            "base_fee: elasticity",
        ),
        (
            &format!("{LEAST}base_fee = {{elasticity = 2, denominator = 0}}"),
            "base_fee: elasticity",
        ),
        (
            &format!("{LEAST}base_fee = {{elasticity = 2}}"),
            "denominator",
        ),
    ] {
        let error = load(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
    let absent = ChainSpec::load(7, Some(Path::new("/absent/seven.toml")));
    assert!(
        absent
            .unwrap_err()
            .to_string()
            .contains("/absent/seven.toml")
    );
}

#[test]
fn the_next_base_fee_is_by_the_chains_rule() {
    let full = Head {
        number: 1,
        hash: B256::ZERO,
        parent: B256::ZERO,
        timestamp: 0,
        base_fee: Some(64_000),
        gas_used: 30_000_000,
        gas_limit: 30_000_000,
        seen_ms: 0,
    };
    for (chain, next) in [
        (1, 72_000),
        (31_337, 72_000),
        (137, 65_000),
        (42_161, 64_000),
        (56, 64_000),
    ] {
        assert_eq!(full.next_base_fee(&ChainSpec::of(chain)), next, "{chain}");
    }
    let free = Head {
        base_fee: Some(0),
        ..full.clone()
    };
    assert_eq!(
        free.next_base_fee(&ChainSpec::of(56)),
        0,
        "and not the least rise"
    );
    let before_london = Head {
        base_fee: None,
        ..full
    };
    assert_eq!(before_london.next_base_fee(&ChainSpec::of(1)), 0);
}

#[test]
fn blocks_come_as_the_last_one_came_within_what_is_usual() {
    let next = |chain, before| ChainSpec::of(chain).next_timestamp(1_000, before);
    for chain in [1, 31_337] {
        assert_eq!(next(chain, None), 1_012);
        assert_eq!(next(chain, Some(999)), 1_001);
        assert_eq!(next(chain, Some(1_000)), 1_001);
        assert_eq!(next(chain, Some(976)), 1_012, "a slot was missed");
        assert_eq!(next(chain, Some(2_000)), 1_001);
    }
    assert_eq!(next(137, None), 1_002);
    assert_eq!(next(56, None), 1_001);
    assert_eq!(next(56, Some(1_000)), 1_000, "two in one second");
    assert_eq!(ChainSpec::of(1).next_timestamp(u64::MAX, None), u64::MAX);
}

#[test]
fn rules_come_from_the_schedule_where_headers_cannot_tell() {
    let plain = HeaderFields {
        base_fee: true,
        ..HeaderFields::default()
    };
    let fork = |chain, number, timestamp| ChainSpec::of(chain).rules(number, timestamp, plain).fork;
    assert_eq!(fork(31_337, 90_000_000, 1_790_000_000), SpecId::MERGE);
    assert_eq!(fork(56, 90_000_000, 1_790_000_000), SpecId::MERGE);
    assert_eq!(fork(137, 73_440_255, 1_790_000_000), SpecId::CANCUN);
    assert_eq!(fork(137, 73_440_256, 1_790_000_000), SpecId::PRAGUE);
    assert_eq!(fork(42_161, 1, 1_750_201_532), SpecId::PRAGUE);
    assert_eq!(fork(1, 1_150_000, 0), SpecId::HOMESTEAD);
}
