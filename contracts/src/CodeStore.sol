// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Data kept as contract code
/// @notice Its first byte stops whoever calls it. Reading it costs one cold account however long it is, where storage costs a cold
/// slot every 32 bytes.
library CodeStore {
    /// @dev Creation code that leaves behind what follows it.
    bytes11 private constant RETURN_THE_REST = 0x600b380380600b5f395ff3;

    error CodeStoreFailed();

    /// @notice What to create a contract with, so that `data` is its code.
    function creationCode(bytes memory data) internal pure returns (bytes memory) {
        return abi.encodePacked(RETURN_THE_REST, bytes1(0), data);
    }

    /// @notice Keeps data at a new address.
    function write(bytes memory data) internal returns (address place) {
        bytes memory code = creationCode(data);
        assembly ("memory-safe") {
            place := create(0, add(code, 0x20), mload(code))
        }
        if (place == address(0)) revert CodeStoreFailed();
    }

    /// @notice The first two words of what is kept at `place`.
    function readTwo(address place) internal view returns (bytes32 first, bytes32 second) {
        assembly ("memory-safe") {
            extcodecopy(place, 0x00, 1, 0x40)
            first := mload(0x00)
            second := mload(0x20)
        }
    }
}
