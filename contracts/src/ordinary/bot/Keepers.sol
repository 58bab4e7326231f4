// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IAggregator, IERC20, IEthVault, IRouter, IShareVault} from "../Interfaces.sol";
import {Owned} from "../Owned.sol";

interface IHarvestable {
    function harvest() external;
    function pending() external view returns (uint256);
}

/// @notice Harvests listed strategies when enough is pending (keepers' interface of Chainlink).
contract HarvestKeeper is Owned {
    IHarvestable[] public strategies;
    uint256 public immutable least;

    constructor(address owner_, uint256 least_) Owned(owner_) {
        least = least_;
    }

    function add(IHarvestable strategy) external onlyOwner {
        strategies.push(strategy);
    }

    function checkUpkeep(bytes calldata) external view returns (bool needed, bytes memory data) {
        for (uint256 i = 0; i < strategies.length; ++i) {
            if (strategies[i].pending() >= least) return (true, abi.encode(i));
        }
    }

    function performUpkeep(bytes calldata data) external {
        IHarvestable strategy = strategies[abi.decode(data, (uint256))];
        if (strategy.pending() >= least) strategy.harvest();
    }
}

/// @notice Deposits its owner's ether in the vault each period, as long as it lasts; anybody may call.
contract PeriodicDepositor is Owned {
    IEthVault public immutable vault;
    uint256 public immutable period;
    uint256 public immutable portion;
    uint256 public last;

    constructor(address owner_, IEthVault vault_, uint256 period_, uint256 portion_) Owned(owner_) {
        vault = vault_;
        period = period_;
        portion = portion_;
    }

    function due() public view returns (bool) {
        return block.timestamp >= last + period && address(this).balance >= portion && !vault.paused();
    }

    function run() external {
        if (!due()) revert Failed();
        last = block.timestamp;
        vault.deposit{value: portion}();
    }

    function withdraw(uint256 amount) external onlyOwner {
        vault.withdraw(amount);
    }
}

/// @notice Sells what its owner holds when the feed's price falls to a limit (a stop loss).
contract StopLoss is Owned {
    IShareVault public immutable vault;
    IAggregator public immutable feed;
    int256 public limit;

    constructor(address owner_, IShareVault vault_, IAggregator feed_, int256 limit_) Owned(owner_) {
        vault = vault_;
        feed = feed_;
        limit = limit_;
    }

    function setLimit(int256 limit_) external onlyOwner {
        limit = limit_;
    }

    function checkUpkeep(bytes calldata) external view returns (bool needed, bytes memory data) {
        (, int256 answer,, uint256 updated,) = feed.latestRoundData();
        return (answer <= limit && block.timestamp - updated < 1 days, "");
    }

    function performUpkeep(bytes calldata) external {
        (, int256 answer,, uint256 updated,) = feed.latestRoundData();
        if (answer > limit || block.timestamp - updated >= 1 days) revert Failed();
        uint256 shares = vault.balanceOf(owner);
        uint256 allowed = vault.allowance(owner, address(this));
        vault.redeem(shares < allowed ? shares : allowed, owner, owner);
    }
}

/// @notice Keeps its owner's shares between two vaults of the same asset at given weights.
contract Rebalancer is Owned {
    IShareVault public immutable vault;
    IShareVault public immutable otherVault;
    uint256 public weight = 5_000;

    constructor(address owner_, IShareVault vault_, IShareVault otherVault_) Owned(owner_) {
        vault = vault_;
        otherVault = otherVault_;
    }

    function setWeight(uint256 weight_) external onlyOwner {
        if (weight_ > 10_000) revert Failed();
        weight = weight_;
    }

    function rebalance() external onlyOwner {
        uint256 here = vault.convertToAssets(vault.balanceOf(address(this)));
        uint256 there = otherVault.convertToAssets(otherVault.balanceOf(address(this)));
        uint256 wanted = (here + there) * weight / 10_000;
        if (here > wanted) move(vault, otherVault, here - wanted);
        else if (wanted > here) move(otherVault, vault, wanted - here);
    }

    function move(IShareVault from, IShareVault to, uint256 assets) private {
        from.withdraw(assets, address(this), address(this));
        IERC20(from.asset()).approve(address(to), assets);
        to.deposit(assets, address(this));
    }
}

/// @notice Sells rewards for the asset once a day and gives the asset to the vault, as its owner says.
contract RewardSeller is Owned {
    IRouter public immutable router;
    address public immutable vault;
    uint256 public last;

    constructor(address owner_, IRouter router_, address vault_) Owned(owner_) {
        router = router_;
        vault = vault_;
    }

    function sell(address[] calldata path, uint256 least) external onlyOwner {
        if (block.timestamp < last + 1 days) revert Failed();
        last = block.timestamp;
        uint256 amount = IERC20(path[0]).balanceOf(address(this));
        IERC20(path[0]).approve(address(router), amount);
        router.swapExactTokensForTokens(amount, least, path, vault, block.timestamp);
    }
}
