// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MachineAccount} from "../../../src/transact/account/MachineAccount.sol";
import {Key} from "../../../src/trust/Key.sol";
import {StreamHead} from "../../../src/trust/MachineRegistry.sol";
import {DidPublisher} from "../../../src/trust/account/DidPublisher.sol";
import {AccountFixture} from "../../support/AccountFixture.sol";

/// @notice The DID follows the machine registry, whoever calls. What resolvers make of it: packages/node/test/trust/did.test.ts.
contract DidPublisherTest is AccountFixture {
    function setUp() public {
        deployAccounts();
    }

    function pointOf(uint256 secret) private view returns (bytes memory) {
        Key memory key = p256Key(secret, registry.p256Sha256Verifier());
        return abi.encodePacked(uint256(key.y) & 1 == 0 ? bytes1(0x02) : bytes1(0x03), key.x);
    }

    function test_AnybodyPublishesTheKeyAndASecondCallHasNothingToDo() public {
        vm.expectEmit(true, true, true, true, address(purse));
        emit DidPublisher.KeyPublished(machineId, 1, pointOf(MACHINE_SECRET));
        vm.prank(stranger);
        assertTrue(purse.publishKey(), "published");
        uint256 state = purse.state();
        assertTrue(!purse.publishKey(), "nothing to do");
        assertEq(purse.state(), state, "and nothing done");
    }

    function test_ARotationReplacesTheKey() public {
        purse.publishKey();
        Key memory newKey = p256Key(12, registry.p256Sha256Verifier());
        StreamHead[] memory heads = new StreamHead[](0);
        bytes32 digest = rotateDigest(registry, machineId, newKey, heads, 1);
        registry.rotate(
            machineId, newKey, heads, FAR, signP256Sha256(MACHINE_SECRET, digest), signP256Sha256(12, digest)
        );
        vm.expectEmit(true, true, true, true, address(purse));
        emit DidPublisher.KeyWithdrawn(machineId, 1, pointOf(MACHINE_SECRET));
        vm.expectEmit(true, true, true, true, address(purse));
        emit DidPublisher.KeyPublished(machineId, 1, pointOf(12));
        purse.publishKey();
    }

    function test_ARevocationWithdrawsIt() public {
        purse.publishKey();
        vm.prank(owner);
        registry.revoke(machineId);
        vm.expectEmit(true, true, true, true, address(purse));
        emit DidPublisher.KeyWithdrawn(machineId, 1, pointOf(MACHINE_SECRET));
        assertTrue(purse.publishKey(), "withdrawn");
        assertTrue(!purse.publishKey(), "nothing more");
    }

    function test_DecommissioningEndsTheDidForEver() public {
        purse.publishKey();
        vm.prank(owner);
        registry.decommission(machineId);
        vm.expectEmit(true, true, true, true, address(purse));
        emit DidPublisher.DidDeactivated(machineId);
        purse.publishKey();
        assertTrue(!purse.publishKey(), "once");
    }

    function test_AMachineThatWasNeverPublishedIsDeactivatedToo() public {
        vm.prank(owner);
        registry.decommission(machineId);
        vm.expectEmit(true, true, true, true, address(purse));
        emit DidPublisher.DidDeactivated(machineId);
        assertTrue(purse.publishKey(), "deactivated");
    }

    function test_AControlledMachineNamesItsControllersKey() public {
        bytes memory proof = signP256Sha256(MACHINE_SECRET, controlledDigest(registry, owner, machineId, "salt"));
        uint256 controlled = registry.registerControlled(owner, machineId, "salt", FAR, proof);
        MachineAccount second = createAccount(controlled);
        vm.expectEmit(true, true, true, true, address(second));
        emit DidPublisher.KeyPublished(controlled, 1, pointOf(MACHINE_SECRET));
        second.publishKey();
        vm.prank(owner);
        registry.decommission(machineId);
        vm.expectEmit(true, true, true, true, address(second));
        emit DidPublisher.KeyWithdrawn(controlled, 1, pointOf(MACHINE_SECRET));
        second.publishKey();
    }

    function test_ASecp256k1KeyIsPublishedUnderItsOwnName() public {
        Key memory key = secp256k1Key(1);
        uint256 id =
            registry.register(owner, key, FAR, signAccount(1, registerDigest(registry, owner, key, FAR)));
        MachineAccount second = createAccount(id);
        bytes memory point = abi.encodePacked(bytes1(0x02), key.x);
        vm.expectEmit(true, true, true, true, address(didRegistry));
        emit DIDAttributeChanged(
            address(second), "did/pub/Secp256k1/veriKey/hex", point, T0 + 100 * 365 days, 0
        );
        second.publishKey();
    }

    event DIDAttributeChanged(
        address indexed identity, bytes32 name, bytes value, uint256 validTo, uint256 previousChange
    );
}
