// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";
import {DepositQueue, ShareVault} from "./ShareVault.sol";

/// @title Honest: gives the vault what was earned, which raises the price of everybody's share, has the waiting
/// deposits made, and pays whoever called a hundredth of the earnings.
contract Strategy {
    ShareVault private immutable vault;
    DepositQueue private immutable queue;

    constructor(ShareVault vault_, DepositQueue queue_) {
        vault = vault_;
        queue = queue_;
    }

    function harvest() external {
        IERC20 asset = vault.asset();
        uint256 earned = asset.balanceOf(address(this));
        asset.transfer(msg.sender, earned / 100);
        asset.transfer(address(vault), earned - earned / 100);
        queue.process();
    }
}
