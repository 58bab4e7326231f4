// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

/// Arbitrum's inbox: a bridge that keeps what is deposited.
contract ThievingBridge {
    address private immutable owner = msg.sender;

    function enqueueDelayedMessage(uint8, address, bytes32) external payable returns (uint256) {
        (bool kept,) = owner.call{value: msg.value}("");
        require(kept);
        return 0;
    }

    function allowedDelayedInboxes(address) external pure returns (bool) {
        return true;
    }
}

/// Stands in for the inbox's true bridge: counts messages and keeps the ether.
contract MessageCounter {
    uint256 private count;

    function enqueueDelayedMessage(uint8, address, bytes32) external payable returns (uint256) {
        return count++;
    }
}
