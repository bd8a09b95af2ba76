// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";
import {CodeStore} from "../CodeStore.sol";
import {CURVE_P256, CURVE_SECP256K1, Key, Keys} from "./Key.sol";
import {AccountAddress} from "./account/AccountAddress.sol";

/// @notice Life of a machine. Decommissioned is terminal.
enum State {
    None,
    Registered,
    Active,
    Suspended,
    Decommissioned
}

/// @notice The last envelope of a stream that a retiring key answers for.
struct StreamHead {
    string stream;
    uint64 seq;
    bytes32 digest;
}

/// @title The register of machines: who owns one, which key speaks for it, and whether it may speak
/// @notice Rules: docs/protocol/machine.md. A machine is an ERC-721 token; ids count up from 1. Its events rebuild all of it.
contract MachineRegistry is ERC721, EIP712 {
    using Keys for Key;

    /// @dev One slot; the point `x || y` is kept as code, so that verifying reads one slot and one account. `point` is zero
    /// where there is no key.
    struct Machine {
        State state;
        uint8 curve;
        bool rawDigest;
        uint32 keyEpoch;
        uint40 controller;
        address point;
    }

    bytes32 private constant REGISTER_TYPEHASH =
        keccak256("Register(address owner,bytes32 keyId,address verifier,uint256 deadline)");
    bytes32 private constant REGISTER_CONTROLLED_TYPEHASH =
        keccak256("RegisterControlled(address owner,uint256 controller,bytes32 salt,uint256 deadline)");
    bytes32 private constant ROTATE_TYPEHASH = keccak256(
        "Rotate(uint256 machineId,bytes32 newKeyId,address newVerifier,bytes32 headsHash,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant REKEY_TYPEHASH =
        keccak256("Rekey(uint256 machineId,bytes32 newKeyId,address newVerifier,uint256 nonce,uint256 deadline)");

    /// @notice Longest reason of a suspension, in bytes of UTF-8.
    uint256 public constant MAX_REASON_BYTES = 256;

    /// @notice Verifier of P-256 keys that sign SHA-256 of the digest; the default.
    address public immutable p256Sha256Verifier;
    /// @notice Verifier of P-256 keys that sign the digest itself.
    address public immutable p256RawVerifier;
    /// @notice Code of the machines' accounts (`MachineAccount`).
    address public immutable machineAccount;

    /// @notice A machine may be owned by the account of another one, that one by the account of a third, and so on this often.
    uint256 public constant MAX_OWNERSHIP_DEPTH = 8;

    /// @notice Number of machines ever registered, and the newest one's id.
    uint256 public machineCount;
    /// @notice Machine that a key id was ever registered for, zero if none. Never cleared.
    mapping(bytes32 keyId => uint256 machineId) public machineOfKey;
    /// @notice Machine whose account this address is, whether it was created yet or not; zero if none's.
    mapping(address account => uint256 machineId) public machineOfAccount;
    mapping(uint256 machineId => Machine) private _machines;
    mapping(uint256 machineId => uint256) private _handovers;
    mapping(bytes32 digest => bool) private _usedRegistrations;

    event MachineRegistered(uint256 indexed machineId, address indexed owner, uint256 controller);
    event KeyChanged(
        uint256 indexed machineId,
        bytes32 indexed keyId,
        uint64 epoch,
        uint8 curve,
        address verifier,
        bytes32 x,
        bytes32 y,
        StreamHead[] heads
    );
    event KeyRevoked(uint256 indexed machineId, bytes32 indexed keyId, uint64 epoch);
    event StateChanged(uint256 indexed machineId, uint8 from, uint8 to);
    /// @notice Why a machine was suspended; follows its `StateChanged`.
    event SuspensionReason(uint256 indexed machineId, address indexed owner, string reason);

    /// @dev Off the curve, at infinity, or of an unknown curve.
    error KeyInvalid(uint8 curve, bytes32 x, bytes32 y);
    error VerifierNotAllowed(uint8 curve, address verifier);
    error KeyTaken(bytes32 keyId, uint256 machineId);
    error DeadlineExpired(uint256 deadline, uint256 blockTimestamp);
    /// @dev The key `keyId` has not signed `digest`.
    error ProofInvalid(bytes32 keyId, bytes32 digest);
    error NotMachineOwner(uint256 machineId, address caller, address owner);
    error StateRefused(uint256 machineId, State have, State needed);
    error MachineDecommissioned(uint256 machineId);
    error MachineHasNoKey(uint256 machineId);
    error MachineHasKey(uint256 machineId, bytes32 keyId);
    error MachineIsControlled(uint256 machineId, uint256 controller);
    error ControllerProofInvalid(uint256 controller, bytes32 digest);
    error RegistrationUsed(bytes32 digest);
    /// @dev A reason has 1 to `most` bytes.
    error ReasonLengthRefused(uint256 have, uint256 most);
    /// @dev The machine would own itself, through its account: nobody could move it ever again.
    error OwnershipCycle(uint256 machineId, address to);
    error OwnershipTooDeep(uint256 machineId, uint256 most);

    /// @param p256Sha256Verifier_ `P256Sha256Verifier`
    /// @param p256RawVerifier_ OpenZeppelin's `ERC7913P256Verifier`
    /// @param machineAccount_ `MachineAccount`
    constructor(
        address p256Sha256Verifier_,
        address p256RawVerifier_,
        address machineAccount_
    ) ERC721("Liquefy Machine", "MACHINE") EIP712("Liquefy MachineRegistry", "1") {
        p256Sha256Verifier = p256Sha256Verifier_;
        p256RawVerifier = p256RawVerifier_;
        machineAccount = machineAccount_;
    }

    /// @notice Registers a machine that has a key of its own. Anyone may send it; the token goes to `owner`.
    /// @param proof signature by `key` over `Register(owner, keyId, verifier, deadline)`
    function register(
        address owner,
        Key calldata key,
        uint256 deadline,
        bytes calldata proof
    ) external returns (uint256 machineId) {
        _requireNotExpired(deadline);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(REGISTER_TYPEHASH, owner, key.id(), key.verifier, deadline)));
        machineId = _create(owner, 0);
        _adoptKey(machineId, key, digest, proof, new StreamHead[](0));
    }

    /// @notice Registers a machine that cannot sign; `controller`, an active machine with a key of its own, signs for it.
    /// @param salt tells apart two machines with the same owner, controller and deadline
    /// @param proof signature by the controller's current key over `RegisterControlled(owner, controller, salt, deadline)`
    function registerControlled(
        address owner,
        uint256 controller,
        bytes32 salt,
        uint256 deadline,
        bytes calldata proof
    ) external returns (uint256 machineId) {
        _requireNotExpired(deadline);
        uint256 upper = _machines[controller].controller;
        if (upper != 0) revert MachineIsControlled(controller, upper);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(REGISTER_CONTROLLED_TYPEHASH, owner, controller, salt, deadline)));
        if (_usedRegistrations[digest]) revert RegistrationUsed(digest);
        _usedRegistrations[digest] = true;
        if (!verify(controller, digest, proof)) revert ControllerProofInvalid(controller, digest);
        machineId = _create(owner, controller);
    }

    /// @notice Registered -> Active. Owner only.
    function activate(uint256 machineId) external {
        _move(machineId, State.Registered, State.Active);
    }

    /// @notice Active -> Suspended. Owner only.
    function suspend(uint256 machineId) external {
        _move(machineId, State.Active, State.Suspended);
    }

    /// @notice Active -> Suspended, and says why, for everybody. Owner only. A name of its own: an overload has no selector
    /// that a test or a contract wallet could name.
    function suspendWithReason(uint256 machineId, string calldata reason) external {
        uint256 length = bytes(reason).length;
        if (length == 0 || length > MAX_REASON_BYTES) revert ReasonLengthRefused(length, MAX_REASON_BYTES);
        _move(machineId, State.Active, State.Suspended);
        emit SuspensionReason(machineId, msg.sender, reason);
    }

    /// @notice Suspended -> Active. Owner only.
    function resume(uint256 machineId) external {
        _move(machineId, State.Suspended, State.Active);
    }

    /// @notice Any state -> Decommissioned, for ever. Owner only. Settle first: nothing verifies afterwards.
    function decommission(uint256 machineId) external {
        _requireOwner(machineId);
        State from = _requireNotDecommissioned(machineId);
        _setState(machineId, from, State.Decommissioned);
    }

    /// @notice Replaces a machine's key. Anyone may send it; both keys sign
    /// `Rotate(machineId, newKeyId, newVerifier, headsHash, nonce, deadline)`, `nonce` being the current key epoch.
    /// @param heads last envelope of each stream that still counts under the old key
    function rotate(
        uint256 machineId,
        Key calldata newKey,
        StreamHead[] calldata heads,
        uint256 deadline,
        bytes calldata oldProof,
        bytes calldata newProof
    ) external {
        _requireNotExpired(deadline);
        _requireNotDecommissioned(machineId);
        Machine storage machine = _requireOwnKey(machineId);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    ROTATE_TYPEHASH,
                    machineId,
                    newKey.id(),
                    newKey.verifier,
                    keccak256(abi.encode(heads)),
                    uint256(machine.keyEpoch),
                    deadline
                )
            )
        );
        Key memory oldKey = _keyOf(machine);
        if (!_verifyBy(oldKey, digest, oldProof)) revert ProofInvalid(oldKey.id(), digest);
        _adoptKey(machineId, newKey, digest, newProof, heads);
    }

    /// @notice Takes a stolen key away; the machine is left without one. Owner only.
    function revoke(uint256 machineId) external {
        _requireOwner(machineId);
        _requireNotDecommissioned(machineId);
        Machine storage machine = _requireOwnKey(machineId);
        bytes32 keyId = _keyOf(machine).id();
        machine.curve = 0;
        machine.rawDigest = false;
        machine.point = address(0);
        emit KeyRevoked(machineId, keyId, machine.keyEpoch);
    }

    /// @notice Gives a machine whose key was revoked a new one, in the next key epoch. Owner only.
    /// @param proof signature by `newKey` over `Rekey(machineId, newKeyId, newVerifier, nonce, deadline)`, `nonce` being the
    /// epoch of the revoked key. A type of its own, else a stranger could spend the proof on `register`.
    function rekey(uint256 machineId, Key calldata newKey, uint256 deadline, bytes calldata proof) external {
        _requireNotExpired(deadline);
        _requireOwner(machineId);
        _requireNotDecommissioned(machineId);
        Machine storage machine = _machines[machineId];
        if (machine.controller != 0) revert MachineIsControlled(machineId, machine.controller);
        if (machine.curve != 0) revert MachineHasKey(machineId, _keyOf(machine).id());
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    REKEY_TYPEHASH, machineId, newKey.id(), newKey.verifier, uint256(machine.keyEpoch), deadline
                )
            )
        );
        _adoptKey(machineId, newKey, digest, proof, new StreamHead[](0));
    }

    /// @notice State of a machine; `None` if there is no such machine.
    function stateOf(uint256 machineId) external view returns (State) {
        return _machines[machineId].state;
    }

    /// @notice The machine's own key; all zero if it has none (revoked, or controlled by another machine).
    function keyOf(uint256 machineId) external view returns (Key memory) {
        return _keyOf(_machines[machineId]);
    }

    /// @notice Number of keys that the machine has had.
    function keyEpochOf(uint256 machineId) external view returns (uint64) {
        return _machines[machineId].keyEpoch;
    }

    /// @notice The machine that signs for this one; zero if it signs for itself.
    function controllerOf(uint256 machineId) external view returns (uint256) {
        return _machines[machineId].controller;
    }

    /// @notice Address of the machine's own account, whether it was created yet or not.
    function accountOf(uint256 machineId) public view returns (address) {
        return AccountAddress.compute(machineAccount, address(this), machineId);
    }

    /// @notice The same while the machine is in the same hands, and never again: it changes with each transfer of the machine, and of
    /// the machines whose accounts it belongs to.
    function tenureOf(uint256 machineId) external view returns (bytes32 tenure) {
        uint256 current = machineId;
        for (uint256 depth = 0; depth <= MAX_OWNERSHIP_DEPTH; ++depth) {
            tenure = keccak256(abi.encode(tenure, current, _handovers[current]));
            current = machineOfAccount[_requireOwned(current)];
            if (current == 0) return tenure;
        }
        revert OwnershipTooDeep(machineId, MAX_OWNERSHIP_DEPTH);
    }

    /// @notice True if the machine, and its controller if it has one, are active and a key is there to verify by.
    function isActive(uint256 machineId) external view returns (bool) {
        (bool active,,, address point) = _signerOf(machineId);
        return active && point != address(0);
    }

    /// @notice True if the key that now speaks for the machine has signed `digest`. False for any other, and for a machine
    /// that is not active or whose controller is not.
    /// @param signature P-256: `r || s`, low `s`; secp256k1: `r || s || v`, low `s`
    function verify(uint256 machineId, bytes32 digest, bytes calldata signature) public view returns (bool) {
        (bool active, uint8 curve, bool rawDigest, address point) = _signerOf(machineId);
        if (!active || point == address(0)) return false;
        (bytes32 x, bytes32 y) = CodeStore.readTwo(point);
        return _verifyPoint(curve, rawDigest, x, y, digest, signature);
    }

    function _create(address owner, uint256 controller) private returns (uint256 machineId) {
        machineId = ++machineCount; // nobody can pay for 2^40 of them
        Machine storage machine = _machines[machineId];
        machine.state = State.Registered;
        machine.controller = uint40(controller); // an existing id: it has just verified
        machineOfAccount[accountOf(machineId)] = machineId;
        _mint(owner, machineId);
        emit MachineRegistered(machineId, owner, controller);
        emit StateChanged(machineId, uint8(State.None), uint8(State.Registered));
    }

    /// @dev Every way to move a token comes by here, minting too.
    function _update(address to, uint256 machineId, address auth) internal override returns (address from) {
        _requireNoCycle(to, machineId);
        from = super._update(to, machineId, auth);
        if (from != address(0)) ++_handovers[machineId];
    }

    /// @dev Owners by accounts are followed upwards: there is no cycle yet, so this ends.
    function _requireNoCycle(address to, uint256 machineId) private view {
        address holder = to;
        for (uint256 depth = 0; depth <= MAX_OWNERSHIP_DEPTH; ++depth) {
            uint256 owning = machineOfAccount[holder];
            if (owning == 0) return;
            if (owning == machineId) revert OwnershipCycle(machineId, to);
            holder = _ownerOf(owning);
        }
        revert OwnershipTooDeep(machineId, MAX_OWNERSHIP_DEPTH);
    }

    function _adoptKey(
        uint256 machineId,
        Key memory key,
        bytes32 digest,
        bytes calldata proof,
        StreamHead[] memory heads
    ) private {
        bytes32 keyId = key.id();
        bool rawDigest = _requireUsable(key);
        if (machineOfKey[keyId] != 0) revert KeyTaken(keyId, machineOfKey[keyId]);
        if (!_verifyBy(key, digest, proof)) revert ProofInvalid(keyId, digest);

        machineOfKey[keyId] = machineId;
        Machine storage machine = _machines[machineId];
        uint32 epoch = machine.keyEpoch + 1;
        machine.keyEpoch = epoch;
        machine.curve = key.curve;
        machine.rawDigest = rawDigest;
        machine.point = CodeStore.write(abi.encodePacked(key.x, key.y));
        emit KeyChanged(machineId, keyId, epoch, key.curve, key.verifier, key.x, key.y, heads);
    }

    function _move(uint256 machineId, State from, State to) private {
        _requireOwner(machineId);
        State have = _machines[machineId].state;
        if (have != from) revert StateRefused(machineId, have, from);
        _setState(machineId, from, to);
    }

    function _setState(uint256 machineId, State from, State to) private {
        _machines[machineId].state = to;
        emit StateChanged(machineId, uint8(from), uint8(to));
    }

    /// @dev The key that speaks for a machine: its own, or its controller's.
    function _signerOf(uint256 machineId)
        private
        view
        returns (bool active, uint8 curve, bool rawDigest, address point)
    {
        Machine storage machine = _machines[machineId];
        active = machine.state == State.Active;
        uint256 controller = machine.controller;
        if (controller != 0) {
            machine = _machines[controller];
            active = active && machine.state == State.Active;
        }
        return (active, machine.curve, machine.rawDigest, machine.point);
    }

    function _keyOf(Machine memory machine) private view returns (Key memory key) {
        if (machine.point == address(0)) return key;
        key.curve = machine.curve;
        if (key.curve == CURVE_P256) key.verifier = machine.rawDigest ? p256RawVerifier : p256Sha256Verifier;
        (key.x, key.y) = CodeStore.readTwo(machine.point);
    }

    function _verifyBy(Key memory key, bytes32 digest, bytes calldata signature) private view returns (bool) {
        return _verifyPoint(key.curve, key.verifier == p256RawVerifier, key.x, key.y, digest, signature);
    }

    /// @dev Does itself what the two verifiers do: a call would cost 2,000 gas more. A test proves that they agree.
    function _verifyPoint(
        uint256 curve,
        bool rawDigest,
        bytes32 x,
        bytes32 y,
        bytes32 digest,
        bytes calldata signature
    ) private view returns (bool) {
        if (curve == CURVE_P256) {
            if (signature.length != 64) return false;
            bytes32 signed = rawDigest ? digest : sha256(abi.encodePacked(digest));
            return P256.verify(signed, bytes32(signature), bytes32(signature[32:]), x, y);
        }
        if (curve != CURVE_SECP256K1) return false;
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        return failure == ECDSA.RecoverError.NoError && recovered == Keys.toAddress(x, y);
    }

    function _requireUsable(Key memory key) private view returns (bool rawDigest) {
        if (!key.isOnCurve()) revert KeyInvalid(key.curve, key.x, key.y);
        rawDigest = key.curve == CURVE_P256 && key.verifier == p256RawVerifier;
        address needed = key.curve == CURVE_P256 ? p256Sha256Verifier : address(0);
        if (!rawDigest && key.verifier != needed) revert VerifierNotAllowed(key.curve, key.verifier);
    }

    function _requireOwnKey(uint256 machineId) private view returns (Machine storage machine) {
        machine = _machines[machineId];
        if (machine.controller != 0) revert MachineIsControlled(machineId, machine.controller);
        if (machine.curve == 0) revert MachineHasNoKey(machineId);
    }

    function _requireOwner(uint256 machineId) private view {
        address owner = _requireOwned(machineId);
        if (owner != msg.sender) revert NotMachineOwner(machineId, msg.sender, owner);
    }

    function _requireNotDecommissioned(uint256 machineId) private view returns (State state) {
        state = _machines[machineId].state;
        if (state == State.Decommissioned) revert MachineDecommissioned(machineId);
    }

    function _requireNotExpired(uint256 deadline) private view {
        if (block.timestamp > deadline) revert DeadlineExpired(deadline, block.timestamp);
    }
}
