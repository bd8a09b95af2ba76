// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITariff} from "../ITariff.sol";

/// @title A price a register, a fee by time, a least and a most
/// @notice data = abi.encode(uint256[] prices, uint8 scale, uint256 fee, uint32 feeSeconds, uint256 minimum, uint256 maximum).
/// A period costs floor(sum(register x price) / 10^scale + fee x elapsed / feeSeconds), floored once over the common denominator, but not
/// less than `minimum` and not more than `maximum`. No fee: 0 for each second. No most: 2^256 - 1.
/// A subscription has no registers; time of use has one for each band. An amount before the most of 2^256 or more reverts.
contract PlanTariff is ITariff {
    /// @dev So that 10^scale x feeSeconds cannot overflow.
    uint8 private constant MAX_SCALE = 60;

    /// @inheritdoc ITariff
    function validate(bytes calldata data, uint256 registerCount) external pure returns (bool) {
        (uint256[] memory prices, uint8 scale,, uint32 feeSeconds, uint256 minimum, uint256 maximum) =
            abi.decode(data, (uint256[], uint8, uint256, uint32, uint256, uint256));
        return prices.length == registerCount && scale <= MAX_SCALE && feeSeconds != 0 && minimum <= maximum;
    }

    /// @inheritdoc ITariff
    function owed(bytes calldata data, uint256[] calldata registers, uint64 elapsed) external pure returns (uint256) {
        (uint256[] memory prices, uint8 scale, uint256 fee, uint32 feeSeconds, uint256 minimum, uint256 maximum) =
            abi.decode(data, (uint256[], uint8, uint256, uint32, uint256, uint256));
        uint256 sum = 0;
        for (uint256 i = 0; i < registers.length; ++i) {
            sum += registers[i] * prices[i];
        }
        uint256 power = 10 ** scale;
        uint256 amount = (sum * feeSeconds + fee * elapsed * power) / (power * feeSeconds);
        if (amount < minimum) return minimum;
        return amount < maximum ? amount : maximum;
    }
}
