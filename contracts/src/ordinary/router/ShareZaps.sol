// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20, IRouter, IShareVault, IWETH} from "../Interfaces.sol";
import {Owned} from "../Owned.sol";

/// @notice From ether or any token to a vault's shares in one call, and back.
contract VaultZap {
    IShareVault public immutable vault;
    IRouter public immutable router;
    IWETH public immutable weth;

    error TooFew(uint256 shares);

    constructor(IShareVault vault_, IRouter router_, IWETH weth_) {
        vault = vault_;
        router = router_;
        weth = weth_;
    }

    function zapIn(uint256 leastShares, address[] calldata path) external payable returns (uint256 shares) {
        weth.deposit{value: msg.value}();
        weth.approve(address(router), msg.value);
        uint256[] memory amounts =
            router.swapExactTokensForTokens(msg.value, 1, path, address(this), block.timestamp);
        shares = enter(IERC20(path[path.length - 1]), amounts[amounts.length - 1], leastShares);
    }

    function zapInToken(IERC20 token, uint256 amount, uint256 leastShares, address[] calldata path)
        external
        returns (uint256 shares)
    {
        token.transferFrom(msg.sender, address(this), amount);
        token.approve(address(router), amount);
        uint256[] memory amounts = router.swapExactTokensForTokens(amount, 1, path, address(this), block.timestamp);
        shares = enter(IERC20(path[path.length - 1]), amounts[amounts.length - 1], leastShares);
    }

    function zapOut(uint256 shares, uint256 least, address[] calldata path) external returns (uint256 amount) {
        vault.transferFrom(msg.sender, address(this), shares);
        uint256 assets = vault.redeem(shares, address(this), address(this));
        IERC20(path[0]).approve(address(router), assets);
        uint256[] memory amounts =
            router.swapExactTokensForTokens(assets, least, path, msg.sender, block.timestamp);
        amount = amounts[amounts.length - 1];
    }

    function enter(IERC20 asset, uint256 amount, uint256 least) private returns (uint256 shares) {
        asset.approve(address(vault), amount);
        shares = vault.deposit(amount, msg.sender);
        if (shares < least) revert TooFew(shares);
    }
}

/// @notice Deposits with limits on the shares got (ERC-4626's router).
contract SlippageRouter {
    error Slipped(uint256 got);

    function depositToVault(IShareVault vault, IERC20 asset, uint256 amount, uint256 least)
        external
        returns (uint256 shares)
    {
        asset.transferFrom(msg.sender, address(this), amount);
        asset.approve(address(vault), amount);
        shares = vault.deposit(amount, msg.sender);
        if (shares < least) revert Slipped(shares);
    }

    function redeemFromVault(IShareVault vault, uint256 shares, uint256 least) external returns (uint256 assets) {
        assets = vault.redeem(shares, msg.sender, msg.sender);
        if (assets < least) revert Slipped(assets);
    }
}

/// @notice Sells through the best of listed routers, with a fee for its owner.
contract BestPriceRouter is Owned {
    IRouter[] public routers;
    uint256 public immutable fee;

    constructor(address owner_, IRouter[] memory routers_, uint256 fee_) Owned(owner_) {
        routers = routers_;
        fee = fee_;
    }

    function best(uint256 amount, address[] calldata path) public view returns (IRouter router, uint256 out) {
        for (uint256 i = 0; i < routers.length; ++i) {
            try routers[i].getAmountsOut(amount, path) returns (uint256[] memory amounts) {
                uint256 last = amounts[amounts.length - 1];
                if (last > out) (router, out) = (routers[i], last);
            } catch {}
        }
    }

    function swap(uint256 amount, uint256 least, address[] calldata path) external returns (uint256 out) {
        IERC20 token = IERC20(path[0]);
        token.transferFrom(msg.sender, address(this), amount);
        uint256 sold = amount - amount * fee / 10_000;
        (IRouter router,) = best(sold, path);
        token.approve(address(router), sold);
        uint256[] memory amounts = router.swapExactTokensForTokens(sold, least, path, msg.sender, block.timestamp);
        return amounts[amounts.length - 1];
    }
}

/// @notice Leaves an old vault of shares for a new one, for whoever has approved it; shares go to their owner.
contract ShareMigrator {
    IShareVault public immutable oldVault;
    IShareVault public immutable newVault;

    constructor(IShareVault oldVault_, IShareVault newVault_) {
        oldVault = oldVault_;
        newVault = newVault_;
    }

    function migrate(uint256 shares, uint256 least) external returns (uint256 got) {
        uint256 assets = oldVault.redeem(shares, address(this), msg.sender);
        IERC20(oldVault.asset()).approve(address(newVault), assets);
        got = newVault.deposit(assets, msg.sender);
        require(got >= least, "slipped");
    }
}

/// @notice Pays many people in one transaction with the sender's tokens or ether.
contract Disperse {
    function disperseEther(address[] calldata to, uint256[] calldata amounts) external payable {
        for (uint256 i = 0; i < to.length; ++i) {
            (bool sent,) = to[i].call{value: amounts[i]}("");
            require(sent, "not sent");
        }
        if (address(this).balance > 0) {
            (bool back,) = msg.sender.call{value: address(this).balance}("");
            require(back, "not returned");
        }
    }

    function disperseToken(IERC20 token, address[] calldata to, uint256[] calldata amounts) external {
        for (uint256 i = 0; i < to.length; ++i) {
            require(token.transferFrom(msg.sender, to[i], amounts[i]), "not sent");
        }
    }
}
