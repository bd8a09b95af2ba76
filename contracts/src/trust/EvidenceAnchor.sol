// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Consistency} from "./Consistency.sol";

/// @title Public anchors of evidence logs
/// @notice Rules: docs/protocol/log.md. A log is its sender's account, so nobody can squat another's. Each anchored root is
/// proven to continue the one before.
contract EvidenceAnchor {
    mapping(address log => uint64) private _latestSize;
    mapping(address log => mapping(uint64 size => bytes32)) private _roots;

    event Anchored(address indexed log, uint64 size, bytes32 root, uint64 previousSize);

    error TreeEmpty(address log);
    /// @dev Two roots for one size: the log has forked.
    error RootDiffers(address log, uint64 size, bytes32 have, bytes32 given);
    error SizeNotRising(address log, uint64 have, uint64 given);
    error NotConsistent(address log, uint64 have, uint64 given);

    /// @notice Anchors the sender's log at `size` leaves. Anchoring the same size and root again changes nothing.
    /// @param proof RFC 9162 consistency proof from the sender's last anchor; empty for the first
    function anchor(uint64 size, bytes32 root, bytes32[] calldata proof) external {
        if (size == 0) revert TreeEmpty(msg.sender);
        uint64 previousSize = _latestSize[msg.sender];
        bytes32 known = _roots[msg.sender][size];
        if (known != 0 && known != root) revert RootDiffers(msg.sender, size, known, root);
        if (known != 0) return;
        if (size < previousSize) revert SizeNotRising(msg.sender, previousSize, size);
        bool consistent = previousSize == 0
            ? proof.length == 0 && root != 0
            : Consistency.holds(previousSize, _roots[msg.sender][previousSize], size, root, proof);
        if (!consistent) revert NotConsistent(msg.sender, previousSize, size);
        _latestSize[msg.sender] = size;
        _roots[msg.sender][size] = root;
        emit Anchored(msg.sender, size, root, previousSize);
    }

    /// @notice The last anchor of `log`; zeros if it has none.
    function latest(address log) external view returns (uint64 size, bytes32 root) {
        size = _latestSize[log];
        root = _roots[log][size];
    }

    /// @notice Root that `log` anchored for exactly `size` leaves; zero if it did not.
    function rootAt(address log, uint64 size) external view returns (bytes32) {
        return _roots[log][size];
    }
}
