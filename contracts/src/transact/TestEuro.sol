// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

/// @title Test euro: a TEST ASSET without any value
/// @notice For the embedded chain, demonstrations and tests only. Anyone mints as much as he likes. Six decimals, ERC-2612 and
/// ERC-3009, as the euro tokens in use have.
contract TestEuro is ERC20, ERC20Permit, ERC3009 {
    constructor() ERC20("Test Euro (no value)", "tEUR") ERC20Permit("Test Euro (no value)") {}

    /// @notice Makes `amount` smallest units out of nothing, for whoever asks.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice 6: one euro is 1,000,000 smallest units.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
