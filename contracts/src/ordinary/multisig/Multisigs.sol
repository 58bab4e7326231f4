// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

/// @notice Transactions that enough owners confirm on chain (after Gnosis's first wallet).
contract ConfirmingMultisig {
    struct Proposal {
        address to;
        uint256 value;
        bytes data;
        uint256 confirmations;
        bool executed;
    }

    mapping(address => bool) public isOwner;
    mapping(uint256 => mapping(address => bool)) public confirmed;
    uint256 public immutable required;
    Proposal[] public proposals;

    modifier onlyOwners() {
        require(isOwner[msg.sender], "owner");
        _;
    }

    constructor(address[] memory owners, uint256 required_) {
        for (uint256 i = 0; i < owners.length; ++i) {
            isOwner[owners[i]] = true;
        }
        required = required_;
    }

    receive() external payable {}

    function propose(address to, uint256 value, bytes calldata data) external onlyOwners returns (uint256 id) {
        id = proposals.length;
        proposals.push(Proposal(to, value, data, 0, false));
    }

    function confirm(uint256 id) external onlyOwners {
        require(!confirmed[id][msg.sender], "confirmed");
        confirmed[id][msg.sender] = true;
        ++proposals[id].confirmations;
    }

    function execute(uint256 id) external onlyOwners {
        Proposal storage proposal = proposals[id];
        require(!proposal.executed && proposal.confirmations >= required, "not yet");
        proposal.executed = true;
        (bool done,) = proposal.to.call{value: proposal.value}(proposal.data);
        require(done, "failed");
    }
}

/// @notice Two signatures over one operation, with a nonce.
contract TwoSigners {
    address public immutable first;
    address public immutable second;
    uint256 public nonce;

    constructor(address firstSigner, address secondSigner) {
        (first, second) = (firstSigner, secondSigner);
    }

    receive() external payable {}

    function execute(address to, uint256 value, bytes calldata data, bytes32[2] calldata r, bytes32[2] calldata s, uint8[2] calldata v)
        external
    {
        bytes32 digest = keccak256(abi.encode(block.chainid, address(this), nonce++, to, value, data));
        require(ecrecover(digest, v[0], r[0], s[0]) == first, "first");
        require(ecrecover(digest, v[1], r[1], s[1]) == second, "second");
        (bool done,) = to.call{value: value}(data);
        require(done, "failed");
    }
}
