// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {IERC20, IEthVault, IRouter} from "../Interfaces.sol";
import {Owned} from "../Owned.sol";

/// @notice Many people's ether in the vault under one name, each with its part of what the vault owes.
contract PooledDepositor {
    IEthVault public immutable vault;
    mapping(address => uint256) public depositOf;
    bool private entered;

    error Reentered();
    error TooMuch(uint256 has);
    error NotPaid();

    modifier once() {
        if (entered) revert Reentered();
        entered = true;
        _;
        entered = false;
    }

    constructor(IEthVault vault_) {
        vault = vault_;
    }

    function deposit() external payable once {
        depositOf[msg.sender] += msg.value;
        vault.deposit{value: msg.value}();
    }

    function withdraw(uint256 amount) external once {
        if (depositOf[msg.sender] < amount) revert TooMuch(depositOf[msg.sender]);
        depositOf[msg.sender] -= amount;
        vault.withdraw(amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert NotPaid();
    }

    receive() external payable {}
}

/// @notice One person's account at the vault: only the owner deposits and withdraws.
contract VaultAccount is Owned {
    IEthVault public immutable vault;

    constructor(address owner_, IEthVault vault_) Owned(owner_) {
        vault = vault_;
    }

    function deposit() external payable onlyOwner {
        vault.deposit{value: msg.value}();
    }

    function depositAll() external onlyOwner {
        vault.deposit{value: address(this).balance}();
    }

    function withdraw(uint256 amount) external onlyOwner {
        vault.withdraw(amount);
        (bool paid,) = owner.call{value: amount}("");
        if (!paid) revert Failed();
    }

    function close() external onlyOwner {
        uint256 all = vault.balanceOf(address(this));
        if (all > 0) vault.withdraw(all);
        (bool paid,) = owner.call{value: address(this).balance}("");
        if (!paid) revert Failed();
    }
}

/// @notice Passes deposits on less a fee, and turns tokens to ether first where asked to.
contract FeeDepositor is Owned {
    IEthVault public immutable vault;
    IRouter public immutable router;
    uint256 public immutable fee;
    mapping(address => uint256) public creditOf;

    constructor(address owner_, IEthVault vault_, IRouter router_, uint256 fee_) Owned(owner_) {
        vault = vault_;
        router = router_;
        fee = fee_;
    }

    function deposit() external payable {
        uint256 kept = msg.value * fee / 10_000;
        creditOf[msg.sender] += msg.value - kept;
        vault.deposit{value: msg.value - kept}();
    }

    function depositToken(IERC20 token, uint256 amount, address[] calldata path, uint256 least) external {
        token.transferFrom(msg.sender, address(this), amount);
        token.approve(address(router), amount);
        router.swapExactTokensForTokens(amount, least, path, msg.sender, block.timestamp);
    }

    function withdraw(uint256 amount) external {
        creditOf[msg.sender] -= amount;
        vault.withdraw(amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert Failed();
    }
}

/// @notice Moves its owner's deposit from one vault to the next, for good.
contract Migrator is Owned {
    IEthVault public immutable oldVault;
    IEthVault public immutable newVault;

    constructor(address owner_, IEthVault oldVault_, IEthVault newVault_) Owned(owner_) {
        oldVault = oldVault_;
        newVault = newVault_;
    }

    function deposit() external payable onlyOwner {
        oldVault.deposit{value: msg.value}();
    }

    function migrate(uint256 portion) external onlyOwner {
        uint256 all = oldVault.balanceOf(address(this));
        while (all > 0) {
            uint256 part = all < portion ? all : portion;
            oldVault.withdraw(part);
            newVault.deposit{value: part}();
            all -= part;
        }
    }
}

/// @notice Savings at the vault whose address is in the code, locked until a day.
contract LockedSavings {
    IEthVault private constant VAULT = IEthVault(0x76617A756c7476617a756c7476617a756C740001);
    uint256 public immutable until;
    mapping(address => uint256) public savedBy;

    error Locked(uint256 until);
    error NotPaid();

    constructor(uint256 period) {
        until = block.timestamp + period;
    }

    function save() external payable {
        savedBy[msg.sender] += msg.value;
        VAULT.deposit{value: msg.value}();
    }

    function take() external {
        if (block.timestamp < until) revert Locked(until);
        uint256 amount = savedBy[msg.sender];
        savedBy[msg.sender] = 0;
        VAULT.withdraw(amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert NotPaid();
    }

    receive() external payable {}
}
