//! What selectors and addresses take part in: withdrawals, flash loans, markets, credit. Fixed: features are made of it, so
//! that a change here raises the feature schema's version.

use alloy_primitives::Address;
use hashbrown::{HashMap, HashSet};
use std::sync::LazyLock;

/// address,name,kind of well-known contracts on Ethereum mainnet; the features know these on every chain, since the models were
/// trained so.
const ADDRESSES: &str = include_str!("../../data/addresses.csv");

/// What a selector, or the selectors in a contract's code, take part in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    pub const WITHDRAWAL: Roles = Roles(1);
    pub const TOKEN_CALLBACK: Roles = Roles(2);
    pub const FLASH_LOAN: Roles = Roles(4);
    pub const FLASH_CALLBACK: Roles = Roles(8);
    pub const MARKET: Roles = Roles(16);
    pub const CREDIT: Roles = Roles(32);
    /// An address, not a selector: of a flash-loan provider.
    pub const FLASH_ADDRESS: Roles = Roles(64);

    #[inline]
    pub fn has(self, role: Roles) -> bool {
        self.0 & role.0 != 0
    }

    #[inline]
    pub fn with(self, other: Roles) -> Roles {
        Roles(self.0 | other.0)
    }

    /// Of one selector.
    pub fn of(selector: [u8; 4]) -> Roles {
        match u32::from_be_bytes(selector) {
            // withdraw(uint256), withdraw(), withdrawAll(), withdraw(uint256,address,address), redeem(uint256,address,address),
            // redeem(uint256), redeemUnderlying, exit(), emergencyWithdraw(uint256), emergencyWithdraw(),
            // withdraw(address,uint256), leave(uint256), claim(), claimRewards()
            0x2e1a7d4d | 0x3ccfd60b | 0x853828b6 | 0xb460af94 | 0xba087652 | 0xdb006a75
            | 0x852a12e3 | 0xe9fad8ee | 0x5312ea8e | 0xdb2e21bc | 0xf3fef3a3 | 0x67dfd4c9
            | 0x4e71d92d | 0x372500ab => Roles::WITHDRAWAL,
            // onERC721Received, onERC1155Received, onERC1155BatchReceived, tokensReceived, tokensToSend, tokenFallback,
            // onTokenTransfer
            0x150b7a02 | 0xf23a6e61 | 0xbc197c81 | 0x0023de29 | 0x75ab0056 | 0xc0ee0b8a
            | 0xa4c0ed36 => Roles::TOKEN_CALLBACK,
            // flashLoan: Aave v2, ERC-3156, Balancer, Morpho, DODO; flashLoanSimple; Uniswap v3 flash; dYdX operate;
            // vatDaiFlashLoan
            0xab9c4b5d | 0x5cffe9de | 0x5c38449e | 0xe0232b42 | 0xd0a494e4 | 0x42b0b77c
            | 0x490e6cbc | 0xa67a6a45 | 0x3f03653f => Roles::FLASH_LOAN,
            // uniswapV2Call, uniswapV3FlashCallback, uniswapV3SwapCallback, pancakeCall, pancakeV3FlashCallback,
            // DODO's three calls, executeOperation (v2, simple), onFlashLoan, receiveFlashLoan, callFunction,
            // onMorphoFlashLoan, unlockCallback
            0x10d1e85c | 0xe9cbafb0 | 0xfa461e33 | 0x84800812 | 0xa1d48336 | 0x7ed1f1dd
            | 0xeb2021c3 | 0xd5b99797 | 0x920f5c84 | 0x1b11d0ff | 0x23e30c8b | 0xf04f2707
            | 0x8b418713 | 0x31f57072 | 0x91dd7346 => Roles::FLASH_CALLBACK,
            // Uniswap v2 pair: swap, sync, skim, getReserves; v3 pool swap, slot0; Curve exchange (int128, uint256),
            // get_virtual_price; Balancer v2 swap, batchSwap; v2 router swaps; v3 router exactInputSingle
            0x022c0d9f | 0xfff6cae9 | 0xbc25cf77 | 0x0902f1ac | 0x128acb08 | 0x3850c7bd
            | 0x3df02124 | 0x5b41b908 | 0xbb7b8b80 | 0x52bbbe29 | 0x945bcec9 | 0x38ed1739
            | 0x5c11d795 | 0x414bf389 => Roles::MARKET,
            // borrow: Compound, Aave, Morpho; mint(uint256) of a cToken; deposit and supply: Aave v2, v3, Comet, Morpho;
            // liquidateBorrow, liquidationCall, Morpho liquidate; enterMarkets; frob; ERC-4626 deposit, mint
            0xc5ebeaec | 0xa415bcad | 0x50d8cd4b | 0xa0712d68 | 0xe8eda9df | 0x617ba037
            | 0xf2b9fdb8 | 0xa99aad89 | 0xf5e3c462 | 0x00a718a9 | 0xd8eabcb8 | 0xc2998238
            | 0x76088703 | 0x6e553f65 | 0x94bf804d => Roles::CREDIT,
            _ => Roles::default(),
        }
    }
}

/// The well-known addresses, by kind.
pub(crate) static ADDRESS_BOOK: LazyLock<HashMap<Address, &'static str>> = LazyLock::new(|| {
    let rows = ADDRESSES.lines().skip(1).filter_map(|row| {
        let mut fields = row.split(',');
        let address = fields.next()?.parse().ok()?;
        Some((address, fields.nth(1)?))
    });
    rows.collect()
});

static FLASH_PROVIDERS: LazyLock<HashSet<Address>> = LazyLock::new(|| {
    ADDRESS_BOOK
        .iter()
        .filter(|(_, kind)| **kind == "flash_loan")
        .map(|(address, _)| *address)
        .collect()
});

pub(crate) fn is_flash_provider(address: &Address) -> bool {
    FLASH_PROVIDERS.contains(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::address;

    #[test]
    fn every_well_known_address_is_read() {
        let rows = include_str!("../../data/addresses.csv").lines().count() - 1;
        assert_eq!(ADDRESS_BOOK.len(), rows);
        assert!(is_flash_provider(&address!(
            "ba12222222228d8ba445958a75a0704d566bf2c8"
        )));
        assert!(!is_flash_provider(&address!(
            "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
        )));
    }
}
