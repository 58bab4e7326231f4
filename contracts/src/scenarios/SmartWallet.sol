// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IVault {
    function deposit() external payable;
    function withdraw(uint256 amount) external;
    function balanceOf(address account) external view returns (uint256);
    function totalDeposits() external view returns (uint256);
}

/// @title Honest: a wallet that is a contract, so the vault's payment runs its code; the code asks the vault what is
/// left, and does not withdraw again.
contract SmartWallet {
    IVault private immutable vault;
    address private immutable owner;

    event Received(uint256 amount, uint256 left, uint256 total);

    constructor(address vault_) {
        vault = IVault(vault_);
        owner = msg.sender;
    }

    function deposit() external payable {
        vault.deposit{value: msg.value}();
    }

    function withdraw(uint256 amount) external {
        require(msg.sender == owner);
        vault.withdraw(amount);
        (bool paid,) = owner.call{value: address(this).balance}("");
        require(paid);
    }

    receive() external payable {
        emit Received(msg.value, vault.balanceOf(address(this)), vault.totalDeposits());
    }
}
