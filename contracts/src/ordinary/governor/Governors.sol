// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24 <0.9.0;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";

contract SimpleGovernor is GovernorCountingSimple, GovernorVotes {
    constructor(IVotes votesToken) Governor("Simple") GovernorVotes(votesToken) {}

    function votingDelay() public pure override returns (uint256) {
        return 7200;
    }

    function votingPeriod() public pure override returns (uint256) {
        return 50400;
    }

    function quorum(uint256) public pure override returns (uint256) {
        return 1e18;
    }
}
