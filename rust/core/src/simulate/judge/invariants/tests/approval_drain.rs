use super::assembler::*;
use super::*;
use crate::config::{MonitoredContract, WatchedAsset};
use alloy_consensus::crypto::secp256k1::{recover_signer, sign_message};
use alloy_primitives::B256;

const TOKEN: Address = Address::repeat_byte(0x70);
const OTHER: Address = Address::repeat_byte(0x07);
const ROUTER: Address = Address::repeat_byte(0x60);
const VAULT: Address = Address::repeat_byte(0x4a);

/// An alert goes out from here on, unless configured.
const DEFAULT: f32 = 0.7;

/// A router that users allow to move their tokens. `execute` calls whatever it is told to; `pull` moves what it is told;
/// `sell` moves the caller's.
fn world() -> World {
    let mut world = World::new();
    world.place(TOKEN, token());
    let moves = "transferFrom(address,address,uint256)";
    let pull = call(arg(0), moves, &[arg(1), arg(2), arg(3)]);
    let sell = call(arg(0), moves, &[caller(), myself(), arg(1)]);
    let fill = pull.clone().then(call(
        arg(4),
        "transfer(address,uint256)",
        &[arg(1), word(7)],
    ));
    world.place(OTHER, token());
    world.place(
        ROUTER,
        contract(
            &[
                ("fill(address,address,address,uint256,address)", fill),
                ("execute(address,bytes)", forward(arg(0), 100, 100)),
                ("pull(address,address,address,uint256)", pull),
                ("sell(address,uint256)", sell),
            ],
            nothing(),
        ),
    );
    world.place(VAULT, contract(&[], nothing()));
    world.store(OTHER, of(ROUTER), U256::from(1_000));
    for holder in [ALICE, VAULT, MALLORY] {
        let holder = U256::from_be_slice(holder.as_slice());
        world.store(TOKEN, holder, U256::from(1_000));
    }
    world
}

fn of(account: Address) -> U256 {
    U256::from_be_slice(account.as_slice())
}

fn router() -> MonitoredContract {
    MonitoredContract {
        name: "Router".into(),
        address: ROUTER,
        ..MonitoredContract::default()
    }
}

fn execute(owner: Address) -> Bytes {
    let inner = encode(
        "transferFrom(address,address,uint256)",
        &[of(owner), of(MALLORY), U256::from(900)],
    );
    let head = encode(
        "execute(address,bytes)",
        &[of(TOKEN), U256::from(64), U256::from(inner.len())],
    );
    [head, inner].concat().into()
}

#[test]
fn a_call_that_the_caller_hands_over_and_that_moves_another_users_tokens_alarms() {
    let found = world().judge(MALLORY, ROUTER, 0, execute(ALICE), router());
    let drain = named(&found, "approval_drain").expect("fires");
    assert!(judge(&found).alarm);
    let losses = [(Asset::Token(TOKEN), U256::from(900))];
    assert_eq!(drain.losses, losses);
    for said in ["900 units", &ALICE.to_string(), "handed over whole"] {
        assert!(drain.explanation.contains(said), "{}", drain.explanation);
    }
}

#[test]
fn the_callers_own_tokens_may_be_moved_by_any_call() {
    let found = world().judge(MALLORY, ROUTER, 0, execute(MALLORY), router());
    assert_eq!(found, []);
    let sell = encode("sell(address,uint256)", &[of(TOKEN), U256::from(900)]);
    assert_eq!(world().judge(ALICE, ROUTER, 0, sell, router()), []);
}

#[test]
fn an_owner_named_among_the_arguments_is_a_weaker_sign() {
    let words = [of(TOKEN), of(ALICE), of(MALLORY), U256::from(5)];
    let pull = encode("pull(address,address,address,uint256)", &words);
    let found = world().judge(MALLORY, ROUTER, 0, pull, router());
    let drain = named(&found, "approval_drain").expect("fires");
    assert!(!drain.severe && judge(&found).probability < 0.7);
}

#[test]
fn who_gets_another_asset_for_it_had_perhaps_an_order_there() {
    let weight = |paid_in| {
        let words = [
            of(TOKEN),
            of(ALICE),
            of(MALLORY),
            U256::from(9),
            of(paid_in),
        ];
        let fill = encode("fill(address,address,address,uint256,address)", &words);
        let found = world().judge(MALLORY, ROUTER, 0, fill, router());
        let drain = named(&found, "approval_drain").expect("fires");
        assert_eq!(
            drain.explanation.contains("gets something for it"),
            paid_in == OTHER
        );
        drain.weight
    };
    assert!(weight(OTHER) < weight(TOKEN));
    // What it is paid with is not its own.
    let mut world = world();
    world.store(OTHER, of(ALICE), U256::from(9));
    let moves = "transferFrom(address,address,uint256)";
    let own = call(arg(0), moves, &[arg(1), arg(2), arg(3)]).then(call(
        arg(4),
        moves,
        &[arg(1), arg(1), word(7)],
    ));
    world.place(
        ROUTER,
        contract(
            &[("fill(address,address,address,uint256,address)", own)],
            nothing(),
        ),
    );
    let words = [of(TOKEN), of(ALICE), of(MALLORY), U256::from(9), of(OTHER)];
    let fill = encode("fill(address,address,address,uint256,address)", &words);
    let found = world.judge(MALLORY, ROUTER, 0, fill, router());
    let drain = named(&found, "approval_drain").expect("fires");
    assert!(!drain.explanation.contains("gets something for it"));
}

#[test]
fn who_is_paid_with_a_token_that_was_made_for_it_ordered_none() {
    let mut world = world();
    let made = copy_of(OTHER, token().len());
    let words = [
        account(TOKEN),
        account(ALICE),
        account(MALLORY),
        word(900),
        made,
    ];
    let robs = call(
        account(ROUTER),
        "fill(address,address,address,uint256,address)",
        &words,
    );
    let helper = Address::repeat_byte(0xe1);
    world.place(helper, contract(&[("rob()", robs)], nothing()));
    let found = world.judge(MALLORY, helper, 0, encode("rob()", &[]), router());
    let drain = named(&found, "approval_drain").expect("fires");
    assert!(
        drain.explanation.contains("made for this"),
        "{}",
        drain.explanation
    );
    let judgement = judge(&found);
    assert!(
        judgement.alarm && judgement.probability >= DEFAULT,
        "{judgement:?}"
    );
    // The same, paid with what was there before.
    let words = [TOKEN, ALICE, MALLORY].map(of);
    let fill = encode(
        "fill(address,address,address,uint256,address)",
        &[&words[..], &[U256::from(900), of(OTHER)]].concat(),
    );
    let found = world.judge(MALLORY, ROUTER, 0, fill, router());
    assert!(judge(&found).probability < DEFAULT, "{found:?}");
}

#[test]
fn what_a_contract_allowed_a_careless_router_is_taken_from_the_contract() {
    let mut vault = MonitoredContract {
        name: "Vault".into(),
        address: VAULT,
        assets: vec![WatchedAsset::Token(TOKEN)],
        ..MonitoredContract::default()
    };
    let found = world().judge(MALLORY, ROUTER, 0, execute(VAULT), vault.clone());
    assert!(named(&found, "approval_drain").is_some_and(|drain| drain.severe));
    // To where it may go, it may be pulled.
    vault.receivers = vec![MALLORY];
    assert_eq!(world().judge(MALLORY, ROUTER, 0, execute(VAULT), vault), []);
}

#[test]
fn a_settlement_fills_what_its_owner_signed_and_nothing_else() {
    const SETTLE: &str = "settle(bytes32,uint256,bytes32,bytes32,address,address,address,uint256)";
    let order = keccak256("sell 900 for what it is worth");
    let sign = |key: u8| sign_message(B256::repeat_byte(key), order).expect("signs");
    let owner = recover_signer(&sign(7), order).expect("its own");
    let moves = "transferFrom(address,address,uint256)";
    let settle = look(signer(arg(0), arg(1), arg(2), arg(3))).then(call(
        arg(4),
        moves,
        &[arg(5), arg(6), arg(7)],
    ));
    let mut world = world();
    world.place(ROUTER, contract(&[(SETTLE, settle)], nothing()));
    world.store(TOKEN, of(owner), U256::from(1_000));
    let fires = |key: u8| {
        let signature = sign(key);
        let words = [
            order.into(),
            U256::from(27 + u64::from(signature.v())),
            signature.r(),
            signature.s(),
            of(TOKEN),
            of(owner),
            of(MALLORY),
            U256::from(900),
        ];
        let found = world.judge(MALLORY, ROUTER, 0, encode(SETTLE, &words), router());
        named(&found, "approval_drain").is_some()
    };
    assert!(!fires(7));
    // Another's signature is none of the owner's.
    assert!(fires(8));
}
