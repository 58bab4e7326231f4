// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IEthVault, IShareVault} from "../Interfaces.sol";

/// @notice What a page shows of a vault and its users, in one call.
contract VaultLens {
    struct State {
        uint256 balance;
        uint256 totalDeposits;
        bool paused;
    }

    function state(IEthVault vault) external view returns (State memory) {
        return State(address(vault).balance, vault.totalDeposits(), vault.paused());
    }

    function balances(IEthVault vault, address[] calldata accounts) external view returns (uint256[] memory all) {
        all = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            all[i] = vault.balanceOf(accounts[i]);
        }
    }
}

/// @notice The same for one vault of shares.
contract ShareLens {
    IShareVault public immutable vault;

    constructor(IShareVault vault_) {
        vault = vault_;
    }

    function values(address[] calldata accounts) external view returns (uint256[] memory all, uint256 total) {
        all = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            all[i] = vault.convertToAssets(vault.balanceOf(accounts[i]));
            total += all[i];
        }
    }

    function aggregate(address[] calldata targets, bytes[] calldata data) external returns (bytes[] memory results) {
        results = new bytes[](targets.length);
        for (uint256 i = 0; i < targets.length; ++i) {
            bool done;
            (done, results[i]) = targets[i].call(data[i]);
            require(done);
        }
    }
}
