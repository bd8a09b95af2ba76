// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {CURVE_P256, CURVE_SECP256K1, Key} from "../../src/trust/Key.sol";
import {MachineRegistry, State, StreamHead} from "../../src/trust/MachineRegistry.sol";
import {P256Sha256Verifier} from "../../src/trust/P256Sha256Verifier.sol";
import {Signing} from "../support/Signing.sol";
import {Deploy} from "../support/Deploy.sol";

contract MachineRegistryTest is Signing {
    MachineRegistry private registry;
    address private sha;
    address private raw;
    address private owner = account("owner");
    address private stranger = account("stranger");

    function setUp() public {
        sha = address(Deploy.p256Sha256Verifier());
        raw = address(Deploy.p256RawVerifier());
        registry = Deploy.machineRegistry(sha, raw, account("account code"));
    }

    function noHeads() private pure returns (StreamHead[] memory) {
        return new StreamHead[](0);
    }

    function oneHead() private pure returns (StreamHead[] memory heads) {
        heads = new StreamHead[](1);
        heads[0] = StreamHead("level", 42, keccak256("head"));
    }

    // --- registration ---------------------------------------------------------------------------------------------

    function test_RegistersAndEmitsWhatRebuildsIt() public {
        Key memory key = p256Key(11, sha);
        bytes memory proof = signP256Sha256(11, registerDigest(registry, owner, key, FAR));
        vm.expectEmit(true, true, true, true, address(registry));
        emit MachineRegistry.MachineRegistered(1, owner, 0);
        vm.expectEmit(true, true, true, true, address(registry));
        emit MachineRegistry.StateChanged(1, 0, 1);
        vm.expectEmit(true, true, true, true, address(registry));
        emit MachineRegistry.KeyChanged(1, keyIdOf(key), 1, CURVE_P256, sha, key.x, key.y, noHeads());
        uint256 id = registry.register(owner, key, FAR, proof);

        assertEq(id, 1, "id");
        assertEq(registry.ownerOf(id), owner, "owner");
        assertEq(uint256(registry.stateOf(id)), uint256(State.Registered), "state");
        assertEq(registry.machineOfKey(keyIdOf(key)), id, "machineOfKey");
        assertEq(registry.keyEpochOf(id), 1, "epoch");
        assertEq(registry.machineCount(), 1, "count");
        assertEq(keccak256(abi.encode(registry.keyOf(id))), keccak256(abi.encode(key)), "key");
    }

    function test_BothP256VerifiersAndSecp256k1Verify() public {
        bytes32 digest = keccak256("digest");
        uint256 hashing = activeMachine(registry, owner, 11);

        Key memory rawKey = p256Key(12, raw);
        uint256 direct =
            registry.register(owner, rawKey, FAR, signP256Raw(12, registerDigest(registry, owner, rawKey, FAR)));
        Key memory accountKey = secp256k1Key(1);
        uint256 ethereum =
            registry.register(owner, accountKey, FAR, signAccount(1, registerDigest(registry, owner, accountKey, FAR)));
        vm.startPrank(owner);
        registry.activate(direct);
        registry.activate(ethereum);
        vm.stopPrank();

        assertTrue(registry.verify(hashing, digest, signP256Sha256(11, digest)), "sha256");
        assertTrue(registry.verify(direct, digest, signP256Raw(12, digest)), "raw");
        assertTrue(registry.verify(ethereum, digest, signAccount(1, digest)), "secp256k1");
        assertTrue(!registry.verify(hashing, digest, signP256Raw(11, digest)), "raw under sha256");
        assertTrue(!registry.verify(direct, digest, signP256Sha256(12, digest)), "sha256 under raw");
        assertTrue(!registry.verify(ethereum, digest, signAccount(2, digest)), "another account");
        assertTrue(!registry.verify(hashing, digest, signP256Sha256(12, digest)), "another key");
        assertTrue(!registry.verify(hashing, digest, ""), "empty");
        assertTrue(!registry.verify(hashing, digest, bytes.concat(signP256Sha256(11, digest), hex"00")), "trailing");
        assertTrue(!registry.verify(99, digest, signP256Sha256(11, digest)), "no such machine");
    }

    function test_VerifierTakesNoOtherLengths() public view {
        bytes32 digest = keccak256("digest");
        Key memory key = p256Key(11, sha);
        bytes memory point = abi.encodePacked(key.x, key.y);
        bytes memory signature = signP256Sha256(11, digest);
        P256Sha256Verifier verifier = P256Sha256Verifier(sha);
        bytes4 yes = P256Sha256Verifier.verify.selector;
        assertTrue(verifier.verify(point, digest, signature) == yes, "valid");
        assertTrue(verifier.verify(bytes.concat(point, hex"00"), digest, signature) == 0xffffffff, "key");
        assertTrue(verifier.verify(point, digest, bytes.concat(signature, hex"00")) == 0xffffffff, "signature");
        assertTrue(verifier.verify("", digest, "") == 0xffffffff, "empty");
    }

    function testFuzz_HighSRefused(bytes32 digest, uint256 secret) public {
        secret = bound(secret, 1, P256.N - 1);
        uint256 id = activeMachine(registry, owner, secret);
        bytes memory low = signP256Sha256(secret, digest);
        assertTrue(registry.verify(id, digest, low), "low s");
        assertTrue(!registry.verify(id, digest, flipP256(low)), "high s");
    }

    function test_HighSOfAccountKeyRefused() public {
        Key memory key = secp256k1Key(1);
        uint256 id = registry.register(owner, key, FAR, signAccount(1, registerDigest(registry, owner, key, FAR)));
        vm.prank(owner);
        registry.activate(id);
        bytes memory low = signAccount(1, keccak256("digest"));
        assertTrue(registry.verify(id, keccak256("digest"), low), "low s");
        assertTrue(!registry.verify(id, keccak256("digest"), flipAccount(low)), "high s");
    }

    function test_KeyOffCurveOrAtInfinityOrOfNoCurveRefused() public {
        Key memory p = p256Key(11, sha);
        Key memory k = secp256k1Key(1);
        Key[9] memory bad = [
            Key(CURVE_P256, sha, p.x, bytes32(uint256(p.y) ^ 1)),
            Key(CURVE_P256, sha, 0, 0),
            Key(CURVE_P256, sha, bytes32(P256.P), p.y),
            Key(CURVE_P256, sha, p.x, bytes32(type(uint256).max)),
            Key(CURVE_SECP256K1, address(0), k.x, bytes32(uint256(k.y) ^ 1)),
            Key(CURVE_SECP256K1, address(0), 0, 0),
            Key(CURVE_SECP256K1, address(0), bytes32(type(uint256).max), k.y),
            Key(CURVE_SECP256K1, address(0), p.x, p.y),
            Key(3, address(0), k.x, k.y)
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(MachineRegistry.KeyInvalid.selector, bad[i].curve, bad[i].x, bad[i].y)
            );
            registry.register(owner, bad[i], FAR, new bytes(64));
        }
    }

    function test_OnlyTheFixedVerifiersAllowed() public {
        Key memory key = p256Key(11, account("another verifier"));
        vm.expectRevert(
            abi.encodeWithSelector(MachineRegistry.VerifierNotAllowed.selector, CURVE_P256, key.verifier)
        );
        registry.register(owner, key, FAR, new bytes(64));
        key = p256Key(11, address(0));
        vm.expectPartialRevert(MachineRegistry.VerifierNotAllowed.selector);
        registry.register(owner, key, FAR, new bytes(64));
        key = secp256k1Key(1);
        key.verifier = raw;
        vm.expectPartialRevert(MachineRegistry.VerifierNotAllowed.selector);
        registry.register(owner, key, FAR, new bytes(65));
    }

    function test_OneKeyOneMachineEver() public {
        uint256 id = activeMachine(registry, owner, 11);
        Key memory key = p256Key(11, sha);
        bytes memory proof = signP256Sha256(11, registerDigest(registry, stranger, key, FAR));
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.KeyTaken.selector, keyIdOf(key), id));
        registry.register(stranger, key, FAR, proof);

        // the other verifier is the same hardware key
        key.verifier = raw;
        proof = signP256Raw(11, registerDigest(registry, stranger, key, FAR));
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.KeyTaken.selector, keyIdOf(key), id));
        registry.register(stranger, key, FAR, proof);

        // nor does revoking or decommissioning free it
        vm.startPrank(owner);
        registry.revoke(id);
        registry.decommission(id);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.KeyTaken.selector, keyIdOf(key), id));
        registry.register(stranger, key, FAR, proof);
    }

    function test_INV08_ProofCountsForItsOwnerDeadlineRegistryAndChain() public {
        Key memory key = p256Key(11, sha);
        bytes memory proof = signP256Sha256(11, registerDigest(registry, owner, key, FAR));
        vm.expectPartialRevert(MachineRegistry.ProofInvalid.selector);
        registry.register(stranger, key, FAR, proof);
        vm.expectPartialRevert(MachineRegistry.ProofInvalid.selector);
        registry.register(owner, key, FAR + 1, proof);
        MachineRegistry another = Deploy.machineRegistry(sha, raw, account("account code"));
        vm.expectPartialRevert(MachineRegistry.ProofInvalid.selector);
        another.register(owner, key, FAR, proof);
        vm.chainId(HOME_CHAIN + 1);
        vm.expectPartialRevert(MachineRegistry.ProofInvalid.selector);
        registry.register(owner, key, FAR, proof);
        vm.chainId(HOME_CHAIN);
        registry.register(owner, key, FAR, proof);
    }

    function test_DeadlineIsTheLastSecond() public {
        Key memory key = p256Key(11, sha);
        uint256 deadline = T0 + 60;
        bytes memory proof = signP256Sha256(11, registerDigest(registry, owner, key, deadline));
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.DeadlineExpired.selector, deadline, deadline + 1));
        registry.register(owner, key, deadline, proof);
        vm.warp(deadline);
        registry.register(owner, key, deadline, proof);
    }

    // --- states ---------------------------------------------------------------------------------------------------

    /// @dev The whole table: 4 states x 4 moves. `needed` None: allowed from all but Decommissioned.
    function test_StateTable() public {
        State[4] memory from = [State.Registered, State.Active, State.Suspended, State.Decommissioned];
        bytes4[4] memory moves = [
            MachineRegistry.activate.selector,
            MachineRegistry.suspend.selector,
            MachineRegistry.resume.selector,
            MachineRegistry.decommission.selector
        ];
        State no = State.None;
        // rows: from; columns: activate, suspend, resume, decommission
        State[4][4] memory to = [
            [State.Active, no, no, State.Decommissioned],
            [no, State.Suspended, no, State.Decommissioned],
            [no, no, State.Active, State.Decommissioned],
            [no, no, no, no]
        ];
        for (uint256 row = 0; row < 4; ++row) {
            for (uint256 column = 0; column < 4; ++column) {
                uint256 id = machineIn(from[row], 100 + row * 4 + column);
                vm.prank(owner);
                (bool ok,) = address(registry).call(abi.encodeWithSelector(moves[column], id));
                State expected = to[row][column];
                assertTrue(ok == (expected != no), "allowed");
                assertEq(uint256(registry.stateOf(id)), uint256(ok ? expected : from[row]), "state");
                assertTrue(registry.isActive(id) == (registry.stateOf(id) == State.Active), "active");
            }
        }
    }

    function machineIn(State state, uint256 secret) private returns (uint256 id) {
        Key memory key = p256Key(secret, sha);
        id = registry.register(owner, key, FAR, signP256Sha256(secret, registerDigest(registry, owner, key, FAR)));
        vm.startPrank(owner);
        if (state == State.Active || state == State.Suspended) registry.activate(id);
        if (state == State.Suspended) registry.suspend(id);
        if (state == State.Decommissioned) registry.decommission(id);
        vm.stopPrank();
    }

    function test_RefusedMoveSaysHaveAndNeeded() public {
        uint256 id = activeMachine(registry, owner, 11);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(MachineRegistry.StateRefused.selector, id, State.Active, State.Suspended)
        );
        registry.resume(id);
    }

    function test_OnlyTheOwnerMovesRevokesAndRekeys() public {
        uint256 id = activeMachine(registry, owner, 11);
        bytes[7] memory calls = [
            abi.encodeCall(MachineRegistry.activate, (id)),
            abi.encodeCall(MachineRegistry.suspend, (id)),
            abi.encodeCall(MachineRegistry.suspendWithReason, (id, "sold")),
            abi.encodeCall(MachineRegistry.resume, (id)),
            abi.encodeCall(MachineRegistry.decommission, (id)),
            abi.encodeCall(MachineRegistry.revoke, (id)),
            abi.encodeCall(MachineRegistry.rekey, (id, p256Key(12, sha), FAR, new bytes(64)))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(stranger);
            (bool ok, bytes memory reason) = address(registry).call(calls[i]);
            assertTrue(!ok, "stranger");
            assertEq(
                keccak256(reason),
                keccak256(
                    abi.encodeWithSelector(MachineRegistry.NotMachineOwner.selector, id, stranger, owner)
                ),
                "reason"
            );
        }
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 99));
        registry.activate(99);
    }

    function test_ASuspensionSaysWhyAndWho() public {
        uint256 id = activeMachine(registry, owner, 11);
        vm.expectEmit(true, true, true, true, address(registry));
        emit MachineRegistry.StateChanged(id, uint8(State.Active), uint8(State.Suspended));
        vm.expectEmit(true, true, true, true, address(registry));
        emit MachineRegistry.SuspensionReason(id, owner, unicode"Pumpe läuft trocken");
        vm.prank(owner);
        registry.suspendWithReason(id, unicode"Pumpe läuft trocken");
        assertEq(uint256(registry.stateOf(id)), uint256(State.Suspended), "state");

        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(MachineRegistry.StateRefused.selector, id, State.Suspended, State.Active)
        );
        registry.suspendWithReason(id, "again");
    }

    function testFuzz_AReasonHasOneTo256Bytes(uint16 length) public {
        length = uint16(bound(length, 0, 600));
        uint256 id = activeMachine(registry, owner, 11);
        bool fits = length > 0 && length <= 256;
        if (!fits) {
            vm.expectRevert(abi.encodeWithSelector(MachineRegistry.ReasonLengthRefused.selector, length, 256));
        }
        vm.prank(owner);
        registry.suspendWithReason(id, string(new bytes(length)));
        assertTrue(registry.isActive(id) != fits, "suspended");
    }

    function test_OwnershipFollowsTheToken() public {
        uint256 id = activeMachine(registry, owner, 11);
        vm.prank(owner);
        registry.transferFrom(owner, stranger, id);
        vm.prank(owner);
        vm.expectPartialRevert(MachineRegistry.NotMachineOwner.selector);
        registry.suspend(id);
        vm.prank(stranger);
        registry.suspend(id);
    }

    function test_OnlyActiveMachinesVerify() public {
        bytes32 digest = keccak256("digest");
        uint256 id = machineIn(State.Registered, 11);
        bytes memory signature = signP256Sha256(11, digest);
        assertTrue(!registry.verify(id, digest, signature), "registered");
        vm.startPrank(owner);
        registry.activate(id);
        assertTrue(registry.verify(id, digest, signature), "active");
        registry.suspend(id);
        assertTrue(!registry.verify(id, digest, signature), "suspended");
        registry.resume(id);
        assertTrue(registry.verify(id, digest, signature), "resumed");
        registry.decommission(id);
        assertTrue(!registry.verify(id, digest, signature), "decommissioned");
        vm.stopPrank();
    }

    // --- rotation -------------------------------------------------------------------------------------------------

    function test_RotationNeedsBothKeys() public {
        uint256 id = activeMachine(registry, owner, 11);
        Key memory next = p256Key(12, sha);
        bytes32 digest = rotateDigest(registry, id, next, oneHead(), 1);
        bytes memory oldProof = signP256Sha256(11, digest);
        bytes memory newProof = signP256Sha256(12, digest);

        vm.expectRevert(
            abi.encodeWithSelector(MachineRegistry.ProofInvalid.selector, keyIdOf(p256Key(11, sha)), digest)
        );
        registry.rotate(id, next, oneHead(), FAR, newProof, newProof);
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.ProofInvalid.selector, keyIdOf(next), digest));
        registry.rotate(id, next, oneHead(), FAR, oldProof, oldProof);
        vm.expectPartialRevert(MachineRegistry.ProofInvalid.selector);
        registry.rotate(id, next, noHeads(), FAR, oldProof, newProof);

        vm.expectEmit(true, true, true, true, address(registry));
        emit MachineRegistry.KeyChanged(id, keyIdOf(next), 2, CURVE_P256, sha, next.x, next.y, oneHead());
        registry.rotate(id, next, oneHead(), FAR, oldProof, newProof);
        assertEq(registry.keyEpochOf(id), 2, "epoch");
        assertTrue(registry.verify(id, digest, newProof), "new key");
        assertTrue(!registry.verify(id, digest, oldProof), "old key");
    }

    function test_RotationToAnotherCurveAndNeverBack() public {
        uint256 id = activeMachine(registry, owner, 11);
        Key memory next = secp256k1Key(2);
        bytes32 digest = rotateDigest(registry, id, next, noHeads(), 1);
        registry.rotate(id, next, noHeads(), FAR, signP256Sha256(11, digest), signAccount(2, digest));

        Key memory first = p256Key(11, sha);
        digest = rotateDigest(registry, id, first, noHeads(), 2);
        bytes memory oldProof = signAccount(2, digest);
        bytes memory newProof = signP256Sha256(11, digest);
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.KeyTaken.selector, keyIdOf(first), id));
        registry.rotate(id, first, noHeads(), FAR, oldProof, newProof);
    }

    function test_RotationRefusedOnceExpiredOrDecommissioned() public {
        uint256 id = activeMachine(registry, owner, 11);
        Key memory next = p256Key(12, sha);
        bytes32 digest = rotateDigest(registry, id, next, noHeads(), 1);
        bytes memory oldProof = signP256Sha256(11, digest);
        bytes memory newProof = signP256Sha256(12, digest);
        vm.expectPartialRevert(MachineRegistry.DeadlineExpired.selector);
        registry.rotate(id, next, noHeads(), T0 - 1, oldProof, newProof);
        vm.prank(owner);
        registry.decommission(id);
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.MachineDecommissioned.selector, id));
        registry.rotate(id, next, noHeads(), FAR, oldProof, newProof);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.MachineDecommissioned.selector, id));
        registry.revoke(id);
    }

    // --- revocation -----------------------------------------------------------------------------------------------

    function test_RevokeLeavesNoKeyAndRekeyOpensTheNextEpoch() public {
        uint256 id = activeMachine(registry, owner, 11);
        bytes32 digest = keccak256("digest");
        Key memory next = p256Key(12, raw);
        bytes memory proof = signP256Raw(12, rekeyDigest(registry, id, next, 1));

        vm.prank(owner);
        vm.expectPartialRevert(MachineRegistry.MachineHasKey.selector);
        registry.rekey(id, next, FAR, proof);

        vm.expectEmit(true, true, true, true, address(registry));
        emit MachineRegistry.KeyRevoked(id, keyIdOf(p256Key(11, sha)), 1);
        vm.prank(owner);
        registry.revoke(id);
        assertTrue(!registry.verify(id, digest, signP256Sha256(11, digest)), "revoked");
        assertTrue(!registry.isActive(id), "without a key");
        assertEq(registry.keyOf(id).curve, 0, "no key");
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.MachineHasNoKey.selector, id));
        registry.revoke(id);

        // the proof of a rekey is none of a registration
        vm.expectPartialRevert(MachineRegistry.ProofInvalid.selector);
        registry.register(owner, next, FAR, proof);

        vm.prank(owner);
        registry.rekey(id, next, FAR, proof);
        assertEq(registry.keyEpochOf(id), 2, "epoch");
        assertTrue(registry.verify(id, digest, signP256Raw(12, digest)), "new key");
    }

    // --- controllers ----------------------------------------------------------------------------------------------

    function test_ControllerSignsForItsMachines() public {
        uint256 edge = activeMachine(registry, owner, 11);
        bytes32 salt = keccak256("salt");
        bytes32 registration = controlledDigest(registry, stranger, edge, salt);
        bytes memory proof = signP256Sha256(11, registration);
        uint256 id = registry.registerControlled(stranger, edge, salt, FAR, proof);
        assertEq(registry.controllerOf(id), edge, "controller");
        assertEq(registry.keyEpochOf(id), 0, "no key of its own");

        vm.expectRevert(abi.encodeWithSelector(MachineRegistry.RegistrationUsed.selector, registration));
        registry.registerControlled(stranger, edge, salt, FAR, proof);

        bytes32 digest = keccak256("digest");
        bytes memory signature = signP256Sha256(11, digest);
        assertTrue(!registry.verify(id, digest, signature), "machine not active");
        vm.prank(stranger);
        registry.activate(id);
        assertTrue(registry.verify(id, digest, signature), "both active");
        vm.prank(owner);
        registry.suspend(edge);
        assertTrue(!registry.verify(id, digest, signature), "controller suspended");
        assertTrue(!registry.isActive(id), "controller suspended");
    }

    function test_ControlledMachinesHaveNoKeyToChange() public {
        uint256 edge = activeMachine(registry, owner, 11);
        uint256 id = registry.registerControlled(
            owner, edge, 0, FAR, signP256Sha256(11, controlledDigest(registry, owner, edge, 0))
        );
        vm.startPrank(owner);
        bytes memory refusal = abi.encodeWithSelector(MachineRegistry.MachineIsControlled.selector, id, edge);
        vm.expectRevert(refusal);
        registry.revoke(id);
        vm.expectRevert(refusal);
        registry.rekey(id, p256Key(12, sha), FAR, new bytes(64));
        vm.expectRevert(refusal);
        registry.rotate(id, p256Key(12, sha), noHeads(), FAR, new bytes(64), new bytes(64));
        registry.activate(id);
        vm.stopPrank();

        // controllers do not nest
        vm.expectRevert(refusal);
        registry.registerControlled(owner, id, 0, FAR, new bytes(64));
    }

    function test_ControllerMustExistBeActiveAndHaveSigned() public {
        vm.expectPartialRevert(MachineRegistry.ControllerProofInvalid.selector);
        registry.registerControlled(owner, 7, 0, FAR, new bytes(64));
        uint256 edge = activeMachine(registry, owner, 11);
        bytes memory wrong = signP256Sha256(12, controlledDigest(registry, owner, edge, 0));
        vm.expectPartialRevert(MachineRegistry.ControllerProofInvalid.selector);
        registry.registerControlled(owner, edge, 0, FAR, wrong);
        vm.prank(owner);
        registry.suspend(edge);
        bytes memory right = signP256Sha256(11, controlledDigest(registry, owner, edge, 0));
        vm.expectPartialRevert(MachineRegistry.ControllerProofInvalid.selector);
        registry.registerControlled(owner, edge, 0, FAR, right);
    }
}
