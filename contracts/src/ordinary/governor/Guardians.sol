// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IEthVault} from "../Interfaces.sol";

/// @notice Pauses the vault when enough of its guardians say so.
contract GuardianCouncil {
    IEthVault public immutable vault;
    uint256 public immutable required;
    mapping(address => bool) public isGuardian;
    mapping(uint256 => mapping(address => bool)) public hasVoted;
    uint256 public round;
    uint256 public votes;

    error NotAllowed(address caller);

    constructor(IEthVault vault_, address[] memory guardians, uint256 required_) {
        vault = vault_;
        required = required_;
        for (uint256 i = 0; i < guardians.length; ++i) {
            isGuardian[guardians[i]] = true;
        }
    }

    function vote() external {
        if (!isGuardian[msg.sender] || hasVoted[round][msg.sender]) revert NotAllowed(msg.sender);
        hasVoted[round][msg.sender] = true;
        if (++votes < required) return;
        votes = 0;
        ++round;
        vault.pause();
    }
}

/// @notice Pauses the vault by itself when it holds less than it owes; anybody may ask.
contract SolvencyGuard {
    IEthVault public immutable vault;

    constructor(IEthVault vault_) {
        vault = vault_;
    }

    function solvent() public view returns (bool) {
        return address(vault).balance >= vault.totalDeposits();
    }

    function check() external {
        require(!solvent(), "solvent");
        vault.pause();
    }
}

/// @notice Calls of the vault's owner wait a day and may be cancelled by a guardian.
contract VaultTimelock {
    address public immutable vault;
    address public immutable owner;
    address public immutable guardian;
    uint256 public constant DELAY = 1 days;
    mapping(bytes32 => uint256) public readyAt;

    error NotAllowed(address caller);
    error NotReady(uint256 at);

    constructor(address vault_, address owner_, address guardian_) {
        (vault, owner, guardian) = (vault_, owner_, guardian_);
    }

    function queue(bytes calldata data) external {
        if (msg.sender != owner) revert NotAllowed(msg.sender);
        readyAt[keccak256(data)] = block.timestamp + DELAY;
    }

    function cancel(bytes calldata data) external {
        if (msg.sender != owner && msg.sender != guardian) revert NotAllowed(msg.sender);
        delete readyAt[keccak256(data)];
    }

    function execute(bytes calldata data) external {
        if (msg.sender != owner) revert NotAllowed(msg.sender);
        uint256 at = readyAt[keccak256(data)];
        if (at == 0 || block.timestamp < at) revert NotReady(at);
        delete readyAt[keccak256(data)];
        (bool done,) = vault.call(data);
        require(done);
    }
}
