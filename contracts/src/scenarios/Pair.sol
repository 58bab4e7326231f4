// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

/// @title A constant-product pair, as Uniswap v2's: 0.3 % of what comes in stays, and its price is what its reserves
/// say at this moment. Its liquidity is what was there at the first `sync`.
contract Pair {
    IERC20 public immutable token0;
    IERC20 public immutable token1;
    uint112 private reserve0;
    uint112 private reserve1;

    event Swap(
        address indexed sender,
        uint256 amount0In,
        uint256 amount1In,
        uint256 amount0Out,
        uint256 amount1Out,
        address indexed to
    );
    event Sync(uint112 reserve0, uint112 reserve1);

    constructor(IERC20 token0_, IERC20 token1_) {
        token0 = token0_;
        token1 = token1_;
    }

    function getReserves() external view returns (uint112, uint112, uint32) {
        return (reserve0, reserve1, uint32(block.timestamp));
    }

    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data) external {
        require(data.length == 0 && (amount0Out > 0 || amount1Out > 0));
        (uint256 before0, uint256 before1) = (reserve0, reserve1);
        if (amount0Out > 0) token0.transfer(to, amount0Out);
        if (amount1Out > 0) token1.transfer(to, amount1Out);
        sync();
        uint256 in0 = reserve0 + amount0Out - before0;
        uint256 in1 = reserve1 + amount1Out - before1;
        require((reserve0 * uint256(1000) - in0 * 3) * (reserve1 * uint256(1000) - in1 * 3) >= before0 * before1 * 1e6);
        emit Swap(msg.sender, in0, in1, amount0Out, amount1Out, to);
    }

    function sync() public {
        (reserve0, reserve1) = (uint112(token0.balanceOf(address(this))), uint112(token1.balanceOf(address(this))));
        emit Sync(reserve0, reserve1);
    }
}

/// @title What every trader does with a pair: pays in, and takes out as much as the price gives.
abstract contract Trader {
    function sell(Pair pair, IERC20 token, uint256 amount, address to) internal returns (uint256 out) {
        (uint256 reserveIn, uint256 reserveOut,) = pair.getReserves();
        bool first = address(pair.token0()) == address(token);
        if (!first) (reserveIn, reserveOut) = (reserveOut, reserveIn);
        out = amount * 997 * reserveOut / (reserveIn * 1000 + amount * 997);
        token.transfer(address(pair), amount);
        pair.swap(first ? 0 : out, first ? out : 0, to, "");
    }
}
