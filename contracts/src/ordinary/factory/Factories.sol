// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {PooledDepositor, VaultAccount} from "../router/EtherVault.sol";
import {IEthVault} from "../Interfaces.sol";

/// @notice An account at the vault for each who asks.
contract AccountFactory {
    IEthVault public immutable vault;
    mapping(address => VaultAccount) public accountOf;

    constructor(IEthVault vault_) {
        vault = vault_;
    }

    function open() external returns (VaultAccount account) {
        require(address(accountOf[msg.sender]) == address(0), "open");
        account = new VaultAccount(msg.sender, vault);
        accountOf[msg.sender] = account;
    }
}

contract PoolFactory {
    event Created(PooledDepositor pool);

    function create(IEthVault vault, bytes32 salt) external returns (PooledDepositor pool) {
        pool = new PooledDepositor{salt: salt}(vault);
        emit Created(pool);
    }
}

/// @notice Minimal clones of one implementation, at addresses known before.
contract CloneFactory {
    address public immutable implementation;

    event Cloned(address clone);

    constructor(address vault) {
        implementation = vault;
    }

    function clone(bytes32 salt) external returns (address made) {
        made = Clones.cloneDeterministic(implementation, salt);
        emit Cloned(made);
    }

    function predict(bytes32 salt) external view returns (address) {
        return Clones.predictDeterministicAddress(implementation, salt);
    }
}
