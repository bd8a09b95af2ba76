// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title RFC 9162, 2.1.4.2: one Merkle tree is the beginning of another
library Consistency {
    /// @notice True if the tree of `size` leaves under `root` begins with the tree of `oldSize` leaves under `oldRoot`.
    /// False unless 0 < oldSize < size.
    function holds(
        uint64 oldSize,
        bytes32 oldRoot,
        uint64 size,
        bytes32 root,
        bytes32[] calldata proof
    ) internal pure returns (bool) {
        if (oldSize == 0 || oldSize >= size || proof.length == 0) return false;

        uint64 node = oldSize - 1;
        uint64 last = size - 1;
        while (node & 1 == 1) {
            node >>= 1;
            last >>= 1;
        }

        // A complete old tree is a node of the new one, so the proof need not repeat its root.
        uint256 next = node == 0 ? 0 : 1;
        bytes32 oldHash = node == 0 ? oldRoot : proof[0];
        bytes32 hash = oldHash;
        for (; next < proof.length; ++next) {
            if (last == 0) return false;
            if (node & 1 == 1 || node == last) {
                oldHash = _parent(proof[next], oldHash);
                hash = _parent(proof[next], hash);
                while (node & 1 == 0 && node != 0) {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                hash = _parent(hash, proof[next]);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && oldHash == oldRoot && hash == root;
    }

    function _parent(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
