// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";
import {Pair, Trader} from "./Pair.sol";

/// @title A router that users let spend their tokens, with the hole of many aggregators: it calls whatever venue it is
/// told, with whatever data.
contract SwapRouter {
    event Swapped(address indexed account, IERC20 tokenIn, uint256 amountIn, IERC20 tokenOut, uint256 amountOut);

    function swap(
        IERC20 tokenIn,
        uint256 amountIn,
        IERC20 tokenOut,
        uint256 minOut,
        address venue,
        bytes calldata data
    ) external returns (uint256 out) {
        tokenIn.transferFrom(msg.sender, address(this), amountIn);
        tokenIn.approve(venue, amountIn);
        uint256 before = tokenOut.balanceOf(address(this));
        // The hole: the venue may be a token, and the data a transfer of somebody else's.
        (bool done,) = venue.call(data);
        require(done, "the venue failed");
        out = tokenOut.balanceOf(address(this)) - before;
        require(out >= minOut, "too little");
        tokenOut.transfer(msg.sender, out);
        emit Swapped(msg.sender, tokenIn, amountIn, tokenOut, out);
    }
}

/// @title A venue of that router: sells on a pair what the caller lets it take.
contract PairVenue is Trader {
    function sellOn(Pair pair, IERC20 token, uint256 amount) external {
        token.transferFrom(msg.sender, address(this), amount);
        sell(pair, token, amount, msg.sender);
    }
}
