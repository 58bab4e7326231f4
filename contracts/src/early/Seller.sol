// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../scenarios/IERC20.sol";
import {Pair} from "../scenarios/Pair.sol";
import {PairVenue, SwapRouter} from "../scenarios/SwapRouter.sol";

/// @title Honest: sells what its owner lets it spend, through a router that others let spend theirs.
contract Seller {
    SwapRouter private immutable router;
    PairVenue private immutable venue;
    Pair private immutable pair;
    address private immutable owner;

    constructor(SwapRouter router_, PairVenue venue_, Pair pair_) {
        router = router_;
        venue = venue_;
        pair = pair_;
        owner = msg.sender;
    }

    function sell(uint256 amount) external {
        require(msg.sender == owner);
        (IERC20 sold, IERC20 bought) = (pair.token0(), pair.token1());
        sold.transferFrom(owner, address(this), amount);
        sold.approve(address(router), amount);
        bytes memory data = abi.encodeCall(PairVenue.sellOn, (pair, sold, amount));
        router.swap(sold, amount, bought, 1, address(venue), data);
        bought.transfer(owner, bought.balanceOf(address(this)));
    }
}
