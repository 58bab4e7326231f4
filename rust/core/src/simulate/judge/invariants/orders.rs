//! What a call has a token move.

use crate::evidence::trace::{CallKind, Frame};
use crate::evidence::transfers::{Asset, Transfer};
use alloy_primitives::{Address, U256, hex};

/// `transfer(address,uint256)`
const TRANSFER: [u8; 4] = hex!("a9059cbb");
/// `transferFrom(address,address,uint256)`, `safeTransferFrom(address,address,uint256)`, the same with `bytes`
const TRANSFER_FROM: [u8; 4] = hex!("23b872dd");
const SAFE_TRANSFER_FROM: [u8; 4] = hex!("42842e0e");
const SAFE_TRANSFER_FROM_WITH: [u8; 4] = hex!("b88d4fde");
/// `burn(uint256)`, `withdraw(uint256)` of wrapped ether
const BURN: [u8; 4] = hex!("42966c68");
const WITHDRAW: [u8; 4] = hex!("2e1a7d4d");
/// `burn(address,uint256)`, `burnFrom(address,uint256)`
const BURN_OF: [u8; 4] = hex!("9dc29fac");
const BURN_FROM: [u8; 4] = hex!("79cc6790");

/// Whether a call of a token asks for this very movement: from whom, to whom, which one, and no less than it moves.
pub(super) fn moves(frame: &Frame, moved: &Transfer) -> bool {
    let Some((selector, arguments)) = frame.input.split_first_chunk::<4>() else {
        return false;
    };
    let word = |n: usize| arguments.get(32 * n..32 * n + 32).map(U256::from_be_slice);
    let is = |n: usize, account: Address| {
        word(n).is_some_and(|word| Address::from_word(word.into()) == account)
    };
    let own = frame.from == moved.from;
    let (between, amount) = match *selector {
        TRANSFER => (own && is(0, moved.to), word(1)),
        TRANSFER_FROM | SAFE_TRANSFER_FROM | SAFE_TRANSFER_FROM_WITH => {
            (is(0, moved.from) && is(1, moved.to), word(2))
        }
        BURN | WITHDRAW => (own && moved.to.is_zero(), word(0)),
        BURN_OF | BURN_FROM => (is(0, moved.from) && moved.to.is_zero(), word(1)),
        _ => return false,
    };
    let fits = |asked: U256| match moved.asset {
        Asset::Unique(_, number) => asked == number,
        _ => asked >= moved.amount,
    };
    frame.kind == CallKind::Call && between && amount.is_some_and(fits)
}
