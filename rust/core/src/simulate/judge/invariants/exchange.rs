//! Whether what came in is worth what left, as a market's own formula has it.

use super::case::Case;
use super::entries::{account, ancestors};
use super::knowledge::{is_known, names};
use super::shortfalls::{MAX_ASSETS, Shortfall, held_before};
use super::{dust, orders, words};
use crate::evidence::transfers::{Asset, Transfer};
use crate::simulate::evm::views::When;
use alloy_primitives::{Address, Bytes, U256, address, hex};

/// What a trade may cost the pool: the product of its balances' changes, as a constant product has it.
const FAIR: f64 = 0.99;
/// How far a trade's price may lie outside the prices before and after it: fees and rounding.
const SPREAD: f64 = 0.02;
/// `getReserves()`, `slot0()`, `get_virtual_price()`
const GET_RESERVES: [u8; 4] = hex!("0902f1ac");
const SLOT0: [u8; 4] = hex!("3850c7bd");
const VIRTUAL_PRICE: [u8; 4] = hex!("bb7b8b80");
/// Which coins a pool of coins of one value has, and how much of each it believes to have, by number: `coins(uint256)` and
/// `balances(uint256)`, the same of `int128`, `getToken(uint8)` and `getTokenBalance(uint8)`.
const COINS: [[[u8; 4]; 2]; 3] = [
    [hex!("c6610657"), hex!("4903b0d1")],
    [hex!("23746eb8"), hex!("065a80d8")],
    [hex!("82b86600"), hex!("91ceb3eb")],
];
/// Such a pool has no more.
const MAX_COINS: u64 = 8;
/// What stands for ether among its coins.
const ETHER: Address = address!("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
/// `token0()`, `token1()`
const TOKEN0: [u8; 4] = hex!("0dfe1681");
const TOKEN1: [u8; 4] = hex!("d21220a7");
/// Of what the price before made due, the least that a trade of one's own brings: fees, and how far it moves the price.
const TRADED: f64 = 0.95;
/// How far one trade may move the price for its own to be judged by that.
const MOST_MOVED: f64 = 100.0;
/// A root of a price, times this, is what `slot0()` tells first.
const Q96: f64 = 79_228_162_514_264_337_593_543_950_336.0;

pub(super) fn fair(case: &Case, loss: &Shortfall) -> bool {
    wrapped(case, loss)
        || constant_product(case, loss)
        || reserves_kept(case, loss)
        || concentrated(case)
        || stable(case, loss)
        || traded(case, loss)
}

/// Ether for as much of a token that the contract named before, from the token itself, or the other way: one is the other.
/// Who is not named may give for ether what is worth nothing.
fn wrapped(case: &Case, loss: &Shortfall) -> bool {
    let contract = case.contract.address;
    let sum = |asset: Asset, from: Address, to: Address| {
        let moved = case.effects.transfers.iter();
        let moved = moved.filter(|one| one.asset == asset && one.from == from && one.to == to);
        moved.fold(U256::ZERO, |sum, one| sum.saturating_add(one.amount))
    };
    let (token, came) = match loss.asset {
        Asset::Native => {
            let token = loss.receiver;
            (token, sum(Asset::Token(token), Address::ZERO, contract))
        }
        Asset::Token(token) if sum(loss.asset, contract, Address::ZERO) >= loss.amount => {
            (token, sum(Asset::Native, token, contract))
        }
        _ => return false,
    };
    let gained = match loss.asset {
        Asset::Native => Asset::Token(token),
        _ => Asset::Native,
    };
    let kept = case.gains().iter().find(|(asset, _)| *asset == gained);
    let trusted = || case.contract.assets.contains(&Asset::Token(token)) || names(case, token);
    came >= loss.amount && kept.is_some_and(|(_, gain)| *gain >= loss.amount) && trusted()
}

/// What came in with the call that pays makes up for what left, by the measure of a constant product. A gift beside it is
/// none of the price.
fn constant_product(case: &Case, loss: &Shortfall) -> bool {
    let kept = case.shortfalls.iter().map(|loss| Some(1.0 - loss.share()?));
    let Some(kept) = kept.product::<Option<f64>>() else {
        return false;
    };
    let paying = loss.paying(case.effects, &case.entries);
    let contract = case.contract.address;
    let with_it = |asset: Asset| {
        let transfers = case.effects.transfers.iter();
        let came = transfers.filter(|one| one.to == contract && one.asset == asset);
        let came = came.filter(|one| {
            let entry = case.entries.inside(one.frame);
            entry.is_some_and(|entry| paying.contains(&entry)) && brought(case, one)
        });
        came.fold(U256::ZERO, |sum, one| sum.saturating_add(one.amount))
    };
    // Who is paid may be a token, too, and say that he brings of it.
    let known = case.gains().iter().take(MAX_ASSETS);
    let known = known.filter(|(asset, _)| is_known(case, *asset));
    let grown = known.map(|(asset, gain)| (*asset, *gain.min(&with_it(*asset))));
    let grown: f64 = grown
        .map(|(asset, gain)| {
            let before = held_before(case.effects, asset);
            // Of dust twice as much is dust, and would make up for half of anything.
            let before = before.filter(|before| !dust::is_dust(case, asset, *before));
            1.0 + before.map_or(0.0, |before| words::share(gain, before))
        })
        .product();
    kept * grown >= FAIR
}

/// Whether the contract was sent it with a call, or moves it itself: what whoever is paid adds of himself is no price. A token
/// that the contract names may be minted to it by what it calls.
pub(super) fn brought(case: &Case, moved: &Transfer) -> bool {
    let contract = case.contract.address;
    let frames = &case.effects.execution.trace.frames;
    match moved.asset {
        Asset::Native => {
            let frame = &frames[moved.frame as usize];
            frame.from == contract || case.entries.inside(moved.frame) == Some(moved.frame)
        }
        Asset::Token(token) | Asset::Unique(token, _) => {
            let mut of_token = ancestors(frames, moved.frame);
            let asked = of_token.find(|frame| frame.from != token);
            let asked = asked.filter(|frame| frame.from == contract);
            let asked = asked.filter(|frame| account(frame) == Some(token));
            asked.is_some_and(|frame| {
                orders::moves(frame, moved) || moved.from.is_zero() && names(case, token)
            })
        }
    }
}

/// A pool that is paid beforehand goes by the reserves that it wrote down, and has them: what is drained past its books
/// leaves these as they were.
fn reserves_kept(case: &Case, loss: &Shortfall) -> bool {
    let contract = case.contract.address;
    let reserves = |when| {
        let call = Bytes::from_static(&GET_RESERVES);
        let answer = case.effects.views.ask(when, contract, &call)?;
        let word = |n: usize| Some(U256::from_be_slice(answer.get(32 * n..32 * n + 32)?));
        Some([word(0)?, word(1)?])
    };
    let (Some(before), Some(after)) = (reserves(When::Before), reserves(When::After)) else {
        return false;
    };
    let product = |[first, second]: [U256; 2]| f64::from(first) * f64::from(second);
    let token = |selector| {
        let token = case.ask(When::After, selector)?;
        Some(Address::from_word(token.into()))
    };
    let (Some(first), Some(second)) = (token(&TOKEN0), token(&TOKEN1)) else {
        return false;
    };
    product(before) > 0.0
        && product(after) >= FAIR * product(before)
        && !case.gains().is_empty()
        && [first, second].map(Asset::Token).contains(&loss.asset)
        && has_after(case, first, after[0])
        && has_after(case, second, after[1])
}

/// Whether the contract has about as much of a token afterwards as it believes.
fn has_after(case: &Case, token: Address, believed: U256) -> bool {
    let contract = case.contract.address;
    let has = match token {
        ETHER => case.own().map(|own| own.balance_after()),
        _ => case.effects.views.balance(When::After, token, contract),
    };
    has.is_some_and(|has| f64::from(has) >= FAIR * f64::from(believed))
}

/// A pool of concentrated liquidity trades between the price before and the price after, whatever it holds.
fn concentrated(case: &Case) -> bool {
    let gains = case.gains();
    let ([loss], [(bought, gain)]) = (case.shortfalls.as_slice(), gains) else {
        return false;
    };
    let (Asset::Token(sold), Asset::Token(bought)) = (loss.asset, *bought) else {
        return false;
    };
    let price = |when| {
        let root = case.ask(when, &SLOT0)?;
        let price = (f64::from(root) / Q96).powi(2);
        (price.is_finite() && price > 0.0).then_some(price)
    };
    let (Some(before), Some(after)) = (price(When::Before), price(When::After)) else {
        return false;
    };
    // Prices are of the lower token in the higher one.
    let paid = match sold < bought {
        true => words::share(*gain, loss.amount),
        false => words::share(loss.amount, *gain),
    };
    let (least, most) = (before.min(after), before.max(after));
    // A price that went through nothing at all fits whatever was paid.
    most < MOST_MOVED * least && (least * (1.0 - SPREAD)..=most * (1.0 + SPREAD)).contains(&paid)
}

/// The contract sold to a pool that it named before, at about the price that the pool had before: nobody made that price for
/// this transaction, and no stranger stands on the other side.
fn traded(case: &Case, loss: &Shortfall) -> bool {
    let gains = case.gains();
    let ([_], [(Asset::Token(bought), gain)], Asset::Token(sold)) =
        (case.shortfalls.as_slice(), gains, loss.asset)
    else {
        return false;
    };
    let (contract, pool) = (case.contract.address, loss.receiver);
    if !names(case, pool) {
        return false;
    }
    let only = |asset: Asset, inward: bool| {
        let moved = case.effects.transfers.iter();
        let mut moved = moved.filter(|one| one.asset == asset);
        moved.all(|one| match inward {
            true => one.to != contract || one.from == pool,
            false => one.from != contract || one.to == pool,
        })
    };
    let reserves = |token: &[u8; 4], n: usize| {
        let views = case.effects.views;
        let call = Bytes::copy_from_slice(token);
        let of = views.number(When::Before, pool, &call)?;
        let answer = views.ask(When::Before, pool, &Bytes::from_static(&GET_RESERVES))?;
        let reserve = U256::from_be_slice(answer.get(32 * n..32 * n + 32)?);
        Some((Address::from_word(of.into()), reserve))
    };
    let (Some(first), Some(second)) = (reserves(&TOKEN0, 0), reserves(&TOKEN1, 1)) else {
        return false;
    };
    let (of_sold, of_bought) = match first.0 == sold {
        true => (first, second),
        false => (second, first),
    };
    if (of_sold.0, of_bought.0) != (sold, *bought) || of_sold.1.is_zero() {
        return false;
    }
    let due = words::share(of_bought.1, of_sold.1) * f64::from(loss.amount);
    only(loss.asset, false) && only(Asset::Token(*bought), true) && f64::from(*gain) >= TRADED * due
}

/// A pool of coins of one value: what stands behind a share did not fall, and is there.
fn stable(case: &Case, loss: &Shortfall) -> bool {
    let price = |when| case.ask(when, &VIRTUAL_PRICE);
    let (Some(before), Some(after)) = (price(When::Before), price(When::After)) else {
        return false;
    };
    !before.is_zero() && after >= before && !case.gains().is_empty() && has_its_coins(case, loss)
}

/// Of each coin that a pool tells, it has as much afterwards as it says; and what left is one of them.
fn has_its_coins(case: &Case, loss: &Shortfall) -> bool {
    let contract = case.contract.address;
    let ask = |selector: [u8; 4], n: u64| {
        let call = [&selector[..], &U256::from(n).to_be_bytes::<32>()].concat();
        let views = case.effects.views;
        views.number(When::After, contract, &call.into())
    };
    let kind = COINS
        .iter()
        .find(|[coin, balance]| ask(*coin, 0).is_some() && ask(*balance, 0).is_some());
    let Some([coin, balance]) = kind else {
        return false;
    };
    let mut is_coin = false;
    for n in 0..MAX_COINS {
        let Some(token) = ask(*coin, n).filter(|token| !token.is_zero()) else {
            break;
        };
        let token = Address::from_word(token.into());
        if !ask(*balance, n).is_some_and(|believed| has_after(case, token, believed)) {
            return false;
        }
        is_coin |= match token {
            ETHER => loss.asset == Asset::Native,
            _ => loss.asset == Asset::Token(token),
        };
    }
    is_coin
}
