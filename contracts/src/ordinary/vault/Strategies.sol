// SPDX-License-Identifier: MIT
pragma solidity >=0.8.20 <0.9.0;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20 as IToken, IEthVault, ILendingPool, IRouter, IShareVault} from "../Interfaces.sol";

/// @notice What a vault's strategy is: the vault puts in and takes out, the strategist harvests.
abstract contract Strategy {
    address public immutable vault;
    address public immutable strategist;
    IToken public immutable want;

    error NotAllowed(address caller);

    modifier onlyVault() {
        if (msg.sender != vault) revert NotAllowed(msg.sender);
        _;
    }

    modifier onlyStrategist() {
        if (msg.sender != strategist) revert NotAllowed(msg.sender);
        _;
    }

    constructor(address vault_, address strategistOwner, IToken wantToken) {
        vault = vault_;
        strategist = strategistOwner;
        want = wantToken;
    }
}

contract LendingStrategy is Strategy {
    ILendingPool public immutable lender;
    uint256 public lent;

    constructor(address vault_, address strategistOwner, IToken wantToken, ILendingPool lender_)
        Strategy(vault_, strategistOwner, wantToken)
    {
        lender = lender_;
    }

    function invest() external onlyStrategist {
        uint256 amount = want.balanceOf(address(this));
        want.approve(address(lender), amount);
        lender.supply(address(want), amount, address(this), 0);
        lent += amount;
    }

    function withdraw(uint256 amount) external onlyVault {
        lent -= amount;
        lender.withdraw(address(want), amount, vault);
    }

    function panic() external onlyStrategist {
        lent = 0;
        lender.withdraw(address(want), type(uint256).max, vault);
    }
}

contract HarvestStrategy is Strategy {
    IRouter public immutable router;
    IToken public immutable reward;
    uint256 public constant FEE = 450;

    event Harvested(uint256 rewards, uint256 assets);

    constructor(address vault_, address strategistOwner, IToken wantToken, IToken rewardToken, IRouter router_)
        Strategy(vault_, strategistOwner, wantToken)
    {
        router = router_;
        reward = rewardToken;
    }

    function pending() external view returns (uint256) {
        return reward.balanceOf(address(this));
    }

    function harvest() external onlyStrategist {
        uint256 rewards = reward.balanceOf(address(this));
        uint256 fee = rewards * FEE / 10_000;
        reward.transfer(strategist, fee);
        reward.approve(address(router), rewards - fee);
        address[] memory path = new address[](2);
        (path[0], path[1]) = (address(reward), address(want));
        uint256 assets =
            router.swapExactTokensForTokens(rewards - fee, 1, path, vault, block.timestamp)[1];
        emit Harvested(rewards, assets);
    }
}

/// @notice A vault's shares, wrapped one to one: to be moved over bridges, say.
contract WrappedShares is ERC20 {
    IShareVault public immutable vault;

    constructor(IShareVault vault_) ERC20("Wrapped Shares", "wSHARE") {
        vault = vault_;
    }

    function wrap(uint256 shares) external {
        vault.transferFrom(msg.sender, address(this), shares);
        _mint(msg.sender, shares);
    }

    function unwrap(uint256 shares) external {
        _burn(msg.sender, shares);
        vault.transfer(msg.sender, shares);
    }
}

/// @notice Liquid receipts for ether at the vault.
contract LiquidReceipts is ERC20 {
    IEthVault public immutable vault;

    error NotPaid();

    constructor(IEthVault vault_) ERC20("Vault Receipt", "vETH") {
        vault = vault_;
    }

    function deposit() external payable {
        _mint(msg.sender, msg.value);
        vault.deposit{value: msg.value}();
    }

    function withdraw(uint256 amount) external {
        _burn(msg.sender, amount);
        vault.withdraw(amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert NotPaid();
    }

    function backed() external view returns (bool) {
        return vault.balanceOf(address(this)) >= totalSupply();
    }

    receive() external payable {}
}

/// @notice Splits what the vault pays between two parts: the first gets a fixed rate, the second the rest.
contract Tranches {
    IEthVault private constant VAULT = IEthVault(0x76617A756c7476617a756c7476617a756C740001);
    uint256 public constant RATE = 300;
    uint256 public immutable end;
    uint256 public seniorTotal;
    uint256 public juniorTotal;
    uint256 public proceeds;
    mapping(address => uint256) public seniorOf;
    mapping(address => uint256) public juniorOf;

    error Closed();
    error Open();

    constructor(uint256 period) {
        end = block.timestamp + period;
    }

    function enter(bool senior) external payable {
        if (block.timestamp >= end) revert Closed();
        if (senior) {
            seniorOf[msg.sender] += msg.value;
            seniorTotal += msg.value;
        } else {
            juniorOf[msg.sender] += msg.value;
            juniorTotal += msg.value;
        }
        VAULT.deposit{value: msg.value}();
    }

    function settle() external {
        if (block.timestamp < end || proceeds > 0) revert Open();
        VAULT.withdraw(VAULT.balanceOf(address(this)));
        proceeds = address(this).balance;
    }

    function claim() external {
        if (proceeds == 0) revert Open();
        uint256 senior = seniorTotal + seniorTotal * RATE / 10_000;
        if (senior > proceeds) senior = proceeds;
        uint256 amount = seniorTotal == 0 ? 0 : senior * seniorOf[msg.sender] / seniorTotal;
        if (juniorTotal > 0) amount += (proceeds - senior) * juniorOf[msg.sender] / juniorTotal;
        seniorOf[msg.sender] = 0;
        juniorOf[msg.sender] = 0;
        (bool paid,) = msg.sender.call{value: amount}("");
        require(paid);
    }

    receive() external payable {}
}
