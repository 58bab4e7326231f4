// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Contracts that do not let themselves be paused as one would like, each in its own way.
contract Stubborn {
    enum Way {
        Obeys,
        Reverts,
        BurnsGas,
        SaysMuch
    }

    Way public way;
    bool public paused;

    error Never(uint256 count);

    function become(Way way_) external {
        way = way_;
    }

    function pause() external {
        if (way == Way.Reverts) revert Never(7);
        if (way == Way.BurnsGas) {
            while (true) {}
        }
        if (way == Way.SaysMuch) {
            assembly {
                revert(0, 60000)
            }
        }
        paused = true;
    }

    function setPaused(bool paused_) external {
        paused = paused_;
    }
}
