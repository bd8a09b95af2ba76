// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITariff} from "./ITariff.sol";

/// @title A call into a stranger's tariff that can neither burn the batch's gas nor flood its memory
library TariffCall {
    /// @dev Gas that every tariff gets, no more and no less.
    uint256 internal constant GAS = 100_000;
    // Cold account access plus what lies between the check and the call.
    uint256 private constant OVERHEAD = 5_000;

    /// @dev The caller gave too little gas to tell a failing tariff from a starved one. Send the batch with more.
    error TariffGasTooLow(uint256 have, uint256 needed);

    /// @return ok false if the tariff reverted, ran out of its gas or did not return exactly one word
    function owed(
        address tariff,
        bytes memory data,
        uint256[] calldata registers,
        uint256 elapsed
    ) internal view returns (bool ok, uint256 amount) {
        bytes memory payload = abi.encodeCall(ITariff.owed, (data, registers, uint64(elapsed)));
        uint256 needed = (GAS * 64) / 63 + OVERHEAD;
        if (gasleft() < needed) revert TariffGasTooLow(gasleft(), needed);
        assembly ("memory-safe") {
            ok := staticcall(GAS, tariff, add(payload, 0x20), mload(payload), 0x00, 0x20)
            ok := and(ok, eq(returndatasize(), 0x20))
            amount := mload(0x00)
        }
    }
}
