// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

/// @title Pays out what messages from another chain say, with the hole of Nomad (2022): the root of a message that was
/// never proven is zero, and zero was confirmed.
contract Bridge {
    IERC20 public immutable token;
    address public immutable updater;
    /// Roots of messages that the updater vouches for.
    mapping(bytes32 => bool) public confirmed;
    /// The root a message was proven with.
    mapping(bytes32 => bytes32) public rootOf;
    mapping(bytes32 => bool) public processed;

    event Processed(bytes32 indexed message, address indexed to, uint256 amount);

    constructor(IERC20 token_) {
        token = token_;
        updater = msg.sender;
        // The hole.
        confirmed[bytes32(0)] = true;
    }

    function confirm(bytes32 root) external {
        require(msg.sender == updater);
        confirmed[root] = true;
    }

    /// @notice Proves a message by its siblings up to the root, each pair sorted.
    function prove(bytes32 message, bytes32[] calldata siblings) external {
        bytes32 node = message;
        for (uint256 i = 0; i < siblings.length; i++) {
            (bytes32 a, bytes32 b) = node < siblings[i] ? (node, siblings[i]) : (siblings[i], node);
            node = keccak256(abi.encode(a, b));
        }
        require(confirmed[node], "unknown root");
        rootOf[message] = node;
    }

    function process(address to, uint256 amount, uint256 nonce) external {
        bytes32 message = keccak256(abi.encode(to, amount, nonce));
        require(confirmed[rootOf[message]], "not proven");
        require(!processed[message], "processed");
        processed[message] = true;
        token.transfer(to, amount);
        emit Processed(message, to, amount);
    }
}
