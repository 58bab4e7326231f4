// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20} from "../Interfaces.sol";

/// @notice Ether against one token at a constant product (after Uniswap's first version).
contract EtherTokenPool {
    IERC20 public immutable token;
    uint256 public totalShares;
    mapping(address => uint256) public sharesOf;
    bool private entered;

    modifier once() {
        require(!entered, "entered");
        entered = true;
        _;
        entered = false;
    }

    constructor(IERC20 token_) {
        token = token_;
    }

    function add(uint256 most) external payable once returns (uint256 shares) {
        uint256 ether_ = address(this).balance - msg.value;
        uint256 tokens = totalShares == 0 ? most : token.balanceOf(address(this)) * msg.value / ether_ + 1;
        require(tokens <= most, "most");
        shares = totalShares == 0 ? msg.value : totalShares * msg.value / ether_;
        totalShares += shares;
        sharesOf[msg.sender] += shares;
        require(token.transferFrom(msg.sender, address(this), tokens));
    }

    function remove(uint256 shares) external once {
        uint256 ether_ = address(this).balance * shares / totalShares;
        uint256 tokens = token.balanceOf(address(this)) * shares / totalShares;
        sharesOf[msg.sender] -= shares;
        totalShares -= shares;
        require(token.transfer(msg.sender, tokens));
        (bool paid,) = msg.sender.call{value: ether_}("");
        require(paid);
    }

    function buy(uint256 least) external payable once returns (uint256 tokens) {
        uint256 ether_ = address(this).balance - msg.value;
        tokens = out(msg.value, ether_, token.balanceOf(address(this)));
        require(tokens >= least, "least");
        require(token.transfer(msg.sender, tokens));
    }

    function sell(uint256 tokens, uint256 least) external once returns (uint256 ether_) {
        ether_ = out(tokens, token.balanceOf(address(this)), address(this).balance);
        require(ether_ >= least, "least");
        require(token.transferFrom(msg.sender, address(this), tokens));
        (bool paid,) = msg.sender.call{value: ether_}("");
        require(paid);
    }

    function out(uint256 amountIn, uint256 reserveIn, uint256 reserveOut) public pure returns (uint256) {
        return amountIn * 997 * reserveOut / (reserveIn * 1000 + amountIn * 997);
    }
}

/// @notice Two stable assets traded one to one less a fee; its owner sets the fee.
contract ParityPool {
    IERC20 public immutable token;
    IERC20 public immutable other;
    address public immutable owner;
    uint256 public fee;

    constructor(IERC20 token_, IERC20 vault, address owner_, uint256 fee_) {
        (token, other, owner, fee) = (token_, vault, owner_, fee_);
    }

    function setFee(uint256 fee_) external {
        require(msg.sender == owner && fee_ <= 100, "fee");
        fee = fee_;
    }

    function swap(bool forward, uint256 amount) external returns (uint256 paid) {
        (IERC20 taken, IERC20 given) = forward ? (token, other) : (other, token);
        require(taken.transferFrom(msg.sender, address(this), amount));
        paid = amount - amount * fee / 10_000;
        require(given.transfer(msg.sender, paid));
    }

    function withdraw(uint256 amount, uint256 otherAmount) external {
        require(msg.sender == owner, "owner");
        require(token.transfer(owner, amount) && other.transfer(owner, otherAmount));
    }
}
