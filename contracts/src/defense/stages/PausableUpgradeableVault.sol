// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../../scenarios/IERC20.sol";

/// @title A vault for a token behind a proxy, with the hole of Parity's wallet (2017) and a guardian who can stop it: never
/// use it for anything but tests. While it is paused nobody initializes it, upgrades it, or takes anything out.
contract PausableUpgradeableVault {
    bytes32 private constant SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    address public owner;
    IERC20 public token;
    address public guardian;
    /// In the guardian's slot.
    bool public paused;
    mapping(address => uint256) public balanceOf;

    event Upgraded(address indexed implementation);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    event Paused(address indexed by);
    event Unpaused(address indexed by);

    error IsPaused();
    error NotAllowed(address caller);

    modifier whenNotPaused() {
        if (paused) revert IsPaused();
        _;
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotAllowed(msg.sender);
        _;
    }

    /// @notice The hole: nothing remembers that this was called before.
    function initialize(IERC20 token_, address owner_) external whenNotPaused {
        emit OwnershipTransferred(owner, owner_);
        token = token_;
        owner = owner_;
    }

    function setGuardian(address guardian_) external onlyOwner {
        guardian = guardian_;
    }

    function pause() external {
        if (msg.sender != guardian) revert NotAllowed(msg.sender);
        paused = true;
        emit Paused(msg.sender);
    }

    function unpause() external onlyOwner {
        paused = false;
        emit Unpaused(msg.sender);
    }

    function deposit(uint256 amount) external whenNotPaused {
        token.transferFrom(msg.sender, address(this), amount);
        balanceOf[msg.sender] += amount;
    }

    function withdraw(uint256 amount) external whenNotPaused {
        balanceOf[msg.sender] -= amount;
        token.transfer(msg.sender, amount);
    }

    function upgradeToAndCall(address implementation, bytes calldata data) external onlyOwner whenNotPaused {
        assembly {
            sstore(SLOT, implementation)
        }
        emit Upgraded(implementation);
        (bool done,) = implementation.delegatecall(data);
        require(done, "upgrade failed");
    }
}
