// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20, IPair, IWETH} from "../Interfaces.sol";
import {Owned} from "../Owned.sol";

/// @notice Runs a list of calls for its owner, and keeps only what raised its balance.
contract CallExecutor is Owned {
    struct Call {
        address target;
        uint256 value;
        bytes data;
    }

    error NoProfit(uint256 before, uint256 afterwards);

    constructor(address owner_) Owned(owner_) {}

    function execute(Call[] calldata calls, IERC20 profitToken, uint256 least) external payable onlyOwner {
        uint256 before = profitToken.balanceOf(address(this));
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done,) = calls[i].target.call{value: calls[i].value}(calls[i].data);
            if (!done) revert Failed();
        }
        uint256 afterwards = profitToken.balanceOf(address(this));
        if (afterwards < before + least) revert NoProfit(before, afterwards);
    }
}

/// @notice The same with packed calldata and no selector: 20 bytes of target, 12 of value, 2 of length, then the data.
contract PackedExecutor {
    address private immutable operator;

    constructor(address operator_) {
        operator = operator_;
    }

    receive() external payable {}

    fallback() external payable {
        if (msg.sender != operator) revert();
        uint256 at = 0;
        while (at + 34 <= msg.data.length) {
            address target = address(bytes20(msg.data[at:at + 20]));
            uint256 value = uint96(bytes12(msg.data[at + 20:at + 32]));
            uint256 length = uint16(bytes2(msg.data[at + 32:at + 34]));
            (bool done,) = target.call{value: value}(msg.data[at + 34:at + 34 + length]);
            if (!done) revert();
            at += 34 + length;
        }
    }
}

/// @notice Buys in front of a trade and sells behind it on one pair; the front and the back are its owner's two calls.
contract SandwichExecutor is Owned {
    IWETH public immutable weth;

    constructor(address owner_, IWETH weth_) Owned(owner_) {
        weth = weth_;
    }

    function front(IPair pair, uint256 amountIn, uint256 amountOut, bool wethIsZero, uint256 untilBlock)
        external
        onlyOwner
    {
        if (block.number > untilBlock) revert Failed();
        weth.transfer(address(pair), amountIn);
        pair.swap(wethIsZero ? 0 : amountOut, wethIsZero ? amountOut : 0, address(this), "");
    }

    function back(IPair pair, IERC20 token, uint256 amountOut, bool wethIsZero, uint256 bribe) external onlyOwner {
        token.transfer(address(pair), token.balanceOf(address(this)) - 1);
        pair.swap(wethIsZero ? amountOut : 0, wethIsZero ? 0 : amountOut, address(this), "");
        weth.withdraw(bribe);
        (bool paid,) = block.coinbase.call{value: bribe}("");
        if (!paid) revert Failed();
    }
}

/// @notice Several operators of one owner may trade through listed pools; only the owner takes out.
contract SharedExecutor is Owned {
    mapping(address => bool) public isOperator;
    mapping(address => bool) public isPool;

    error NotListed(address account);

    constructor(address owner_, address firstPool) Owned(owner_) {
        isOperator[owner_] = true;
        isPool[firstPool] = true;
    }

    function setOperator(address operator, bool allowed) external onlyOwner {
        isOperator[operator] = allowed;
    }

    function setPool(address pool, bool allowed) external onlyOwner {
        isPool[pool] = allowed;
    }

    function trade(address pool, IERC20 tokenIn, uint256 amountIn, bytes calldata data) external {
        if (!isOperator[msg.sender]) revert NotListed(msg.sender);
        if (!isPool[pool]) revert NotListed(pool);
        tokenIn.transfer(pool, amountIn);
        (bool done,) = pool.call(data);
        if (!done) revert Failed();
    }
}

/// @notice Keeps the bots' accounts in gas.
contract EtherRefiller is Owned {
    uint256 public immutable floor;
    address[] public accounts;

    constructor(address owner_, uint256 floor_) Owned(owner_) {
        floor = floor_;
    }

    function setAccounts(address[] calldata accounts_) external onlyOwner {
        accounts = accounts_;
    }

    /// @notice Anybody may call: each listed account below the floor is filled up to it.
    function refill() external {
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint256 has = accounts[i].balance;
            if (has >= floor || address(this).balance < floor - has) continue;
            (bool sent,) = accounts[i].call{value: floor - has}("");
            if (!sent) revert Failed();
        }
    }
}
