// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceAnchor} from "../../src/trust/EvidenceAnchor.sol";
import {MerkleTree} from "../support/MerkleTree.sol";
import {Test} from "../support/Test.sol";
import {Deploy} from "../support/Deploy.sol";

contract EvidenceAnchorTest is Test {
    EvidenceAnchor private anchor;
    address private log = account("log");

    function setUp() public {
        anchor = Deploy.evidenceAnchor();
    }

    function leaves(uint256 count, uint256 seed) private pure returns (bytes32[] memory list) {
        list = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = keccak256(abi.encode(seed, i));
        }
    }

    function none() private pure returns (bytes32[] memory) {
        return new bytes32[](0);
    }

    function test_FirstAnchorNeedsNoProofAndTakesNone() public {
        vm.startPrank(log);
        vm.expectRevert(abi.encodeWithSelector(EvidenceAnchor.TreeEmpty.selector, log));
        anchor.anchor(0, "root", none());
        vm.expectRevert(abi.encodeWithSelector(EvidenceAnchor.NotConsistent.selector, log, 0, 5));
        anchor.anchor(5, "root", new bytes32[](1));
        vm.expectPartialRevert(EvidenceAnchor.NotConsistent.selector);
        anchor.anchor(5, 0, none());
        vm.expectEmit(true, true, true, true, address(anchor));
        emit EvidenceAnchor.Anchored(log, 5, "root", 0);
        anchor.anchor(5, "root", none());
        vm.stopPrank();
        (uint64 size, bytes32 root) = anchor.latest(log);
        assertEq(size, 5, "size");
        assertEq(root, "root", "root");
        (size,) = anchor.latest(account("another log"));
        assertEq(size, 0, "another log has none");
    }

    function test_INV22_TwoRootsForOneSizeRevert() public {
        bytes32[] memory list = leaves(9, 1);
        bytes32 five = MerkleTree.root(list, 0, 5);
        bytes32 nine = MerkleTree.root(list, 0, 9);
        bytes32[] memory proof = MerkleTree.consistency(list, 5, 9);
        vm.startPrank(log);
        anchor.anchor(5, five, none());
        vm.expectRevert(abi.encodeWithSelector(EvidenceAnchor.RootDiffers.selector, log, 5, five, bytes32("other")));
        anchor.anchor(5, "other", none());
        anchor.anchor(5, five, none());
        anchor.anchor(9, nine, proof);
        vm.expectRevert(abi.encodeWithSelector(EvidenceAnchor.SizeNotRising.selector, log, 9, 7));
        anchor.anchor(7, "any", none());
        vm.expectPartialRevert(EvidenceAnchor.RootDiffers.selector);
        anchor.anchor(5, "other", none());
        anchor.anchor(5, five, none());
        vm.stopPrank();
        (uint64 size,) = anchor.latest(log);
        assertEq(size, 9, "an old anchor again changes nothing");
        assertEq(anchor.rootAt(log, 5), five, "rootAt 5");
        assertEq(anchor.rootAt(log, 9), nine, "rootAt 9");
        assertEq(anchor.rootAt(log, 7), 0, "rootAt 7");
    }

    function test_AnchorsAreTheSendersOwn() public {
        vm.prank(log);
        anchor.anchor(5, "mine", none());
        vm.prank(account("squatter"));
        anchor.anchor(5, "theirs", none());
        assertEq(anchor.rootAt(log, 5), "mine", "mine");
    }

    function testFuzz_GrowingTreesAnchor(uint256 oldSize, uint256 size, uint256 seed) public {
        size = bound(size, 2, 130);
        oldSize = bound(oldSize, 1, size - 1);
        bytes32[] memory list = leaves(size, seed);
        bytes32[] memory proof = MerkleTree.consistency(list, oldSize, size);
        bytes32 root = MerkleTree.root(list, 0, size);
        vm.startPrank(log);
        anchor.anchor(uint64(oldSize), MerkleTree.root(list, 0, oldSize), none());
        anchor.anchor(uint64(size), root, proof);
        vm.stopPrank();
        assertEq(anchor.rootAt(log, uint64(size)), root, "anchored");
    }

    /// @dev One bit of the proof flipped, one element dropped, doubled or added, the wrong root, the wrong size.
    function testFuzz_ForgedGrowthRefused(uint256 oldSize, uint256 size, uint256 seed, uint256 how) public {
        size = bound(size, 2, 130);
        oldSize = bound(oldSize, 1, size - 1);
        bytes32[] memory list = leaves(size, seed);
        bytes32[] memory proof = MerkleTree.consistency(list, oldSize, size);
        bytes32 root = MerkleTree.root(list, 0, size);
        // Not `prank`: hashing is a call too, to the SHA-256 precompile, and would use it up.
        vm.startPrank(log);
        anchor.anchor(uint64(oldSize), MerkleTree.root(list, 0, oldSize), none());
        uint256 index = seed % proof.length;
        how = how % 5;
        if (how == 0) proof[index] ^= bytes32(uint256(1) << (seed % 256));
        else if (how == 1) proof = MerkleTree.dropped(proof, index);
        else if (how == 2) proof = MerkleTree.doubled(proof, index);
        else if (how == 3) root ^= bytes32(uint256(1) << (seed % 256));
        else {
            // an honest tree that rewrote one old leaf
            list[seed % oldSize] ^= bytes32(uint256(1));
            proof = MerkleTree.consistency(list, oldSize, size);
            root = MerkleTree.root(list, 0, size);
        }
        vm.expectPartialRevert(EvidenceAnchor.NotConsistent.selector);
        anchor.anchor(uint64(size), root, proof);
    }
}
