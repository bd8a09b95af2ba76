// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice RFC 9162, 2.1.1 and 2.1.4.1, recursively as the text has it: what the verifier is checked against.
library MerkleTree {
    function root(bytes32[] memory leaves, uint256 from, uint256 to) internal pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 k = split(to - from);
        return sha256(abi.encodePacked(bytes1(0x01), root(leaves, from, from + k), root(leaves, from + k, to)));
    }

    function consistency(bytes32[] memory leaves, uint256 oldSize, uint256 size)
        internal
        pure
        returns (bytes32[] memory)
    {
        return subproof(leaves, oldSize, 0, size, true);
    }

    function dropped(bytes32[] memory list, uint256 index) internal pure returns (bytes32[] memory shorter) {
        shorter = new bytes32[](list.length - 1);
        for (uint256 i = 0; i < shorter.length; ++i) {
            shorter[i] = list[i < index ? i : i + 1];
        }
    }

    function doubled(bytes32[] memory list, uint256 index) internal pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < longer.length; ++i) {
            longer[i] = list[i <= index ? i : i - 1];
        }
    }

    function subproof(bytes32[] memory leaves, uint256 m, uint256 from, uint256 to, bool complete)
        private
        pure
        returns (bytes32[] memory)
    {
        if (m == to - from) return complete ? new bytes32[](0) : append(new bytes32[](0), root(leaves, from, to));
        uint256 k = split(to - from);
        return m <= k
            ? append(subproof(leaves, m, from, from + k, complete), root(leaves, from + k, to))
            : append(subproof(leaves, m - k, from + k, to, false), root(leaves, from, from + k));
    }

    function append(bytes32[] memory list, bytes32 last) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = last;
    }

    /// @dev Largest power of two below `size`.
    function split(uint256 size) private pure returns (uint256 k) {
        k = 1;
        while (k * 2 < size) {
            k *= 2;
        }
    }
}
