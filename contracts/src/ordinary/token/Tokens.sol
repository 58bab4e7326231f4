// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20FlashMint} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20FlashMint.sol";
import {ERC20Pausable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Pausable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {ERC20Wrapper} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Wrapper.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

contract FixedSupply is ERC20 {
    constructor(string memory name, string memory symbol, uint256 supply) ERC20(name, symbol) {
        _mint(msg.sender, supply);
    }
}

contract MintableToken is ERC20, ERC20Burnable, Ownable {
    constructor(address owner_) ERC20("Mintable", "MINT") Ownable(owner_) {}

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}

contract CappedToken is ERC20Capped, Ownable {
    constructor(address owner_, uint256 cap_) ERC20("Capped", "CAP") ERC20Capped(cap_) Ownable(owner_) {}

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}

contract PausableToken is ERC20Pausable, ERC20Burnable, AccessControl {
    bytes32 public constant PAUSER = keccak256("PAUSER");
    bytes32 public constant MINTER = keccak256("MINTER");

    constructor(address admin) ERC20("Pausable", "PAUSE") {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(PAUSER, admin);
        _grantRole(MINTER, admin);
    }

    function pause() external onlyRole(PAUSER) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER) {
        _unpause();
    }

    function mint(address to, uint256 amount) external onlyRole(MINTER) {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Pausable) {
        super._update(from, to, value);
    }
}

contract PermitToken is ERC20Permit {
    constructor(uint256 supply) ERC20("Permit", "PMT") ERC20Permit("Permit") {
        _mint(msg.sender, supply);
    }
}

contract VotesToken is ERC20Permit, ERC20Votes {
    constructor(uint256 supply) ERC20("Votes", "VOTE") ERC20Permit("Votes") {
        _mint(msg.sender, supply);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }
}

contract FlashToken is ERC20FlashMint {
    constructor(uint256 supply) ERC20("Flash", "FLASH") {
        _mint(msg.sender, supply);
    }
}

contract WrapperToken is ERC20Wrapper {
    constructor(IERC20 underlying) ERC20("Wrapper", "WRAP") ERC20Wrapper(underlying) {}
}

/// @notice Takes a part of each trade with its pairs, for its treasury; the owner lists pairs.
contract TaxedToken is ERC20, Ownable {
    address public immutable treasury;
    uint256 public immutable fee;
    mapping(address => bool) public isPair;

    constructor(address owner_, address treasury_, uint256 fee_, uint256 supply)
        ERC20("Taxed", "TAX")
        Ownable(owner_)
    {
        require(fee_ <= 500, "fee");
        (treasury, fee) = (treasury_, fee_);
        _mint(owner_, supply);
    }

    function setPair(address pair, bool listed) external onlyOwner {
        isPair[pair] = listed;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (isPair[from] || isPair[to]) {
            uint256 taken = value * fee / 10_000;
            super._update(from, treasury, taken);
            value -= taken;
        }
        super._update(from, to, value);
    }
}

/// @notice Balances that grow by a factor the owner raises.
contract RebasingToken is Ownable {
    string public constant name = "Rebasing";
    string public constant symbol = "REB";
    uint8 public constant decimals = 18;
    uint256 public factor = 1e18;
    uint256 private shares;
    mapping(address => uint256) private sharesOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    constructor(address owner_, uint256 supply) Ownable(owner_) {
        (shares, sharesOf[owner_]) = (supply, supply);
        emit Transfer(address(0), owner_, supply);
    }

    function totalSupply() external view returns (uint256) {
        return shares * factor / 1e18;
    }

    function balanceOf(address account) external view returns (uint256) {
        return sharesOf[account] * factor / 1e18;
    }

    function rebase(uint256 factor_) external onlyOwner {
        require(factor_ >= factor && factor_ <= factor * 11 / 10, "factor");
        factor = factor_;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        move(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        allowance[from][msg.sender] -= value;
        move(from, to, value);
        return true;
    }

    function move(address from, address to, uint256 value) private {
        uint256 moved = value * 1e18 / factor;
        sharesOf[from] -= moved;
        sharesOf[to] += moved;
        emit Transfer(from, to, value);
    }
}
