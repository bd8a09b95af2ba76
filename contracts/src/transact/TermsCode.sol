// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Create3} from "@openzeppelin/contracts/utils/Create3.sol";
import {CodeStore} from "../CodeStore.sol";
import {Terms} from "./Terms.sol";

/// @dev Memory address of the first field of ABI-encoded terms.
type EncodedTerms is uint256;

using TermsCode for EncodedTerms global;

/// @title Terms kept as contract code
/// @notice Reading 60 words of code costs what two cold storage slots do. Its address follows from the agreement id, so no slot
/// holds it. What `settle` needs of the terms is read in place, from their ABI encoding, without decoding the rest.
library TermsCode {
    // Index of a field's word within the encoding of `Terms`.
    uint256 private constant PAYER = 0;
    uint256 private constant ASSET = 2;
    uint256 private constant MACHINE_ID = 3;
    uint256 private constant METERS = 4;
    uint256 private constant SIGNER_KIND = 5;
    uint256 private constant SIGNER = 6;
    uint256 private constant TARIFF = 7;
    uint256 private constant TARIFF_DATA = 8;
    uint256 private constant LIMITS = 9;
    uint256 private constant CAP_MINOR = 10;
    uint256 private constant START = 11;
    uint256 private constant PERIOD_SECONDS = 12;
    uint256 private constant PERIODS = 13;
    uint256 private constant LATE_SECONDS = 15;
    uint256 private constant SETTLE_SECONDS = 17;
    uint256 private constant SHARED = 18;

    /// @notice Keeps terms as the code of a new contract, for ever.
    function store(bytes32 id, Terms calldata terms) internal returns (EncodedTerms) {
        bytes memory encoded = abi.encode(terms);
        Create3.deploy(0, id, CodeStore.creationCode(encoded));
        uint256 base;
        assembly ("memory-safe") {
            base := add(encoded, 0x40) // past the length and the offset of the one dynamic argument
        }
        return EncodedTerms.wrap(base);
    }

    /// @dev Loads the terms of an agreement which is or was open.
    function load(bytes32 id) internal view returns (EncodedTerms) {
        address code = Create3.computeAddress(id);
        uint256 base;
        assembly ("memory-safe") {
            let size := sub(extcodesize(code), 1)
            base := mload(0x40)
            extcodecopy(code, base, 1, size)
            mstore(0x40, add(base, size))
            base := add(base, 0x20) // past the offset of the one dynamic argument
        }
        return EncodedTerms.wrap(base);
    }

    /// @dev Ends the call and returns the terms to the caller, as they were encoded.
    function returnAll(bytes32 id) internal view {
        EncodedTerms terms = load(id);
        assembly ("memory-safe") {
            let from := sub(terms, 0x20)
            return(from, sub(mload(0x40), from))
        }
    }

    function payer(EncodedTerms self) internal pure returns (address) {
        return address(uint160(_word(self, PAYER)));
    }

    function asset(EncodedTerms self) internal pure returns (address) {
        return address(uint160(_word(self, ASSET)));
    }

    function machineId(EncodedTerms self) internal pure returns (uint256) {
        return _word(self, MACHINE_ID);
    }

    function meterCount(EncodedTerms self) internal pure returns (uint256) {
        return _mload(_at(self, METERS));
    }

    /// @param index below `meterCount`
    function stream(EncodedTerms self, uint256 index) internal pure returns (bytes memory name) {
        uint256 meters = _at(self, METERS) + 0x20;
        uint256 meter = meters + _mload(meters + (index << 5));
        uint256 place = meter + _mload(meter);
        assembly ("memory-safe") {
            name := place
        }
    }

    function signerKind(EncodedTerms self) internal pure returns (uint256) {
        return _word(self, SIGNER_KIND);
    }

    function signer(EncodedTerms self) internal pure returns (bytes32) {
        return bytes32(_word(self, SIGNER));
    }

    function tariff(EncodedTerms self) internal pure returns (address) {
        return address(uint160(_word(self, TARIFF)));
    }

    function tariffData(EncodedTerms self) internal pure returns (bytes memory data) {
        uint256 place = _at(self, TARIFF_DATA);
        assembly ("memory-safe") {
            data := place
        }
    }

    /// @notice The number of registers.
    function limitCount(EncodedTerms self) internal pure returns (uint256) {
        return _mload(_at(self, LIMITS));
    }

    /// @param index below `limitCount`
    function limit(EncodedTerms self, uint256 index) internal pure returns (uint256 burst, uint256 perHour) {
        unchecked {
            uint256 entry = _at(self, LIMITS) + 0x20 + (index << 6);
            return (_mload(entry), _mload(entry + 0x20));
        }
    }

    function capMinor(EncodedTerms self) internal pure returns (uint256) {
        return _word(self, CAP_MINOR);
    }

    function start(EncodedTerms self) internal pure returns (uint256) {
        return _word(self, START);
    }

    function periodSeconds(EncodedTerms self) internal pure returns (uint256) {
        return _word(self, PERIOD_SECONDS);
    }

    function periods(EncodedTerms self) internal pure returns (uint256) {
        return _word(self, PERIODS);
    }

    function lateSeconds(EncodedTerms self) internal pure returns (uint256) {
        return _word(self, LATE_SECONDS);
    }

    function settleSeconds(EncodedTerms self) internal pure returns (uint256) {
        return _word(self, SETTLE_SECONDS);
    }

    function isShared(EncodedTerms self) internal pure returns (bool) {
        return _word(self, SHARED) != 0;
    }

    function _word(EncodedTerms self, uint256 index) private pure returns (uint256) {
        unchecked {
            return _mload(EncodedTerms.unwrap(self) + (index << 5));
        }
    }

    /// @dev Where a field of variable length begins: at its length.
    function _at(EncodedTerms self, uint256 index) private pure returns (uint256) {
        unchecked {
            return EncodedTerms.unwrap(self) + _word(self, index);
        }
    }

    function _mload(uint256 place) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(place)
        }
    }
}
