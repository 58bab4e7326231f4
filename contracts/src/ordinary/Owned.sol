// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20} from "./Interfaces.sol";

/// @notice One owner for good, who alone may act and take out what is held.
abstract contract Owned {
    address public immutable owner;

    error NotOwner();
    error Failed();

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner();
        _;
    }

    constructor(address owner_) {
        owner = owner_;
    }

    function sweep(IERC20 token) external onlyOwner {
        token.transfer(owner, token.balanceOf(address(this)));
    }

    function sweepEther() external onlyOwner {
        (bool sent,) = owner.call{value: address(this).balance}("");
        if (!sent) revert Failed();
    }

    receive() external payable virtual {}
}
