// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20, IShareVault} from "../Interfaces.sol";

interface IFlashBorrower {
    function onFlashLoan(address initiator, address token, uint256 amount, uint256 fee, bytes calldata data)
        external
        returns (bytes32);
}

/// @notice Flash loans of one token for a fee (ERC-3156).
contract FlashLender {
    IERC20 public immutable token;
    address public immutable owner;

    constructor(IERC20 token_, address owner_) {
        (token, owner) = (token_, owner_);
    }

    function flashFee(address, uint256 amount) public pure returns (uint256) {
        return amount * 9 / 10_000;
    }

    function flashLoan(IFlashBorrower receiver, address asset, uint256 amount, bytes calldata data)
        external
        returns (bool)
    {
        require(asset == address(token), "token");
        uint256 fee = flashFee(asset, amount);
        require(token.transfer(address(receiver), amount));
        bytes32 said = receiver.onFlashLoan(msg.sender, asset, amount, fee, data);
        require(said == keccak256("ERC3156FlashBorrower.onFlashLoan"), "callback");
        require(token.transferFrom(address(receiver), address(this), amount + fee));
        return true;
    }

    function withdraw(uint256 amount) external {
        require(msg.sender == owner, "owner");
        require(token.transfer(owner, amount));
    }
}

/// @notice Lends one token against a vault's shares, at the vault's price less a quarter.
contract ShareLender {
    IShareVault public immutable vault;
    IERC20 public immutable token;
    mapping(address => uint256) public collateralOf;
    mapping(address => uint256) public debtOf;

    constructor(IShareVault vault_, IERC20 token_) {
        (vault, token) = (vault_, token_);
    }

    function healthy(address account) public view returns (bool) {
        return debtOf[account] == 0 || debtOf[account] <= vault.convertToAssets(collateralOf[account]) * 3 / 4;
    }

    function lock(uint256 shares) external {
        collateralOf[msg.sender] += shares;
        require(vault.transferFrom(msg.sender, address(this), shares));
    }

    function unlock(uint256 shares) external {
        collateralOf[msg.sender] -= shares;
        require(healthy(msg.sender), "unhealthy");
        require(vault.transfer(msg.sender, shares));
    }

    function borrow(uint256 amount) external {
        debtOf[msg.sender] += amount;
        require(healthy(msg.sender), "unhealthy");
        require(token.transfer(msg.sender, amount));
    }

    function repay(address account, uint256 amount) external {
        debtOf[account] -= amount;
        require(token.transferFrom(msg.sender, address(this), amount));
    }

    function liquidate(address account) external {
        require(!healthy(account), "healthy");
        (uint256 debt, uint256 shares) = (debtOf[account], collateralOf[account]);
        (debtOf[account], collateralOf[account]) = (0, 0);
        require(token.transferFrom(msg.sender, address(this), debt));
        require(vault.transfer(msg.sender, shares));
    }
}
