// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IAggregator, IPair, IShareVault} from "../Interfaces.sol";

/// @notice A vault's share in dollars: its price in the asset times the asset's feed, stale answers refused.
contract SharePriceOracle {
    IShareVault public immutable vault;
    IAggregator public immutable feed;

    error Stale(uint256 updated);

    constructor(IShareVault vault_, IAggregator feed_) {
        vault = vault_;
        feed = feed_;
    }

    function price() external view returns (uint256) {
        (, int256 answer,, uint256 updated,) = feed.latestRoundData();
        if (answer <= 0 || block.timestamp - updated > 1 hours) revert Stale(updated);
        return vault.convertToAssets(1e18) * uint256(answer) / 1e18;
    }
}

/// @notice The mean price over a period of a share, written down by whoever calls.
contract ShareMeanOracle {
    IShareVault public immutable vault;
    uint256 public immutable period;
    uint256 public sum;
    uint256 public last;
    uint256 public mean;
    uint256 private begun;

    constructor(IShareVault vault_, uint256 period_) {
        vault = vault_;
        period = period_;
        last = block.timestamp;
        begun = block.timestamp;
    }

    function update() external {
        sum += vault.convertToAssets(1e18) * (block.timestamp - last);
        last = block.timestamp;
        if (last - begun < period) return;
        mean = sum / (last - begun);
        (sum, begun) = (0, last);
    }
}

/// @notice Reserves' price of one pair, held between two bounds.
contract BoundedPairOracle {
    IPair public immutable pair;
    uint256 public immutable low;
    uint256 public immutable high;

    constructor(IPair pair_, uint256 low_, uint256 high_) {
        (pair, low, high) = (pair_, low_, high_);
    }

    function price() external view returns (uint256 found) {
        (uint256 reserve0, uint256 reserve1,) = pair.getReserves();
        found = reserve1 * 1e18 / reserve0;
        if (found < low) found = low;
        if (found > high) found = high;
    }
}
