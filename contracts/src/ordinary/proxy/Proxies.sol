// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {BeaconProxy} from "@openzeppelin/contracts/proxy/beacon/BeaconProxy.sol";
import {UpgradeableBeacon} from "@openzeppelin/contracts/proxy/beacon/UpgradeableBeacon.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// @notice In front of the vault, as its next version would be reached.
contract VaultProxy is ERC1967Proxy {
    constructor(address vault) payable ERC1967Proxy(vault, "") {}

    function _unsafeAllowUninitialized() internal pure override returns (bool) {
        return true;
    }
}

contract AdminVaultProxy is TransparentUpgradeableProxy {
    constructor(address vault, address owner) payable TransparentUpgradeableProxy(vault, owner, "") {}

    function _unsafeAllowUninitialized() internal pure override returns (bool) {
        return true;
    }
}

contract VaultBeacon is UpgradeableBeacon {
    constructor(address vault, address owner) UpgradeableBeacon(vault, owner) {}
}

/// @notice An implementation that its owner may replace.
contract UpgradeableSettings is Initializable, UUPSUpgradeable {
    address public owner;
    mapping(bytes32 => uint256) public settings;

    constructor() {
        _disableInitializers();
    }

    function initialize(address owner_) external initializer {
        owner = owner_;
    }

    function set(bytes32 key, uint256 value) external {
        require(msg.sender == owner, "owner");
        settings[key] = value;
    }

    function _authorizeUpgrade(address) internal view override {
        require(msg.sender == owner, "owner");
    }
}

/// @notice Passes all on to the address that its owner keeps here (the old way, slot 0).
contract SlotProxy {
    address private implementation;
    address private immutable owner;

    constructor(address vault, address owner_) {
        (implementation, owner) = (vault, owner_);
    }

    function replaceImplementation(address implementation_) external {
        require(msg.sender == owner, "owner");
        implementation = implementation_;
    }

    fallback() external payable {
        address target = implementation;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), target, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch done
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }

    receive() external payable {}
}

/// @notice EIP-1167: 45 bytes that lead to the vault.
contract VaultClone {
    constructor(address vault) {
        bytes memory code =
            abi.encodePacked(hex"363d3d373d3d3d363d73", vault, hex"5af43d82803e903d91602b57fd5bf3");
        assembly {
            return(add(code, 32), mload(code))
        }
    }
}
