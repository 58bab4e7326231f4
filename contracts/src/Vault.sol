// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A vault for ether with the hole of The DAO (2016): never use it for anything but demos and tests.
/// @notice `withdraw` pays before it writes the balance down, so a contract that is called by the payment can
/// withdraw again. The guardian can stop the vault; only the owner can start it again.
contract Vault {
    address public immutable owner;
    address public guardian;
    bool public paused;
    uint256 public totalDeposits;
    mapping(address => uint256) public balanceOf;

    event Deposited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);
    event Paused(address indexed by);
    event Unpaused(address indexed by);
    event GuardianChanged(address indexed guardian);

    error IsPaused();
    error NotAllowed(address caller);
    error InsufficientBalance(uint256 available, uint256 asked);
    error PaymentFailed();

    modifier whenNotPaused() {
        if (paused) revert IsPaused();
        _;
    }

    constructor(address guardian_) {
        owner = msg.sender;
        guardian = guardian_;
    }

    function deposit() external payable whenNotPaused {
        balanceOf[msg.sender] += msg.value;
        totalDeposits += msg.value;
        emit Deposited(msg.sender, msg.value);
    }

    function withdraw(uint256 amount) external whenNotPaused {
        uint256 available = balanceOf[msg.sender];
        if (available < amount) revert InsufficientBalance(available, amount);
        // The hole: the receiver runs here while its balance still stands.
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert PaymentFailed();
        unchecked {
            // "Checked above, so it cannot underflow": true only if nobody came back in between.
            balanceOf[msg.sender] -= amount;
            totalDeposits -= amount;
        }
        emit Withdrawn(msg.sender, amount);
    }

    function pause() external {
        if (msg.sender != guardian && msg.sender != owner) revert NotAllowed(msg.sender);
        paused = true;
        emit Paused(msg.sender);
    }

    function unpause() external {
        if (msg.sender != owner) revert NotAllowed(msg.sender);
        paused = false;
        emit Unpaused(msg.sender);
    }

    function setGuardian(address guardian_) external {
        if (msg.sender != owner) revert NotAllowed(msg.sender);
        guardian = guardian_;
        emit GuardianChanged(guardian_);
    }
}
