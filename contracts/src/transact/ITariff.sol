// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Price of what the registers say
/// @notice Rules: docs/protocol/agreement.md. Called with a gas cap and bounded return data; one that fails skips its item only.
interface ITariff {
    /// @notice True if `data` prices `registerCount` registers. Asked once, when an agreement opens.
    function validate(bytes calldata data, uint256 registerCount) external pure returns (bool);

    /// @notice Amount owed for a period so far, in smallest units. MUST NOT fall when a register or `elapsed` rises.
    /// @param elapsed seconds from the start of the period to the reading
    function owed(bytes calldata data, uint256[] calldata registers, uint64 elapsed) external pure returns (uint256);
}
