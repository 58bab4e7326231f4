// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {ERC1155Supply} from "@openzeppelin/contracts/token/ERC1155/extensions/ERC1155Supply.sol";
import {ERC6909} from "solmate/tokens/ERC6909.sol";
import {ERC1155 as SolmateItems} from "solmate/tokens/ERC1155.sol";

contract GameItems is ERC1155Supply, Ownable {
    constructor(address owner_) ERC1155("https://example.invalid/{id}") Ownable(owner_) {}

    function mintBatch(address to, uint256[] calldata ids, uint256[] calldata amounts) external onlyOwner {
        _mintBatch(to, ids, amounts, "");
    }
}

contract OpenEdition is SolmateItems {
    uint256 public immutable price;
    address public immutable artist;

    constructor(uint256 price_, address artistOwner) {
        (price, artist) = (price_, artistOwner);
    }

    function mint(uint256 id, uint256 amount) external payable {
        require(msg.value == price * amount, "price");
        _mint(msg.sender, id, amount, "");
    }

    function withdraw() external {
        (bool paid,) = artist.call{value: address(this).balance}("");
        require(paid);
    }

    function uri(uint256) public pure override returns (string memory) {
        return "";
    }
}

contract Claims is ERC6909 {
    function deposit(uint256 id) external payable {
        require(id == uint160(msg.sender));
        _mint(msg.sender, id, msg.value);
    }

    function withdraw(uint256 id, uint256 amount) external {
        _burn(msg.sender, id, amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        require(paid);
    }
}
