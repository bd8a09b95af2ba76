// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITariff} from "../ITariff.sol";

/// @title One price a register: floor(sum(register x price) / 10^scale), floored once
/// @notice data = abi.encode(uint256[] prices, uint8 scale). A sum of 2^256 or more reverts.
contract LinearTariff is ITariff {
    /// @dev 10^77 is the largest power of ten below 2^256.
    uint256 private constant MAX_SCALE = 77;

    error ScaleTooLarge(uint256 have, uint256 maximum);

    /// @inheritdoc ITariff
    function validate(bytes calldata data, uint256 registerCount) external pure returns (bool) {
        (uint256[] memory prices, uint8 scale) = abi.decode(data, (uint256[], uint8));
        return prices.length == registerCount && scale <= MAX_SCALE;
    }

    /// @inheritdoc ITariff
    function owed(bytes calldata data, uint256[] calldata registers, uint64) external pure returns (uint256) {
        // In place: decoding costs as much again. `validate` has seen that it is the encoding.
        uint256 place = uint256(bytes32(data)) + 0x20;
        uint256 scale = uint256(bytes32(data[0x20:]));
        uint256 sum = 0;
        for (uint256 i = 0; i < registers.length; ++i) {
            sum += registers[i] * uint256(bytes32(data[place:place + 0x20]));
            place += 0x20;
        }
        if (scale > MAX_SCALE) revert ScaleTooLarge(scale, MAX_SCALE);
        unchecked {
            return sum / 10 ** scale;
        }
    }
}
