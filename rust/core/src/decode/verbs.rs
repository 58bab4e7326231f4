//! What a well-known function does, by the words in its name.

use hashbrown::HashMap;
use std::sync::LazyLock;

/// One kind of doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Callback,
    Flash,
    Swap,
    Liquidate,
    Borrow,
    Repay,
    Mint,
    Burn,
    Deposit,
    Withdraw,
    Sync,
    Claim,
    Approve,
    TransferFrom,
    Transfer,
    Price,
    Balance,
    Admin,
    Other,
}

impl Verb {
    /// Of the function with this selector; `None` where it is not in the table.
    pub fn of(selector: [u8; 4]) -> Option<Self> {
        static VERBS: LazyLock<HashMap<[u8; 4], Verb>> = LazyLock::new(|| {
            super::selectors::functions()
                .map(|function| (function.selector().0, Verb::named(&function.name)))
                .collect()
        });
        VERBS.get(&selector).copied()
    }

    /// Whether calling it is only a token's business.
    pub fn of_token(self) -> bool {
        matches!(
            self,
            Self::Transfer | Self::TransferFrom | Self::Approve | Self::Balance
        )
    }

    /// The first line with a word that fits.
    fn named(name: &str) -> Self {
        let name = &name.to_lowercase();
        let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
        match () {
            () if holds(&["callback"])
                || name.ends_with("call") && !holds(&["andcall", "multicall"])
                || begins(&[
                    "onerc",
                    "onflash",
                    "onmorpho",
                    "onvat",
                    "executeoperation",
                    "callfunction",
                    "receiveflash",
                    "tokensreceived",
                    "tokenstosend",
                    "hook",
                ]) =>
            {
                Self::Callback
            }
            () if holds(&["flash"]) || name == "operate" => Self::Flash,
            () if holds(&["swap", "exchange", "exactinput", "exactoutput"]) => Self::Swap,
            () if holds(&["liquidate", "liquidation"]) => Self::Liquidate,
            () if holds(&["borrow"]) && !holds(&["repay"]) => Self::Borrow,
            () if holds(&["repay"]) => Self::Repay,
            () if holds(&["addliquidity", "add_liquidity", "increaseliquidity"])
                || holds(&["mint"]) && !holds(&["minter"])
                || begins(&["join"]) =>
            {
                Self::Mint
            }
            () if holds(&[
                "burn",
                "removeliquidity",
                "remove_liquidity",
                "decreaseliquidity",
            ]) || begins(&["exit"]) =>
            {
                Self::Burn
            }
            () if holds(&["unstake", "withdraw", "redeem", "unwrap"]) || begins(&["leave"]) => {
                Self::Withdraw
            }
            () if holds(&["deposit", "stake", "supply"]) && name != "totalsupply"
                || begins(&["enter", "wrap"]) =>
            {
                Self::Deposit
            }
            () if matches!(name.as_str(), "sync" | "skim") => Self::Sync,
            () if holds(&["claim", "harvest", "getreward"]) => Self::Claim,
            () if holds(&["approve", "permit", "allowance"]) => Self::Approve,
            () if holds(&["transferfrom"]) => Self::TransferFrom,
            () if begins(&["transferownership"]) => Self::Admin,
            () if begins(&["transfer"]) => Self::Transfer,
            () if holds(&[
                "getreserves",
                "latest",
                "get_dy",
                "virtual_price",
                "totalsupply",
                "pricepershare",
                "priceperfull",
                "getamount",
            ]) =>
            {
                Self::Price
            }
            () if name == "balanceof" => Self::Balance,
            () if begins(&["init", "upgrade"])
                || holds(&["owner", "setadmin", "implementation", "grantrole", "minter"]) =>
            {
                Self::Admin
            }
            () => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_is_done() {
        for (name, verb) in [
            ("uniswapV2Call", Verb::Callback),
            ("onFlashLoan", Verb::Callback),
            ("flashLoanSimple", Verb::Flash),
            ("upgradeToAndCall", Verb::Admin),
            ("exactInputSingle", Verb::Swap),
            ("repayBorrow", Verb::Repay),
            ("addLiquidityETH", Verb::Mint),
            ("setMinter", Verb::Admin),
            ("remove_liquidity_one_coin", Verb::Burn),
            ("totalSupply", Verb::Price),
            ("unstake", Verb::Withdraw),
            ("skim", Verb::Sync),
            ("transferOwnership", Verb::Admin),
            ("castVote", Verb::Other),
        ] {
            assert_eq!(Verb::named(name), verb, "{name}");
        }
    }

    #[test]
    fn selectors_are_those_on_chain() {
        assert_eq!(Verb::of([0xa9, 0x05, 0x9c, 0xbb]), Some(Verb::Transfer));
        assert_eq!(Verb::of([0x02, 0x2c, 0x0d, 0x9f]), Some(Verb::Swap));
        assert_eq!(Verb::of([0xff; 4]), None);
    }
}
