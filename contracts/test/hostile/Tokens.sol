// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

contract MintableToken is ERC20("Hostile", "HSTL") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Keeps one unit of every transfer.
contract FeeToken is MintableToken {
    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0) && amount != 0) super._update(to, address(0xfee), 1);
    }
}

/// @notice Returns false where others revert.
contract FalseToken is MintableToken {
    function transfer(address, uint256) public pure override returns (bool) {
        return false;
    }

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// @notice Says yes and moves nothing.
contract LyingToken is MintableToken {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @notice Calls back into whoever it is told to, in the middle of a transfer, and notes what came of it.
contract ReentrantToken is MintableToken {
    address public target;
    bytes public payload;
    bool public succeeded;

    function plan(address target_, bytes calldata payload_) external {
        target = target_;
        payload = payload_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (target == address(0) || from == address(0)) return;
        address once = target;
        target = address(0);
        (succeeded,) = once.call(payload);
    }
}

/// @notice Takes a part of a holder's balance at will.
contract RebasingToken is MintableToken {
    function shrink(address holder, uint256 amount) external {
        _burn(holder, amount);
    }
}
