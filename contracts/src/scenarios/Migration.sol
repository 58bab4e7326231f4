// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";
import {UpgradeableVault} from "./UpgradeableVault.sol";

/// @title Honest: the last code of a vault that moves: everything goes to its successor, balances stay readable.
contract MigratingVault is UpgradeableVault {
    function migrate(address successor) external onlyOwner {
        token.transfer(successor, token.balanceOf(address(this)));
    }
}

/// @title The vault after it: pays everybody what the old one owed.
contract SuccessorVault {
    UpgradeableVault private immutable predecessor;
    mapping(address => bool) public claimed;

    constructor(UpgradeableVault predecessor_) {
        predecessor = predecessor_;
    }

    function claim() external returns (uint256 amount) {
        require(!claimed[msg.sender], "claimed");
        claimed[msg.sender] = true;
        amount = predecessor.balanceOf(msg.sender);
        predecessor.token().transfer(msg.sender, amount);
    }
}
