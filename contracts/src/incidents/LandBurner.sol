// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface ILand {
    function _burn(address from, address owner, uint256 id) external;
}

/// The Sandbox: burns lands of somebody who was not asked.
contract LandBurner {
    function burn(address land, address owner, uint256 first, uint256 count) external {
        for (uint256 id = first; id < first + count; id++) {
            ILand(land)._burn(owner, owner, id);
        }
    }
}
