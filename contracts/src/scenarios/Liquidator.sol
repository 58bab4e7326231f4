// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FlashBorrower, FlashLender} from "./FlashLender.sol";
import {IERC20} from "./IERC20.sol";
import {LendingMarket} from "./LendingMarket.sol";
import {Trader} from "./Pair.sol";

/// @title Honest: repays half of a debt that its collateral no longer covers, with a flash loan, and earns the bonus.
contract Liquidator is FlashBorrower, Trader {
    LendingMarket private immutable market;
    address private account;

    constructor(FlashLender lender, LendingMarket market_) FlashBorrower(lender) {
        market = market_;
    }

    function liquidate(address account_) external {
        account = account_;
        borrowAndUse(market.currency(), market.debtOf(account_) / 2);
    }

    function use(uint256 amount) internal override {
        IERC20 collateral = market.collateral();
        market.currency().approve(address(market), amount);
        market.liquidate(account, amount);
        sell(market.pair(), collateral, collateral.balanceOf(address(this)), address(this));
    }
}
