// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Terms} from "./Terms.sol";

/// @title Code that carries terms and does nothing
/// @notice Every call to a clone of it reverts: it has no functions.
contract InertTerms {}

/// @title Terms kept as contract code
/// @notice Reading 60 words of code costs what two cold storage slots do. What `settle` needs of the terms is read in place, from
/// their ABI encoding, without decoding the rest.
library TermsCode {
    // Index of a field's word within the encoding of `Terms`.
    uint256 private constant SIGNER_KIND = 5;
    uint256 private constant SIGNER = 6;
    uint256 private constant TARIFF = 7;
    uint256 private constant TARIFF_DATA = 8;
    uint256 private constant LIMITS = 9;
    uint256 private constant CAP_MINOR = 10;
    uint256 private constant START = 11;
    uint256 private constant PERIOD_SECONDS = 12;
    uint256 private constant PERIODS = 13;

    function store(address inert, Terms memory terms) internal returns (address) {
        return Clones.cloneWithImmutableArgs(inert, abi.encode(terms));
    }

    function read(address code) internal view returns (Terms memory) {
        return abi.decode(Clones.fetchCloneArgs(code), (Terms));
    }

    /// @return base memory address of the first field's word
    function load(address code) internal view returns (uint256 base) {
        bytes memory encoded = Clones.fetchCloneArgs(code);
        assembly ("memory-safe") {
            base := add(encoded, 0x40) // past the length and the offset of the one dynamic argument
        }
    }

    function signerKind(uint256 base) internal pure returns (uint256) {
        return _word(base, SIGNER_KIND);
    }

    function signer(uint256 base) internal pure returns (uint256) {
        return _word(base, SIGNER);
    }

    function tariff(uint256 base) internal pure returns (address) {
        return address(uint160(_word(base, TARIFF)));
    }

    function tariffData(uint256 base) internal pure returns (bytes memory data) {
        uint256 offset = _word(base, TARIFF_DATA);
        assembly ("memory-safe") {
            data := add(base, offset)
        }
    }

    function limitCount(uint256 base) internal pure returns (uint256 count) {
        uint256 offset = _word(base, LIMITS);
        assembly ("memory-safe") {
            count := mload(add(base, offset))
        }
    }

    /// @param index below `limitCount`
    function limit(uint256 base, uint256 index) internal pure returns (uint256 burst, uint256 perHour) {
        uint256 offset = _word(base, LIMITS);
        assembly ("memory-safe") {
            let entry := add(add(base, offset), add(0x20, shl(6, index)))
            burst := mload(entry)
            perHour := mload(add(entry, 0x20))
        }
    }

    function capMinor(uint256 base) internal pure returns (uint256) {
        return _word(base, CAP_MINOR);
    }

    function start(uint256 base) internal pure returns (uint256) {
        return _word(base, START);
    }

    function periodSeconds(uint256 base) internal pure returns (uint256) {
        return _word(base, PERIOD_SECONDS);
    }

    function periods(uint256 base) internal pure returns (uint256) {
        return _word(base, PERIODS);
    }

    function _word(uint256 base, uint256 index) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(base, shl(5, index)))
        }
    }
}
