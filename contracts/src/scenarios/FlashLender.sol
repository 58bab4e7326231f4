// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

interface IFlashBorrower {
    function onFlashLoan(address initiator, address token, uint256 amount, uint256 fee, bytes calldata data)
        external
        returns (bytes32);
}

/// @title A lender of ERC-3156: any amount without collateral, for the time of one call and 0.05 %.
contract FlashLender {
    bytes32 private constant AGREED = keccak256("ERC3156FlashBorrower.onFlashLoan");

    function maxFlashLoan(address token) external view returns (uint256) {
        return IERC20(token).balanceOf(address(this));
    }

    function flashFee(address, uint256 amount) public pure returns (uint256) {
        return amount * 5 / 10_000;
    }

    function flashLoan(IFlashBorrower receiver, address token, uint256 amount, bytes calldata data)
        external
        returns (bool)
    {
        uint256 fee = flashFee(token, amount);
        IERC20(token).transfer(address(receiver), amount);
        require(receiver.onFlashLoan(msg.sender, token, amount, fee, data) == AGREED);
        IERC20(token).transferFrom(address(receiver), address(this), amount + fee);
        return true;
    }
}

/// @title What every borrower does: takes the loan, uses it, lets the lender take it back, and pays its owner the rest.
abstract contract FlashBorrower is IFlashBorrower {
    FlashLender private immutable lender;
    address internal immutable owner;

    constructor(FlashLender lender_) {
        lender = lender_;
        owner = msg.sender;
    }

    function use(uint256 amount) internal virtual;

    function borrowAndUse(IERC20 token, uint256 amount) internal {
        require(msg.sender == owner);
        lender.flashLoan(this, address(token), amount, "");
        token.transfer(owner, token.balanceOf(address(this)));
    }

    function onFlashLoan(address initiator, address token, uint256 amount, uint256 fee, bytes calldata)
        external
        returns (bytes32)
    {
        require(msg.sender == address(lender) && initiator == address(this));
        use(amount);
        IERC20(token).approve(address(lender), amount + fee);
        return keccak256("ERC3156FlashBorrower.onFlashLoan");
    }
}
