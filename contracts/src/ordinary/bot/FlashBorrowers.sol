// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IBalancerVault, IERC20, IFlashLender3156, ILendingPool, IMorpho, IRouter} from "../Interfaces.sol";
import {Owned} from "../Owned.sol";

/// @notice What all of them do with the loan: one circle through two routers.
abstract contract Circle is Owned {
    struct Trade {
        IRouter buy;
        IRouter sell;
        address through;
        uint256 least;
    }

    constructor(address owner_) Owned(owner_) {}

    function circle(Trade memory trade, address asset, uint256 amount, uint256 owed) internal {
        address[] memory path = new address[](2);
        (path[0], path[1]) = (asset, trade.through);
        IERC20(asset).approve(address(trade.buy), amount);
        uint256 got = trade.buy.swapExactTokensForTokens(amount, 1, path, address(this), block.timestamp)[1];
        (path[0], path[1]) = (trade.through, asset);
        IERC20(trade.through).approve(address(trade.sell), got);
        trade.sell.swapExactTokensForTokens(got, owed + trade.least, path, address(this), block.timestamp);
    }
}

contract AaveFlashArbitrage is Circle {
    ILendingPool public immutable pool;

    constructor(address owner_, ILendingPool pool_) Circle(owner_) {
        pool = pool_;
    }

    function run(address asset, uint256 amount, Trade calldata trade) external onlyOwner {
        pool.flashLoanSimple(address(this), asset, amount, abi.encode(trade), 0);
    }

    function executeOperation(address asset, uint256 amount, uint256 premium, address initiator, bytes calldata params)
        external
        returns (bool)
    {
        if (msg.sender != address(pool) || initiator != address(this)) revert Failed();
        circle(abi.decode(params, (Trade)), asset, amount, amount + premium);
        IERC20(asset).approve(address(pool), amount + premium);
        return true;
    }
}

contract BalancerFlashArbitrage is Circle {
    IBalancerVault public immutable lender;

    constructor(address owner_, IBalancerVault vault_) Circle(owner_) {
        lender = vault_;
    }

    function run(address asset, uint256 amount, Trade calldata trade) external onlyOwner {
        address[] memory tokens = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (tokens[0], amounts[0]) = (asset, amount);
        lender.flashLoan(address(this), tokens, amounts, abi.encode(trade));
    }

    function receiveFlashLoan(
        address[] calldata tokens,
        uint256[] calldata amounts,
        uint256[] calldata fees,
        bytes calldata data
    ) external {
        if (msg.sender != address(lender)) revert Failed();
        circle(abi.decode(data, (Trade)), tokens[0], amounts[0], amounts[0] + fees[0]);
        IERC20(tokens[0]).transfer(msg.sender, amounts[0] + fees[0]);
    }
}

contract MorphoFlashArbitrage is Circle {
    IMorpho public immutable morpho;

    constructor(address owner_, IMorpho morpho_) Circle(owner_) {
        morpho = morpho_;
    }

    function run(address asset, uint256 amount, Trade calldata trade) external onlyOwner {
        morpho.flashLoan(asset, amount, abi.encode(asset, trade));
        IERC20(asset).approve(address(morpho), 0);
    }

    function onMorphoFlashLoan(uint256 amount, bytes calldata data) external {
        if (msg.sender != address(morpho)) revert Failed();
        (address asset, Trade memory trade) = abi.decode(data, (address, Trade));
        circle(trade, asset, amount, amount);
        IERC20(asset).approve(address(morpho), amount);
    }
}

contract Erc3156Arbitrage is Circle {
    bytes32 private constant SUCCESS = keccak256("ERC3156FlashBorrower.onFlashLoan");
    IFlashLender3156 public immutable lender;

    constructor(address owner_, IFlashLender3156 lender_) Circle(owner_) {
        lender = lender_;
    }

    function run(address asset, uint256 amount, Trade calldata trade) external onlyOwner {
        uint256 owed = amount + lender.flashFee(asset, amount);
        IERC20(asset).approve(address(lender), owed);
        lender.flashLoan(address(this), asset, amount, abi.encode(trade));
    }

    function onFlashLoan(address initiator, address asset, uint256 amount, uint256 fee, bytes calldata data)
        external
        returns (bytes32)
    {
        if (msg.sender != address(lender) || initiator != address(this)) revert Failed();
        circle(abi.decode(data, (Trade)), asset, amount, amount + fee);
        return SUCCESS;
    }
}
