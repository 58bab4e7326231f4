// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {ICToken, IERC20, ILendingPool, IRouter} from "../Interfaces.sol";
import {Owned} from "../Owned.sol";

/// @notice Repays a borrower's debt with a flash loan of the same pool and sells the collateral for it.
contract AaveLiquidator is Owned {
    ILendingPool public immutable pool;
    IRouter public immutable router;

    error Healthy(uint256 factor);

    constructor(address owner_, ILendingPool pool_, IRouter router_) Owned(owner_) {
        pool = pool_;
        router = router_;
    }

    function liquidate(address borrower, address collateral, address debt, uint256 amount) external onlyOwner {
        (,,,,, uint256 factor) = pool.getUserAccountData(borrower);
        if (factor >= 1e18) revert Healthy(factor);
        pool.flashLoanSimple(address(this), debt, amount, abi.encode(borrower, collateral), 0);
    }

    function executeOperation(address debt, uint256 amount, uint256 premium, address initiator, bytes calldata params)
        external
        returns (bool)
    {
        if (msg.sender != address(pool) || initiator != address(this)) revert Failed();
        (address borrower, address collateral) = abi.decode(params, (address, address));
        IERC20(debt).approve(address(pool), amount);
        pool.liquidationCall(collateral, debt, borrower, amount, false);
        uint256 seized = IERC20(collateral).balanceOf(address(this));
        address[] memory path = new address[](2);
        (path[0], path[1]) = (collateral, debt);
        IERC20(collateral).approve(address(router), seized);
        router.swapExactTokensForTokens(seized, amount + premium, path, address(this), block.timestamp);
        IERC20(debt).approve(address(pool), amount + premium);
        return true;
    }
}

/// @notice Liquidates with its own stock of the borrowed asset; several borrowers in one call.
contract StockLiquidator is Owned {
    constructor(address owner_) Owned(owner_) {}

    function liquidate(ICToken debt, ICToken collateral, address[] calldata borrowers, uint256[] calldata amounts)
        external
        onlyOwner
    {
        IERC20 asset = IERC20(debt.underlying());
        for (uint256 i = 0; i < borrowers.length; ++i) {
            asset.approve(address(debt), amounts[i]);
            if (debt.liquidateBorrow(borrowers[i], amounts[i], address(collateral)) != 0) revert Failed();
        }
        if (collateral.redeem(collateral.balanceOf(address(this))) != 0) revert Failed();
    }
}

/// @notice Anybody may liquidate through it: it takes the caller's tokens, and gives all that it seizes back to them.
contract PublicLiquidator {
    ILendingPool public immutable pool;

    constructor(ILendingPool pool_) {
        pool = pool_;
    }

    function liquidate(address borrower, IERC20 collateral, IERC20 debt, uint256 amount) external {
        debt.transferFrom(msg.sender, address(this), amount);
        debt.approve(address(pool), amount);
        uint256 before = collateral.balanceOf(address(this));
        pool.liquidationCall(address(collateral), address(debt), borrower, amount, false);
        collateral.transfer(msg.sender, collateral.balanceOf(address(this)) - before);
        uint256 left = debt.balanceOf(address(this));
        if (left > 0) debt.transfer(msg.sender, left);
    }
}
