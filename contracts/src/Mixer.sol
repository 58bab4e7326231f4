// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Takes notes of one size from anybody and pays each to whoever shows its secret: where money comes from is
/// hidden as well as the secret is. The real ones prove that they know one and show none: never use this for money.
contract Mixer {
    uint256 public constant denomination = 20 ether;
    mapping(bytes32 => bool) public isUnspent;

    error WrongAmount();
    error AlreadyThere();
    error Unknown();
    error PaymentFailed();

    function deposit(bytes32 commitment) external payable {
        if (msg.value != denomination) revert WrongAmount();
        if (isUnspent[commitment]) revert AlreadyThere();
        isUnspent[commitment] = true;
    }

    /// @notice Anybody may send this: a relayer does for those whose account has nothing to pay gas with.
    function withdraw(bytes32 secret, address payable recipient) external {
        bytes32 commitment = keccak256(abi.encode(secret));
        if (!isUnspent[commitment]) revert Unknown();
        isUnspent[commitment] = false;
        (bool paid,) = recipient.call{value: denomination}("");
        if (!paid) revert PaymentFailed();
    }
}
