// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A vault for ether that gives anybody a twentieth of what it has, and books nothing of it.
contract LeakingVault {
    mapping(address => uint256) public balanceOf;

    function deposit() external payable {
        balanceOf[msg.sender] += msg.value;
    }

    function withdraw(uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        pay(amount);
    }

    /// @notice The hole.
    function claim(uint256 amount) external {
        require(amount <= address(this).balance / 20);
        pay(amount);
    }

    function pay(uint256 amount) private {
        (bool paid,) = msg.sender.call{value: amount}("");
        require(paid);
    }
}
