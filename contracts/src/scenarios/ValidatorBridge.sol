// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

/// @title Pays out what enough of its validators signed, with two holes: whoever deploys it may name nobody (the address
/// zero) a validator, whom every broken signature recovers; and a signature counts as often as it is handed in.
contract ValidatorBridge {
    IERC20 public immutable token;
    uint256 public immutable threshold;
    mapping(address => bool) public isValidator;
    mapping(bytes32 => bool) public released;

    event Released(bytes32 indexed message, address indexed to, uint256 amount);

    constructor(IERC20 token_, address[] memory validators, uint256 threshold_) {
        token = token_;
        threshold = threshold_;
        for (uint256 i = 0; i < validators.length; i++) isValidator[validators[i]] = true;
    }

    function release(
        address to,
        uint256 amount,
        uint256 nonce,
        uint8[] calldata v,
        bytes32[] calldata r,
        bytes32[] calldata s
    ) external {
        bytes32 message = keccak256(abi.encode(address(this), to, amount, nonce));
        require(!released[message], "released");
        require(v.length >= threshold, "too few");
        for (uint256 i = 0; i < v.length; i++) {
            require(isValidator[ecrecover(message, v[i], r[i], s[i])], "not a validator");
        }
        released[message] = true;
        token.transfer(to, amount);
        emit Released(message, to, amount);
    }
}
