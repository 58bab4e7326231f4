// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// USDs: stands where tokens were sent when nothing stood here yet; its first transfer counts them anew, and wrongly.
contract LateContract {
    function move(address token, address to) external {
        IERC20(token).transfer(to, 1);
        IERC20(token).transfer(to, IERC20(token).balanceOf(address(this)) / 2);
    }
}
