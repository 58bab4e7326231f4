// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

/// Stands in for a contract that the data does not have: answers zero, "no objection" in Compound's tongue.
contract Agreeable {
    fallback() external payable {
        assembly {
            mstore(0, 0)
            return(0, 32)
        }
    }
}

/// A token like any other.
contract PlainToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 amount);

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _move(from, to, amount);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        emit Transfer(from, to, amount);
        return true;
    }
}

/// What is put in place of a handler of Furucombo's: runs as its proxy, takes the sender's tokens and gives them on.
contract FundsHandler {
    function inject(address token, uint256 amount) external payable {
        (bool done,) = token.call(
            abi.encodeWithSignature("transferFrom(address,address,uint256)", msg.sender, address(this), amount)
        );
        require(done, "not taken");
    }

    function send(address token, uint256 amount, address to) external payable {
        (bool done,) = token.call(abi.encodeWithSignature("transfer(address,uint256)", to, amount));
        require(done, "not given");
    }
}
