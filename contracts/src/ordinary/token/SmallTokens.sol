// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {ERC20 as SoladyToken} from "solady/tokens/ERC20.sol";
import {WETH as SoladyWETH} from "solady/tokens/WETH.sol";
import {Owned} from "solmate/auth/Owned.sol";
import {ERC20 as SolmateToken} from "solmate/tokens/ERC20.sol";
import {WETH as SolmateWETH} from "solmate/tokens/WETH.sol";

contract SolmateMintable is SolmateToken, Owned {
    constructor(address owner_) SolmateToken("Solmate", "SOLM", 18) Owned(owner_) {}

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
    }
}

contract SoladyFixed is SoladyToken {
    constructor(uint256 supply) {
        _mint(msg.sender, supply);
    }

    function name() public pure override returns (string memory) {
        return "Solady";
    }

    function symbol() public pure override returns (string memory) {
        return "SOLD";
    }
}

contract WrappedEtherA is SolmateWETH {}

contract WrappedEtherB is SoladyWETH {}
