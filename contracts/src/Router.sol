// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IVault {
    function deposit() external payable;
    function withdraw(uint256 amount) external;
}

/// @title An honest contract that looks like the attacker's: it deposits in the vault and withdraws from it, and is
/// called by the vault's payment; but it pays its user, and never comes back while the vault is paying.
contract Router {
    IVault public immutable vault;
    mapping(address => uint256) public sharesOf;

    event Entered(address indexed account, uint256 amount);
    event Exited(address indexed account, uint256 amount);

    error InsufficientShares(uint256 available, uint256 asked);
    error PaymentFailed();
    error OnlyVault();

    constructor(address vault_) {
        vault = IVault(vault_);
    }

    function enter() external payable {
        sharesOf[msg.sender] += msg.value;
        vault.deposit{value: msg.value}();
        emit Entered(msg.sender, msg.value);
    }

    function exit(uint256 amount) external {
        uint256 available = sharesOf[msg.sender];
        if (available < amount) revert InsufficientShares(available, amount);
        sharesOf[msg.sender] = available - amount;
        vault.withdraw(amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert PaymentFailed();
        emit Exited(msg.sender, amount);
    }

    receive() external payable {
        if (msg.sender != address(vault)) revert OnlyVault();
    }
}
