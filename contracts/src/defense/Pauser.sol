// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Pauses several contracts, and can do nothing else.
/// @notice Give this contract the right to pause yours, and a guardian's key the right to call `pause` here. Whoever has that
/// key can stop what the owner listed, by the very calls that the owner wrote down: it can start nothing again, move nothing,
/// choose no calldata. It takes no ether, delegates no call, and cannot be changed but for its lists.
/// @dev What is stored is called as it is: the owner must not store a call that unpauses.
contract Pauser {
    /// @notice Who keeps the lists. Never pauses unless it is a guardian too.
    address public owner;
    /// @notice Whom the owner wants to hand over to; owner once it has called `acceptOwnership`.
    address public pendingOwner;
    /// @notice Who may pause.
    mapping(address account => bool) public isGuardian;
    mapping(address target => bytes) private calls;

    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    event GuardianAdded(address indexed guardian);
    event GuardianRevoked(address indexed guardian);
    event TargetSet(address indexed target, bytes data);
    event TargetRevoked(address indexed target);
    event Paused(address indexed target, address indexed by);
    /// @notice A target of several failed; `reason` is the first four bytes of what it said.
    event PauseFailed(address indexed target, address indexed by, bytes4 reason);

    error NotOwner(address caller);
    error NotPendingOwner(address caller);
    error NotGuardian(address caller);
    error InvalidOwner();
    error InvalidGuardian();
    /// @notice A target is a contract other than this one, and its call names a function.
    error InvalidTarget(address target);
    error UnknownTarget(address target);
    /// @notice A target failed having used up nearly all gas: with more it may succeed.
    error OutOfGas(address target);
    error NothingPaused();

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    modifier onlyGuardian() {
        if (!isGuardian[msg.sender]) revert NotGuardian(msg.sender);
        _;
    }

    constructor(address owner_) {
        if (owner_ == address(0)) revert InvalidOwner();
        owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
    }

    /// @notice Calls what is stored for `target`. Reverts as the target does.
    function pause(address target) external onlyGuardian {
        if (calls[target].length == 0) revert UnknownTarget(target);
        if (target.code.length == 0) revert InvalidTarget(target);
        if (!callStored(target)) {
            assembly {
                let said := mload(0x40)
                returndatacopy(said, 0, returndatasize())
                revert(said, returndatasize())
            }
        }
        emit Paused(target, msg.sender);
    }

    /// @notice Calls what is stored for each of `targets`, and goes on past those that fail.
    /// @return count How many succeeded; reverts where none did.
    /// @dev All share the gas. So that too little of it is not taken for a target's own failure (and so that an estimate is
    /// of all targets and not of one), it reverts where a target fails with less than an eighth of the gas left.
    function pauseMany(address[] calldata targets) external onlyGuardian returns (uint256 count) {
        for (uint256 i = 0; i < targets.length; i++) {
            address target = targets[i];
            uint256 before = gasleft();
            if (calls[target].length == 0) {
                emit PauseFailed(target, msg.sender, UnknownTarget.selector);
            } else if (target.code.length == 0) {
                emit PauseFailed(target, msg.sender, InvalidTarget.selector);
            } else if (callStored(target)) {
                count++;
                emit Paused(target, msg.sender);
            } else {
                bytes4 reason = firstBytesSaid();
                if (gasleft() < before / 8) revert OutOfGas(target);
                emit PauseFailed(target, msg.sender, reason);
            }
        }
        if (count == 0) revert NothingPaused();
    }

    /// @notice What a guardian may call on `target`; empty where it may call nothing.
    function callOf(address target) external view returns (bytes memory) {
        return calls[target];
    }

    function addGuardian(address guardian) external onlyOwner {
        if (guardian == address(0)) revert InvalidGuardian();
        isGuardian[guardian] = true;
        emit GuardianAdded(guardian);
    }

    function revokeGuardian(address guardian) external onlyOwner {
        isGuardian[guardian] = false;
        emit GuardianRevoked(guardian);
    }

    /// @notice Lets guardians call `data` on `target`, in place of what was stored for it.
    function setTarget(address target, bytes calldata data) external onlyOwner {
        if (target == address(this) || target.code.length == 0 || data.length < 4) revert InvalidTarget(target);
        calls[target] = data;
        emit TargetSet(target, data);
    }

    function revokeTarget(address target) external onlyOwner {
        delete calls[target];
        emit TargetRevoked(target);
    }

    /// @notice Begins to hand over; the zero address takes it back.
    function transferOwnership(address newOwner) external onlyOwner {
        pendingOwner = newOwner;
        emit OwnershipTransferStarted(owner, newOwner);
    }

    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner(msg.sender);
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
    }

    /// @dev Copies nothing of the answer: a target cannot make the others pay for its memory.
    function callStored(address target) private returns (bool done) {
        bytes memory data = calls[target];
        assembly {
            done := call(gas(), target, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }

    function firstBytesSaid() private pure returns (bytes4 said) {
        assembly {
            mstore(0, 0)
            let size := returndatasize()
            if gt(size, 4) { size := 4 }
            returndatacopy(0, 0, size)
            said := mload(0)
        }
    }
}
