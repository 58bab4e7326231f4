// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

/// @notice What an EIP-7702 account may delegate to: it runs batches for itself alone.
contract BatchDelegate {
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    function execute(Call[] calldata calls) external payable {
        require(msg.sender == address(this), "self");
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done,) = calls[i].to.call{value: calls[i].value}(calls[i].data);
            require(done, "failed");
        }
    }

    receive() external payable {}
}

/// @notice A wallet with a spender that may move a little each day, to one place.
contract AllowanceWallet {
    address public immutable owner;
    address public immutable spender;
    address payable public immutable vault;
    uint256 public immutable daily;
    uint256 public day;
    uint256 public spent;

    constructor(address owner_, address spenderAccount, address payable vault_, uint256 daily_) {
        (owner, spender, vault, daily) = (owner_, spenderAccount, vault_, daily_);
    }

    receive() external payable {}

    function spend(uint256 amount) external {
        require(msg.sender == spender, "spender");
        if (block.timestamp / 1 days > day) (day, spent) = (block.timestamp / 1 days, 0);
        spent += amount;
        require(spent <= daily, "daily");
        (bool done,) = vault.call{value: amount}(abi.encodeWithSignature("deposit()"));
        require(done, "failed");
    }

    function execute(address to, uint256 value, bytes calldata data) external {
        require(msg.sender == owner, "owner");
        (bool done,) = to.call{value: value}(data);
        require(done, "failed");
    }
}
