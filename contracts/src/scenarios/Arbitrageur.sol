// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FlashBorrower, FlashLender} from "./FlashLender.sol";
import {IERC20} from "./IERC20.sol";
import {Pair, Trader} from "./Pair.sol";

/// @title Honest: buys with a flash loan where a token is cheap, sells where it is dear, and so brings the two prices
/// together; nobody who provides liquidity loses by it.
contract Arbitrageur is FlashBorrower, Trader {
    Pair private immutable cheap;
    Pair private immutable dear;

    constructor(FlashLender lender, Pair cheap_, Pair dear_) FlashBorrower(lender) {
        cheap = cheap_;
        dear = dear_;
    }

    function trade(uint256 amount) external {
        borrowAndUse(cheap.token1(), amount);
    }

    function use(uint256 amount) internal override {
        uint256 bought = sell(cheap, cheap.token1(), amount, address(this));
        sell(dear, dear.token0(), bought, address(this));
    }
}
