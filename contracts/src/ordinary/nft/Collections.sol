// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721Enumerable} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721Enumerable.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ERC721A} from "erc721a/contracts/ERC721A.sol";
import {ERC721 as SolmateNft} from "solmate/tokens/ERC721.sol";

contract PublicSale is ERC721Enumerable, Ownable {
    uint256 public immutable price;
    uint256 public constant MOST = 10_000;

    constructor(address owner_, uint256 price_) ERC721("Public Sale", "SALE") Ownable(owner_) {
        price = price_;
    }

    function mint(uint256 count) external payable {
        require(msg.value == price * count && totalSupply() + count <= MOST, "sale");
        for (uint256 i = 0; i < count; ++i) {
            _safeMint(msg.sender, totalSupply());
        }
    }

    function withdraw() external onlyOwner {
        (bool paid,) = owner().call{value: address(this).balance}("");
        require(paid);
    }
}

contract AllowlistSale is ERC721A, Ownable {
    bytes32 public immutable root;
    mapping(address => bool) public claimed;

    constructor(address owner_, bytes32 root_) ERC721A("Allowlist", "LIST") Ownable(owner_) {
        root = root_;
    }

    function mint(bytes32[] calldata proof, uint256 count) external {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(msg.sender, count))));
        require(!claimed[msg.sender] && MerkleProof.verifyCalldata(proof, root, leaf), "not listed");
        claimed[msg.sender] = true;
        _mint(msg.sender, count);
    }
}

contract RoyaltyArt is ERC721URIStorage, ERC2981, Ownable {
    uint256 private next;

    constructor(address owner_) ERC721("Royalty Art", "ART") Ownable(owner_) {
        _setDefaultRoyalty(owner_, 500);
    }

    function mint(address to, string calldata uri) external onlyOwner {
        _safeMint(to, next);
        _setTokenURI(next++, uri);
    }

    function supportsInterface(bytes4 id) public view override(ERC721URIStorage, ERC2981) returns (bool) {
        return super.supportsInterface(id);
    }
}

contract SoulboundBadge is SolmateNft {
    address public immutable issuer;

    constructor(address issuerOwner) SolmateNft("Badge", "BADGE") {
        issuer = issuerOwner;
    }

    function issue(address to, uint256 id) external {
        require(msg.sender == issuer, "issuer");
        _mint(to, id);
    }

    function transferFrom(address, address, uint256) public pure override {
        revert("soulbound");
    }

    function tokenURI(uint256) public pure override returns (string memory) {
        return "";
    }
}
