// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IDepository {
    function deposit() external payable;
}

/// @title Passes deposits on to the vault that its owner has set: neither its code nor what is sent to it names that.
contract StoredRouter {
    address private immutable owner = msg.sender;
    IDepository private vault;

    function set(IDepository vault_) external {
        require(msg.sender == owner);
        vault = vault_;
    }

    function route() external payable {
        vault.deposit{value: msg.value}();
    }
}
