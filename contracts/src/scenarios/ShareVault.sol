// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

/// @title A vault of shares as ERC-4626's, with two holes: its assets are simply what it holds, so a gift raises the
/// price of a share; and a deposit that is worth less than one share gets none.
contract ShareVault {
    IERC20 public immutable asset;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;

    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    event Withdraw(
        address indexed sender, address indexed receiver, address indexed owner, uint256 assets, uint256 shares
    );

    constructor(IERC20 asset_) {
        asset = asset_;
    }

    function totalAssets() public view returns (uint256) {
        return asset.balanceOf(address(this));
    }

    function convertToShares(uint256 assets) public view returns (uint256) {
        return totalSupply == 0 ? assets : assets * totalSupply / totalAssets();
    }

    function convertToAssets(uint256 shares) public view returns (uint256) {
        return totalSupply == 0 ? shares : shares * totalAssets() / totalSupply;
    }

    /// @notice Assets for 10^18 shares.
    function sharePrice() external view returns (uint256) {
        return convertToAssets(1e18);
    }

    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        shares = convertToShares(assets);
        asset.transferFrom(msg.sender, address(this), assets);
        totalSupply += shares;
        balanceOf[receiver] += shares;
        emit Deposit(msg.sender, receiver, assets, shares);
    }

    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets) {
        require(msg.sender == owner);
        assets = convertToAssets(shares);
        balanceOf[owner] -= shares;
        totalSupply -= shares;
        asset.transfer(receiver, assets);
        emit Withdraw(msg.sender, receiver, owner, assets, shares);
    }
}

/// @title Collects small deposits, so that one transaction of anybody's puts them all in the vault.
contract DepositQueue {
    ShareVault public immutable vault;
    address[] private accounts;
    mapping(address => uint256) public queued;

    constructor(ShareVault vault_) {
        vault = vault_;
    }

    function enqueue(uint256 assets) external {
        vault.asset().transferFrom(msg.sender, address(this), assets);
        if (queued[msg.sender] == 0) accounts.push(msg.sender);
        queued[msg.sender] += assets;
    }

    function process() external {
        while (accounts.length > 0) {
            address account = accounts[accounts.length - 1];
            uint256 assets = queued[account];
            accounts.pop();
            queued[account] = 0;
            vault.asset().approve(address(vault), assets);
            vault.deposit(assets, account);
        }
    }
}
