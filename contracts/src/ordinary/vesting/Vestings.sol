// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {VestingWallet} from "@openzeppelin/contracts/finance/VestingWallet.sol";
import {VestingWalletCliff} from "@openzeppelin/contracts/finance/VestingWalletCliff.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

contract CliffVesting is VestingWalletCliff {
    constructor(address beneficiary, uint64 start, uint64 duration, uint64 cliffPeriod)
        VestingWallet(beneficiary, start, duration)
        VestingWalletCliff(cliffPeriod)
    {}
}

/// @notice A vault's shares vest to one account in equal steps; the granter may stop what has not vested.
contract StepVesting {
    IERC20 public immutable vault;
    address public immutable granter;
    address public immutable beneficiary;
    uint256 public immutable start;
    uint256 public constant STEPS = 12;
    uint256 public total;
    uint256 public released;

    constructor(IERC20 vault_, address granterOwner, address beneficiary_) {
        (vault, granter, beneficiary, start) = (vault_, granterOwner, beneficiary_, block.timestamp);
    }

    function grant(uint256 amount) external {
        require(msg.sender == granter, "granter");
        total += amount;
        require(vault.transferFrom(granter, address(this), amount));
    }

    function vested() public view returns (uint256) {
        uint256 steps = (block.timestamp - start) / 30 days;
        return steps >= STEPS ? total : total * steps / STEPS;
    }

    function release() external {
        uint256 amount = vested() - released;
        released += amount;
        require(vault.transfer(beneficiary, amount));
    }

    function stop() external {
        require(msg.sender == granter, "granter");
        uint256 back = total - vested();
        total -= back;
        require(vault.transfer(granter, back));
    }
}
