// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20, IPair, IPool3, IRouter, IShareVault, IWETH} from "../Interfaces.sol";
import {Owned} from "../Owned.sol";

/// @notice Borrows from one pair by its flash swap, sells in another, pays back, keeps the difference.
contract PairArbitrage is Owned {
    error NotBorrowed();
    error NoProfit();

    address private borrowedFrom;

    constructor(address owner_) Owned(owner_) {}

    function run(IPair from, IPair to, uint256 amount0, uint256 amount1, uint256 owed) external onlyOwner {
        borrowedFrom = address(from);
        from.swap(amount0, amount1, address(this), abi.encode(to, owed));
        borrowedFrom = address(0);
    }

    function uniswapV2Call(address sender, uint256 amount0, uint256 amount1, bytes calldata data) external {
        if (msg.sender != borrowedFrom || sender != address(this)) revert NotBorrowed();
        (IPair to, uint256 owed) = abi.decode(data, (IPair, uint256));
        bool zero = amount0 > 0;
        IERC20 sold = IERC20(zero ? to.token0() : to.token1());
        IERC20 bought = IERC20(zero ? to.token1() : to.token0());
        uint256 amount = zero ? amount0 : amount1;
        (uint256 reserve0, uint256 reserve1,) = to.getReserves();
        (uint256 reserveIn, uint256 reserveOut) = zero ? (reserve0, reserve1) : (reserve1, reserve0);
        uint256 out = amount * 997 * reserveOut / (reserveIn * 1000 + amount * 997);
        if (out <= owed) revert NoProfit();
        sold.transfer(address(to), amount);
        to.swap(zero ? 0 : out, zero ? out : 0, address(this), "");
        bought.transfer(msg.sender, owed);
    }
}

/// @notice Trades around a circle of three routers' paths, or not at all.
contract TriangularArbitrage is Owned {
    constructor(address owner_) Owned(owner_) {}

    function run(IRouter[3] calldata routers, address[2][3] calldata hops, uint256 amountIn, uint256 least)
        external
        onlyOwner
        returns (uint256 amount)
    {
        amount = amountIn;
        for (uint256 i = 0; i < 3; ++i) {
            address[] memory path = new address[](2);
            (path[0], path[1]) = (hops[i][0], hops[i][1]);
            IERC20(path[0]).approve(address(routers[i]), amount);
            amount = routers[i].swapExactTokensForTokens(amount, 0, path, address(this), block.timestamp)[1];
        }
        if (amount < amountIn + least) revert Failed();
    }

    function quote(IRouter[3] calldata routers, address[2][3] calldata hops, uint256 amountIn)
        external
        view
        returns (uint256 amount)
    {
        amount = amountIn;
        for (uint256 i = 0; i < 3; ++i) {
            address[] memory path = new address[](2);
            (path[0], path[1]) = (hops[i][0], hops[i][1]);
            amount = routers[i].getAmountsOut(amount, path)[1];
        }
    }
}

/// @notice Flash loan of a concentrated pool, traded in another one.
contract PoolFlashArbitrage is Owned {
    IPool3 public immutable lender;
    IPool3 public immutable market;
    uint160 private constant LOWEST = 4295128740;

    constructor(address owner_, IPool3 lender_, IPool3 market_) Owned(owner_) {
        lender = lender_;
        market = market_;
    }

    function run(uint256 amount0, uint256 least) external onlyOwner {
        lender.flash(address(this), amount0, 0, abi.encode(amount0, least));
    }

    function uniswapV3FlashCallback(uint256 fee0, uint256, bytes calldata data) external {
        if (msg.sender != address(lender)) revert Failed();
        (uint256 amount0, uint256 least) = abi.decode(data, (uint256, uint256));
        IERC20 token = IERC20(lender.token0());
        market.swap(address(this), true, int256(amount0), LOWEST, "");
        if (token.balanceOf(address(this)) < amount0 + fee0 + least) revert Failed();
        token.transfer(msg.sender, amount0 + fee0);
    }

    function uniswapV3SwapCallback(int256 delta0, int256 delta1, bytes calldata) external {
        if (msg.sender != address(market)) revert Failed();
        if (delta0 > 0) IERC20(market.token0()).transfer(msg.sender, uint256(delta0));
        if (delta1 > 0) IERC20(market.token1()).transfer(msg.sender, uint256(delta1));
    }
}

/// @notice Liquidity for one block around the price, for its owner.
contract JustInTimeLiquidity is Owned {
    IPool3 public immutable pool;
    bool private adding;

    constructor(address owner_, IPool3 pool_) Owned(owner_) {
        pool = pool_;
    }

    function add(int24 lower, int24 upper, uint128 liquidity) external onlyOwner {
        adding = true;
        pool.mint(address(this), lower, upper, liquidity, "");
        adding = false;
    }

    function remove(int24 lower, int24 upper, uint128 liquidity) external onlyOwner {
        pool.burn(lower, upper, liquidity);
        pool.collect(address(this), lower, upper, type(uint128).max, type(uint128).max);
    }

    function uniswapV3MintCallback(uint256 owed0, uint256 owed1, bytes calldata) external {
        if (!adding || msg.sender != address(pool)) revert Failed();
        if (owed0 > 0) IERC20(pool.token0()).transfer(msg.sender, owed0);
        if (owed1 > 0) IERC20(pool.token1()).transfer(msg.sender, owed1);
    }
}

/// @notice Buys a vault's shares where they are cheaper than the vault's own price, and redeems them.
contract SharePriceArbitrage is Owned {
    IShareVault public immutable vault;
    IRouter public immutable router;

    constructor(address owner_, IShareVault vault_, IRouter router_) Owned(owner_) {
        vault = vault_;
        router = router_;
    }

    function buyAndRedeem(IERC20 asset, uint256 amount, uint256 least) external onlyOwner returns (uint256 assets) {
        address[] memory path = new address[](2);
        (path[0], path[1]) = (address(asset), address(vault));
        asset.approve(address(router), amount);
        uint256 shares = router.swapExactTokensForTokens(amount, 1, path, address(this), block.timestamp)[1];
        assets = vault.redeem(shares, address(this), address(this));
        if (assets < amount + least) revert Failed();
    }

    function depositAndSell(IERC20 asset, uint256 amount, uint256 least) external onlyOwner returns (uint256 assets) {
        address[] memory path = new address[](2);
        (path[0], path[1]) = (address(vault), address(asset));
        asset.approve(address(vault), amount);
        uint256 shares = vault.deposit(amount, address(this));
        vault.approve(address(router), shares);
        assets = router.swapExactTokensForTokens(shares, amount + least, path, address(this), block.timestamp)[1];
    }
}

/// @notice Trades behind another's trade and pays the block's builder a share of the gain.
contract Backrunner is Owned {
    IWETH public immutable weth;
    uint256 public constant SHARE = 9_000;

    constructor(address owner_, IWETH weth_) Owned(owner_) {
        weth = weth_;
    }

    function run(IPair[] calldata pairs, uint256[] calldata outs, uint256 amountIn) external onlyOwner {
        uint256 before = weth.balanceOf(address(this));
        weth.transfer(address(pairs[0]), amountIn);
        IERC20 held = weth;
        for (uint256 i = 0; i < pairs.length; ++i) {
            bool zero = pairs[i].token0() == address(held);
            address to = i + 1 < pairs.length ? address(pairs[i + 1]) : address(this);
            pairs[i].swap(zero ? 0 : outs[i], zero ? outs[i] : 0, to, "");
            held = IERC20(zero ? pairs[i].token1() : pairs[i].token0());
        }
        uint256 gain = weth.balanceOf(address(this)) - before;
        uint256 bribe = gain * SHARE / 10_000;
        weth.withdraw(bribe);
        (bool paid,) = block.coinbase.call{value: bribe}("");
        if (!paid) revert Failed();
    }
}
