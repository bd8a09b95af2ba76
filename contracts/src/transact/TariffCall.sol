// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BoundedCall} from "./BoundedCall.sol";
import {ITariff} from "./ITariff.sol";
import {EncodedTerms} from "./TermsCode.sol";

/// @title What a stranger's tariff says
library TariffCall {
    /// @dev Gas that every tariff gets.
    uint256 internal constant GAS = 100_000;

    /// @return ok false if the tariff fails
    function owed(
        EncodedTerms terms,
        uint256[] memory registers,
        uint256 elapsed
    ) internal view returns (bool ok, uint256 amount) {
        return BoundedCall.word(terms.tariff(), GAS, _encode(terms.tariffData(), registers, elapsed));
    }

    /// @dev abi.encodeCall(ITariff.owed, (data, registers, uint64(elapsed))), for half the gas. `data` is padded with zeros, as
    /// it lies in the terms.
    function _encode(
        bytes memory data,
        uint256[] memory registers,
        uint256 elapsed
    ) private pure returns (bytes memory payload) {
        bytes4 selector = ITariff.owed.selector;
        assembly ("memory-safe") {
            payload := mload(0x40)
            let first := add(payload, 0x24)
            mstore(add(payload, 0x20), selector)
            mstore(first, 0x60)
            let dataSize := add(0x20, and(add(mload(data), 0x1f), not(0x1f)))
            mstore(add(first, 0x20), add(0x60, dataSize))
            mstore(add(first, 0x40), elapsed)
            let tail := add(first, 0x60)
            mcopy(tail, data, dataSize)
            tail := add(tail, dataSize)
            let registersSize := add(0x20, shl(5, mload(registers)))
            mcopy(tail, registers, registersSize)
            tail := add(tail, registersSize)
            mstore(payload, sub(tail, add(payload, 0x20)))
            mstore(0x40, and(add(tail, 0x1f), not(0x1f)))
        }
    }
}
