// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "./IERC20.sol";

/// @title Votes on calls and makes them, out of a treasury it holds itself, with the hole of Beanstalk (2022): a vote
/// weighs what the voter holds at this moment, and what has the majority can be executed at once.
contract Governor {
    struct Proposal {
        address target;
        bytes data;
        uint256 votes;
        bool executed;
    }

    IERC20 public immutable token;
    Proposal[] public proposals;
    mapping(uint256 => mapping(address => bool)) public voted;

    event Proposed(uint256 indexed id, address indexed by);
    event Voted(uint256 indexed id, address indexed by, uint256 votes);
    event Executed(uint256 indexed id);

    constructor(IERC20 token_) {
        token = token_;
    }

    function propose(address target, bytes calldata data) external returns (uint256 id) {
        id = proposals.length;
        proposals.push(Proposal(target, data, 0, false));
        emit Proposed(id, msg.sender);
    }

    function vote(uint256 id) external {
        require(!voted[id][msg.sender], "voted");
        voted[id][msg.sender] = true;
        uint256 votes = token.balanceOf(msg.sender);
        proposals[id].votes += votes;
        emit Voted(id, msg.sender, votes);
    }

    function execute(uint256 id) external {
        Proposal storage proposal = proposals[id];
        require(!proposal.executed && proposal.votes * 2 > token.totalSupply(), "no majority");
        proposal.executed = true;
        (bool done,) = proposal.target.call(proposal.data);
        require(done, "the call failed");
        emit Executed(id);
    }
}
