// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @title A vault whose every right is an AccessManager's to give: closing it there stops what is `restricted`.
contract ManagedVault is AccessManaged, Pausable {
    mapping(address => uint256) public balanceOf;

    constructor(address manager) AccessManaged(manager) {}

    function deposit() external payable restricted whenNotPaused {
        balanceOf[msg.sender] += msg.value;
    }

    function pause() external restricted {
        _pause();
    }

    function unpause() external restricted {
        _unpause();
    }
}
