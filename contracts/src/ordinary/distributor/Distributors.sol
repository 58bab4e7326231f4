// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

contract MerkleAirdrop {
    using SafeERC20 for IERC20;
    using BitMaps for BitMaps.BitMap;

    IERC20 public immutable token;
    bytes32 public immutable root;
    BitMaps.BitMap private claimed;

    constructor(IERC20 token_, bytes32 root_) {
        (token, root) = (token_, root_);
    }

    function claim(uint256 index, address account, uint256 amount, bytes32[] calldata proof) external {
        require(!claimed.get(index), "claimed");
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(index, account, amount))));
        require(MerkleProof.verifyCalldata(proof, root, leaf), "proof");
        claimed.set(index);
        token.safeTransfer(account, amount);
    }
}

/// @notice A vault's shares given to claimants until a day; then the sender takes back the rest.
contract ShareAirdrop {
    using SafeERC20 for IERC20;

    IERC20 public immutable vault;
    address public immutable sender;
    uint256 public immutable end;
    mapping(address => uint256) public claimable;

    constructor(IERC20 vault_, address senderOwner, uint256 end_) {
        (vault, sender, end) = (vault_, senderOwner, end_);
    }

    function allot(address[] calldata accounts, uint256[] calldata amounts) external {
        require(msg.sender == sender, "sender");
        uint256 total;
        for (uint256 i = 0; i < accounts.length; ++i) {
            claimable[accounts[i]] += amounts[i];
            total += amounts[i];
        }
        vault.safeTransferFrom(sender, address(this), total);
    }

    function claim() external {
        uint256 amount = claimable[msg.sender];
        claimable[msg.sender] = 0;
        vault.safeTransfer(msg.sender, amount);
    }

    function reclaim() external {
        require(msg.sender == sender && block.timestamp > end, "early");
        vault.safeTransfer(sender, vault.balanceOf(address(this)));
    }
}
