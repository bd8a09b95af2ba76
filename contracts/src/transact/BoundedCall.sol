// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A static call that can neither burn the batch's gas nor flood its memory, and that nobody can starve
library BoundedCall {
    // Cold account access plus what lies between the check and the call.
    uint256 private constant OVERHEAD = 5_000;

    /// @dev The caller gave too little gas to tell a failing call from a starved one. Send the batch with more.
    error GasTooLow(uint256 have, uint256 needed);

    /// @param gasCap gas that the call gets, no more and no less
    /// @return ok false if the call reverted, ran out of its gas or did not return exactly one word
    function word(
        address target,
        uint256 gasCap,
        bytes memory payload
    ) internal view returns (bool ok, uint256 value) {
        uint256 needed = (gasCap * 64) / 63 + OVERHEAD;
        if (gasleft() < needed) revert GasTooLow(gasleft(), needed);
        assembly ("memory-safe") {
            ok := staticcall(gasCap, target, add(payload, 0x20), mload(payload), 0x00, 0x20)
            ok := and(ok, eq(returndatasize(), 0x20))
            value := mload(0x00)
        }
    }
}
