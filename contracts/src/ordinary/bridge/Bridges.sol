// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20, IEthVault} from "../Interfaces.sol";

/// @notice Locks a vault's shares here for their twins elsewhere; relayers' threshold lets them out again.
contract ShareGate {
    IERC20 public immutable vault;
    uint256 public immutable required;
    mapping(address => bool) public isRelayer;
    mapping(bytes32 => mapping(address => bool)) public attested;
    mapping(bytes32 => uint256) public attestations;
    uint256 public nonce;

    event Locked(address indexed from, address indexed to, uint256 amount, uint256 nonce);
    event Released(address indexed to, uint256 amount, uint256 nonce);

    constructor(IERC20 vault_, address[] memory relayers, uint256 required_) {
        (vault, required) = (vault_, required_);
        for (uint256 i = 0; i < relayers.length; ++i) {
            isRelayer[relayers[i]] = true;
        }
    }

    function lock(address to, uint256 amount) external {
        require(vault.transferFrom(msg.sender, address(this), amount));
        emit Locked(msg.sender, to, amount, nonce++);
    }

    function release(address to, uint256 amount, uint256 theirs) external {
        require(isRelayer[msg.sender], "relayer");
        bytes32 id = keccak256(abi.encode(to, amount, theirs));
        require(!attested[id][msg.sender], "attested");
        attested[id][msg.sender] = true;
        if (++attestations[id] != required) return;
        require(vault.transfer(to, amount));
        emit Released(to, amount, theirs);
    }
}

/// @notice Takes ether for elsewhere and keeps it at the vault; the operator pays who comes back.
contract EtherGate {
    IEthVault public immutable vault;
    address public immutable operator;
    mapping(bytes32 => bool) public done;

    event Sent(address indexed from, uint256 amount, uint32 domain);

    constructor(IEthVault vault_, address operator_) {
        (vault, operator) = (vault_, operator_);
    }

    function send(uint32 domain) external payable {
        vault.deposit{value: msg.value}();
        emit Sent(msg.sender, msg.value, domain);
    }

    function receiveFrom(address payable to, uint256 amount, bytes32 id) external {
        require(msg.sender == operator && !done[id], "operator");
        done[id] = true;
        vault.withdraw(amount);
        (bool paid,) = to.call{value: amount}("");
        require(paid);
    }

    receive() external payable {}
}
