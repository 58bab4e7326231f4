use super::assembler::*;
use super::*;
use crate::config::{ContractViews, MonitoredContract, WatchedAsset};

const TOKEN: Address = Address::repeat_byte(0x70);
const VAULT: Address = Address::repeat_byte(0x4a);
const BOB: Address = Address::repeat_byte(0xb0);

fn vault() -> MonitoredContract {
    MonitoredContract {
        name: "Vault".into(),
        address: VAULT,
        assets: vec![WatchedAsset::Token(TOKEN)],
        views: ContractViews {
            total_assets: Some("totalAssets()".into()),
            total_supply: Some("totalSupply()".into()),
            ..ContractViews::default()
        },
        ..MonitoredContract::default()
    }
}

/// A vault whose shares are worth what it holds, with `supply` shares and as many tokens.
fn world(supply: u64) -> World {
    let mut world = World::new();
    world.place(TOKEN, token());
    let held = || ask(account(TOKEN), "balanceOf(address)", &[myself()]);
    let shares = || div(mul(arg(0), load(word(0))), load(word(1)));
    // The assets before are kept in slot 1, because the pull overwrites the answer.
    let deposit = held()
        .then(store(word(1), answer()))
        .then(call(
            account(TOKEN),
            "transferFrom(address,address,uint256)",
            &[caller(), myself(), arg(0)],
        ))
        .then(store(word(2), shares()))
        .then(store(word(0), add(load(word(0)), load(word(2)))))
        .then(store(arg(1), add(load(arg(1)), load(word(2)))))
        .then(returns(load(word(2))));
    world.place(
        VAULT,
        contract(
            &[
                ("deposit(uint256,address)", deposit),
                ("totalAssets()", held().then(returns(answer()))),
                ("totalSupply()", returns(load(word(0)))),
                ("balanceOf(address)", returns(load(arg(0)))),
            ],
            nothing(),
        ),
    );
    let of = |account: Address| U256::from_be_slice(account.as_slice());
    world.store(VAULT, U256::ZERO, U256::from(supply));
    world.store(TOKEN, of(VAULT), U256::from(supply));
    world.store(TOKEN, of(MALLORY), U256::from(100_000));
    world.store(TOKEN, of(ALICE), U256::from(100_000));
    world
}

fn donate(amount: u64) -> Bytes {
    let vault = U256::from_be_slice(VAULT.as_slice());
    encode("transfer(address,uint256)", &[vault, U256::from(amount)])
}

fn deposit(amount: u64) -> Bytes {
    encode(
        "deposit(uint256,address)",
        &[U256::from(amount), U256::from_be_slice(BOB.as_slice())],
    )
}

#[test]
fn a_gift_that_makes_one_share_worth_a_fortune_alarms() {
    let found = world(1).judge(MALLORY, TOKEN, 0, donate(50_000), vault());
    let donation = named(&found, "donation").expect("fires");
    assert!(judge(&found).alarm);
    assert!(
        donation.explanation.contains("each of its 1 shares"),
        "{}",
        donation.explanation
    );
}

#[test]
fn a_gift_to_a_vault_with_many_shares_and_an_honest_first_deposit_are_silent() {
    let many = world(50_000_000);
    assert_eq!(many.judge(MALLORY, TOKEN, 0, donate(50_000), vault()), []);
    let first = world(1).judge(MALLORY, VAULT, 0, deposit(50_000), vault());
    assert_eq!(first, []);
}

/// Monitored by its address alone.
fn bare() -> MonitoredContract {
    MonitoredContract {
        name: "Vault".into(),
        address: VAULT,
        ..MonitoredContract::default()
    }
}

#[test]
fn a_gift_alarms_without_any_configuration_and_whatever_assets_are_given() {
    let native = MonitoredContract {
        assets: vec![WatchedAsset::Native],
        ..bare()
    };
    for contract in [bare(), native] {
        let found = world(1).judge(MALLORY, TOKEN, 0, donate(50_000), contract.clone());
        assert!(named(&found, "donation").is_some_and(|found| found.severe));
        let many = world(50_000_000);
        assert_eq!(many.judge(MALLORY, TOKEN, 0, donate(50_000), contract), []);
    }
}

#[test]
fn a_gift_that_changes_no_price_and_earnings_of_a_vault_in_use_are_silent() {
    // Earnings of a fifth, in a vault with few shares.
    let few = world(50_000);
    assert_eq!(few.judge(MALLORY, TOKEN, 0, donate(10_000), bare()), []);
    // Something else than what stands behind its shares.
    let mut other = world(1);
    let coin = other.place(Address::repeat_byte(0xc0), token());
    let of = |who: Address| U256::from_be_slice(who.as_slice());
    other.store(coin, of(MALLORY), U256::from(100_000));
    assert_eq!(other.judge(MALLORY, coin, 0, donate(50_000), bare()), []);
    // A contract without shares.
    let mut none = world(1);
    none.place(VAULT, contract(&[], nothing()));
    assert_eq!(none.judge(MALLORY, TOKEN, 0, donate(50_000), bare()), []);
}

#[test]
fn few_shares_may_become_dear_where_each_is_worth_dust_all_the_same() {
    let mut world = world(50_000);
    let decimals = contract(
        &[
            ("decimals()", returns(word(18))),
            ("balanceOf(address)", returns(load(arg(0)))),
            (
                "transfer(address,uint256)",
                moved(caller, || arg(0), || arg(1)),
            ),
        ],
        nothing(),
    );
    world.place(TOKEN, decimals);
    assert_eq!(world.judge(MALLORY, TOKEN, 0, donate(99_000), bare()), []);
    let of = |who: Address| U256::from_be_slice(who.as_slice());
    let fortune = U256::from(1_000) * U256::from(ETHER);
    world.store(TOKEN, of(MALLORY), fortune);
    let gift = encode("transfer(address,uint256)", &[of(VAULT), fortune]);
    let found = world.judge(MALLORY, TOKEN, 0, gift, bare());
    assert!(named(&found, "donation").is_some_and(|found| found.severe));
}

#[test]
fn a_deposit_that_gets_no_share_alarms_and_proves_nothing() {
    let mut world = world(1);
    world.call(MALLORY, TOKEN, 0, donate(50_000));
    for contract in [vault(), bare()] {
        let found = world.judge(ALICE, VAULT, 0, deposit(40_000), contract);
        let donation = named(&found, "donation").expect("fires");
        assert!(judge(&found).alarm && !donation.severe);
        assert_eq!(donation.losses, [(Asset::Token(TOKEN), U256::from(40_000))]);
        let said = donation.explanation.contains("no share at all");
        assert!(said, "{}", donation.explanation);
        // Enough for a share, it is none.
        let found = world.judge(ALICE, VAULT, 0, deposit(60_000), bare());
        assert_eq!(found, []);
    }
}

#[test]
fn a_deposit_of_dust_and_one_that_answers_something_else_are_silent() {
    let of = |who: Address| U256::from_be_slice(who.as_slice());
    let mut dust = world(1);
    dust.store(TOKEN, of(VAULT), U256::from(90_000_000));
    assert_eq!(dust.judge(ALICE, VAULT, 0, deposit(80), bare()), []);
    // It answers that all is well; a stake; nothing at all.
    let pulls = || {
        let moves = "transferFrom(address,address,uint256)";
        call(account(TOKEN), moves, &[caller(), myself(), arg(0)])
    };
    let gives = || store(caller(), add(load(caller()), arg(0)));
    let stakes = || {
        let stake = || entry(caller(), word(9));
        store(stake(), add(load(stake()), arg(0)))
    };
    let balance = || ("balanceOf(address)", returns(load(arg(0))));
    let check = |functions: &[(&str, Asm)]| {
        let mut world = world(1);
        world.place(VAULT, contract(functions, nothing()));
        let deposit = encode("deposit(uint256)", &[U256::from(40_000)]);
        world.judge(ALICE, VAULT, 0, deposit, bare())
    };
    let deposit = |body: Asm| ("deposit(uint256)", pulls().then(body));
    let well = || returns(word(0));
    assert_eq!(check(&[deposit(gives().then(well())), balance()]), []);
    assert_eq!(check(&[deposit(stakes().then(well())), balance()]), []);
    assert_eq!(check(&[deposit(nothing()), balance()]), []);
    assert_eq!(check(&[deposit(well())]), []);
    // Who has nothing of it afterwards was told the truth.
    let found = check(&[deposit(well()), balance()]);
    assert!(named(&found, "donation").is_some());
}
