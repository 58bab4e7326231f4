// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";
import {Pair} from "./Pair.sol";

/// @title A lending market whose hole is its oracle: it believes the price that a pair's reserves say at this moment.
/// @notice The pair's token0 is the collateral and its token1 what is lent: up to 75 % of the collateral's value. From
/// 80 % on anybody may repay half of a debt at a time and take collateral for it with a bonus of 8 %.
contract LendingMarket {
    Pair public immutable pair;
    IERC20 public immutable collateral;
    IERC20 public immutable currency;
    mapping(address => uint256) public collateralOf;
    mapping(address => uint256) public debtOf;
    uint256 public totalDebt;

    event Deposited(address indexed account, uint256 amount);
    event Borrowed(address indexed account, uint256 amount);
    event Liquidated(address indexed account, address indexed by, uint256 repaid, uint256 seized);

    constructor(Pair pair_) {
        pair = pair_;
        collateral = pair_.token0();
        currency = pair_.token1();
    }

    /// @notice What `amount` of collateral is worth in the currency.
    function valueOf(uint256 amount) public view returns (uint256) {
        (uint256 reserve0, uint256 reserve1,) = pair.getReserves();
        return amount * reserve1 / reserve0;
    }

    function deposit(uint256 amount) external {
        collateral.transferFrom(msg.sender, address(this), amount);
        collateralOf[msg.sender] += amount;
        emit Deposited(msg.sender, amount);
    }

    function borrow(uint256 amount) external {
        debtOf[msg.sender] += amount;
        totalDebt += amount;
        require(debtOf[msg.sender] * 100 <= valueOf(collateralOf[msg.sender]) * 75, "too little collateral");
        currency.transfer(msg.sender, amount);
        emit Borrowed(msg.sender, amount);
    }

    function liquidate(address account, uint256 amount) external {
        require(debtOf[account] * 100 > valueOf(collateralOf[account]) * 80, "healthy");
        require(amount * 2 <= debtOf[account], "more than half");
        uint256 seized = amount * 108 * 1e18 / (valueOf(1e18) * 100);
        debtOf[account] -= amount;
        totalDebt -= amount;
        collateralOf[account] -= seized;
        currency.transferFrom(msg.sender, address(this), amount);
        collateral.transfer(msg.sender, seized);
        emit Liquidated(account, msg.sender, amount, seized);
    }
}
