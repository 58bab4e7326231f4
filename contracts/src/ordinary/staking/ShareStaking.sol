// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @notice A vault's shares, staked for rewards that stream at a rate (after Synthetix's StakingRewards).
contract ShareStaking {
    using SafeERC20 for IERC20;

    IERC20 public immutable vault;
    IERC20 public immutable rewards;
    uint256 public immutable rate;
    uint256 public totalStaked;
    uint256 public perShare;
    uint256 public last;
    mapping(address => uint256) public stakedBy;
    mapping(address => uint256) public paidPerShare;
    mapping(address => uint256) public owed;

    constructor(IERC20 vault_, IERC20 rewardToken, uint256 rate_) {
        (vault, rewards, rate, last) = (vault_, rewardToken, rate_, block.timestamp);
    }

    modifier settled(address account) {
        if (totalStaked > 0) perShare += (block.timestamp - last) * rate * 1e18 / totalStaked;
        last = block.timestamp;
        owed[account] += stakedBy[account] * (perShare - paidPerShare[account]) / 1e18;
        paidPerShare[account] = perShare;
        _;
    }

    function stake(uint256 amount) external settled(msg.sender) {
        totalStaked += amount;
        stakedBy[msg.sender] += amount;
        vault.safeTransferFrom(msg.sender, address(this), amount);
    }

    function unstake(uint256 amount) external settled(msg.sender) {
        totalStaked -= amount;
        stakedBy[msg.sender] -= amount;
        vault.safeTransfer(msg.sender, amount);
    }

    function claim() external settled(msg.sender) {
        uint256 amount = owed[msg.sender];
        owed[msg.sender] = 0;
        rewards.safeTransfer(msg.sender, amount);
    }
}
