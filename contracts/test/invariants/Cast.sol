// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    SIGNER_ACCOUNT,
    SIGNER_MACHINE,
    SIGNER_NOBODY,
    SIGNER_QUORUM
} from "../../src/transact/Terms.sol";
import {Key} from "../../src/trust/Key.sol";
import {MachineRegistry, StreamHead} from "../../src/trust/MachineRegistry.sol";
import {Quorum} from "../support/Quorum.sol";

/// @notice Who signs in the money invariants: two machines whose keys change, an account, a quorum, and nobody.
abstract contract Cast is Quorum {
    struct Machine {
        uint256 id;
        uint256 secret;
        uint256 previous;
        bool active;
    }

    uint256 internal constant MACHINE = 0;
    uint256 internal constant EDGE = 1;
    uint256 internal constant ACCOUNT = 2;
    uint256 internal constant QUORUM = 3;
    uint256 internal constant NOBODY = 4;
    uint256 internal constant SIGNERS = 5;
    uint256 private constant EDGE_SECRET = 13;
    /// @dev No machine ever has it.
    uint256 private constant FOREIGN_SECRET = 12;
    uint8 private constant THRESHOLD = 2;

    Machine[2] private _machines;
    uint256 private _lastSecret = 1000;
    /// @notice How often each thing happened, by its name, skip reason or error selector: what never happens proves nothing.
    mapping(bytes32 what => uint256 times) public seen;

    function castActors() internal {
        _machines[MACHINE] = Machine(machineId, MACHINE_SECRET, 0, true);
        _machines[EDGE] = Machine(activeMachine(registry, payee, EDGE_SECRET), EDGE_SECRET, 0, true);
    }

    // --- what the fuzzer calls ------------------------------------------------------------------------------------

    /// @notice Keys are rotated, stolen keys revoked and replaced, machines suspended and resumed.
    function rule(uint256 which, uint256 dice) external {
        Machine storage machine = _machines[which % 2];
        dice = dice % 8;
        if (dice == 0) _suspend(machine);
        else if (dice <= 2) _resume(machine);
        else if (dice == 3) _revoke(machine);
        else if (dice <= 5) _rekey(machine);
        else _rotate(machine);
    }

    // --- signatures -----------------------------------------------------------------------------------------------

    function signerTerms(uint256 signer) internal view returns (uint8 kind, bytes32 id) {
        if (signer <= EDGE) return (SIGNER_MACHINE, bytes32(_machines[signer].id));
        if (signer == ACCOUNT) return (SIGNER_ACCOUNT, bytes32(uint256(uint160(payer))));
        if (signer == NOBODY) return (SIGNER_NOBODY, 0);
        (bytes[] memory signers,) = threeSigners();
        return (SIGNER_QUORUM, keccak256(abi.encode(THRESHOLD, signers)));
    }

    /// @notice Whether the signer can sign at all: a machine that is active and has a key, and all others.
    function canSign(uint256 signer) internal view returns (bool) {
        return signer > EDGE || (_machines[signer].active && _machines[signer].secret != 0);
    }

    /// @dev With the stolen key if a machine has no other.
    function signAsSigner(uint256 signer, bytes32 digest) internal view returns (bytes memory) {
        if (signer == NOBODY) return "";
        if (signer == ACCOUNT) return signAccount(PAYER_SECRET, digest);
        if (signer == QUORUM) return signQuorum(digest, THRESHOLD, 5);
        Machine memory machine = _machines[signer];
        return signP256Sha256(machine.secret == 0 ? machine.previous : machine.secret, digest);
    }

    /// @notice A signature that must not count.
    function signBadly(uint256 signer, bytes32 digest, uint256 how) internal view returns (bytes memory) {
        how = how % 4;
        if (signer == NOBODY) return signAccount(PAYER_SECRET, digest);
        if (how == 0) return signAsSigner(signer, keccak256(abi.encode(digest)));
        if (signer == ACCOUNT) {
            if (how == 1) return flipAccount(signAccount(PAYER_SECRET, digest));
            return how == 2 ? signAccount(PAYEE_SECRET, digest) : new bytes(65);
        }
        if (signer == QUORUM) {
            if (how == 1) return signQuorum(digest, THRESHOLD, 4);
            return how == 2 ? signQuorum(digest, 1, 7) : bytes("malformed");
        }
        if (how == 1) return flipP256(signAsSigner(signer, digest));
        uint256 previous = _machines[signer].previous;
        return signP256Sha256(how == 2 && previous != 0 ? previous : FOREIGN_SECRET, digest);
    }

    /// @notice Sends `call`, which must succeed, or be refused with `refusal` if that is not zero.
    function attempt(address sender, address target, bytes memory call, bytes4 refusal) internal returns (bool done) {
        bytes memory answer;
        vm.prank(sender);
        (done, answer) = target.call(call);
        assertEq(done ? bytes4(0) : bytes4(answer), refusal, "refusal");
        if (!done) seen[refusal] += 1;
    }

    // --- life of a machine ----------------------------------------------------------------------------------------

    function _suspend(Machine storage machine) private {
        bytes4 refusal = machine.active ? bytes4(0) : MachineRegistry.StateRefused.selector;
        if (_owner(abi.encodeCall(MachineRegistry.suspend, machine.id), refusal)) machine.active = false;
    }

    function _resume(Machine storage machine) private {
        bytes4 refusal = machine.active ? MachineRegistry.StateRefused.selector : bytes4(0);
        if (_owner(abi.encodeCall(MachineRegistry.resume, machine.id), refusal)) machine.active = true;
    }

    function _revoke(Machine storage machine) private {
        bytes4 refusal = machine.secret == 0 ? MachineRegistry.MachineHasNoKey.selector : bytes4(0);
        if (!_owner(abi.encodeCall(MachineRegistry.revoke, machine.id), refusal)) return;
        (machine.previous, machine.secret) = (machine.secret, 0);
        seen["revoke"] += 1;
    }

    function _rekey(Machine storage machine) private {
        Key memory key = p256Key(++_lastSecret, registry.p256Sha256Verifier());
        bytes32 digest = rekeyDigest(registry, machine.id, key, registry.keyEpochOf(machine.id));
        bytes memory proof = signP256Sha256(_lastSecret, digest);
        bytes4 refusal = machine.secret == 0 ? bytes4(0) : MachineRegistry.MachineHasKey.selector;
        if (!_owner(abi.encodeCall(MachineRegistry.rekey, (machine.id, key, FAR, proof)), refusal)) return;
        machine.secret = _lastSecret;
        seen["rekey"] += 1;
    }

    function _rotate(Machine storage machine) private {
        Key memory key = p256Key(++_lastSecret, registry.p256Sha256Verifier());
        StreamHead[] memory heads = new StreamHead[](0);
        bytes32 digest = rotateDigest(registry, machine.id, key, heads, registry.keyEpochOf(machine.id));
        uint256 secret = machine.secret == 0 ? machine.previous : machine.secret;
        bytes memory call = abi.encodeCall(
            MachineRegistry.rotate,
            (machine.id, key, heads, FAR, signP256Sha256(secret, digest), signP256Sha256(_lastSecret, digest))
        );
        bytes4 refusal = machine.secret == 0 ? MachineRegistry.MachineHasNoKey.selector : bytes4(0);
        if (!_owner(call, refusal)) return;
        (machine.previous, machine.secret) = (machine.secret, _lastSecret);
        seen["rotate"] += 1;
    }

    function _owner(bytes memory call, bytes4 refusal) private returns (bool) {
        return attempt(payee, address(registry), call, refusal);
    }
}
