// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ERC4626 as SoladyVault} from "solady/tokens/ERC4626.sol";
import {ERC4626 as SolmateVault} from "solmate/tokens/ERC4626.sol";
import {ERC20 as SolmateToken} from "solmate/tokens/ERC20.sol";

contract PlainVault is ERC4626 {
    constructor(IERC20 assetToken) ERC20("Plain Vault", "PV") ERC4626(assetToken) {}
}

/// @notice Offset shares against inflation, an entry fee, a pause.
contract FeeVault is ERC4626, Ownable, Pausable {
    using SafeERC20 for IERC20;

    uint256 public immutable fee;

    constructor(IERC20 assetToken, address owner_, uint256 fee_)
        ERC20("Fee Vault", "FV")
        ERC4626(assetToken)
        Ownable(owner_)
    {
        fee = fee_;
    }

    function pause() external onlyOwner {
        _pause();
    }

    function unpause() external onlyOwner {
        _unpause();
    }

    function previewDeposit(uint256 assets) public view override returns (uint256) {
        return super.previewDeposit(assets - assets * fee / 10_000);
    }

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares)
        internal
        override
        whenNotPaused
    {
        super._deposit(caller, receiver, assets, shares);
        IERC20(asset()).safeTransfer(owner(), assets * fee / 10_000);
    }

    function _decimalsOffset() internal pure override returns (uint8) {
        return 6;
    }
}

/// @notice A vault of a vault: what it holds is invested in another one.
contract VaultOfVault is ERC4626 {
    using SafeERC20 for IERC20;

    IERC4626 public immutable inner;

    constructor(IERC20 assetToken, IERC4626 innerVault) ERC20("Vault of Vault", "VV") ERC4626(assetToken) {
        inner = innerVault;
        assetToken.forceApprove(address(innerVault), type(uint256).max);
    }

    function totalAssets() public view override returns (uint256) {
        return inner.convertToAssets(inner.balanceOf(address(this)));
    }

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override {
        super._deposit(caller, receiver, assets, shares);
        inner.deposit(assets, address(this));
    }

    function _withdraw(address caller, address receiver, address owner, uint256 assets, uint256 shares)
        internal
        override
    {
        inner.withdraw(assets, address(this), address(this));
        super._withdraw(caller, receiver, owner, assets, shares);
    }
}

contract SmallVault is SolmateVault {
    constructor(SolmateToken assetToken) SolmateVault(assetToken, "Small Vault", "SV") {}

    function totalAssets() public view override returns (uint256) {
        return asset.balanceOf(address(this));
    }
}

contract SmallerVault is SoladyVault {
    address private immutable token;

    constructor(address assetToken) {
        token = assetToken;
    }

    function asset() public view override returns (address) {
        return token;
    }

    function name() public pure override returns (string memory) {
        return "Smaller Vault";
    }

    function symbol() public pure override returns (string memory) {
        return "SSV";
    }
}
