// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITariff} from "../ITariff.sol";

/// @title One register, marginal tiers: each unit costs the price of the tier that it falls into
/// @notice data = abi.encode(uint256[] upTo, uint256[] prices, uint8 scale). `upTo` rises strictly, has at most 64 entries and
/// is one shorter than `prices`, whose last has no upper end. Floored once. A sum of 2^256 or more reverts.
contract TieredTariff is ITariff {
    /// @dev So that `owed` needs less than two thirds of the gas that every tariff gets.
    uint256 private constant MAX_BORDERS = 64;

    /// @inheritdoc ITariff
    function validate(bytes calldata data, uint256 registerCount) external pure returns (bool) {
        (uint256[] memory upTo, uint256[] memory prices, uint8 scale) =
            abi.decode(data, (uint256[], uint256[], uint8));
        if (registerCount != 1 || prices.length != upTo.length + 1 || scale > 77) return false;
        if (upTo.length > MAX_BORDERS) return false;
        uint256 floor = 0;
        for (uint256 i = 0; i < upTo.length; ++i) {
            if (upTo[i] <= floor) return false;
            floor = upTo[i];
        }
        return true;
    }

    /// @inheritdoc ITariff
    function owed(bytes calldata data, uint256[] calldata registers, uint64) external pure returns (uint256) {
        (uint256[] memory upTo, uint256[] memory prices, uint8 scale) =
            abi.decode(data, (uint256[], uint256[], uint8));
        uint256 register = registers[0];
        uint256 floor = 0;
        uint256 sum = 0;
        for (uint256 i = 0; i < upTo.length && register > floor; ++i) {
            uint256 end = register < upTo[i] ? register : upTo[i];
            sum += (end - floor) * prices[i];
            floor = upTo[i];
        }
        if (register > floor) sum += (register - floor) * prices[upTo.length];
        return sum / 10 ** scale;
    }
}
