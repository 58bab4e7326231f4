use super::assembler::*;
use super::*;
use crate::config::{ContractViews, MonitoredContract, WatchedAsset};

const TOKEN: Address = Address::repeat_byte(0x70);
const VAULT: Address = Address::repeat_byte(0x4a);

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
        .then(returns(load(word(2))));
    world.place(
        VAULT,
        contract(
            &[
                ("deposit(uint256,address)", deposit),
                ("totalAssets()", held().then(returns(answer()))),
                ("totalSupply()", returns(load(word(0)))),
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
        &[U256::from(amount), U256::from(1)],
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

#[test]
fn a_deposit_that_gets_no_share_is_told() {
    let mut world = world(1);
    world.call(MALLORY, TOKEN, 0, donate(50_000));
    let found = world.judge(ALICE, VAULT, 0, deposit(40_000), vault());
    let donation = named(&found, "donation").expect("fires");
    assert!(
        donation.explanation.contains("no share at all"),
        "{}",
        donation.explanation
    );
}
