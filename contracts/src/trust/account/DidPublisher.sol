// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CURVE_P256, Key} from "../Key.sol";
import {MachineRegistry, State} from "../MachineRegistry.sol";

/// @notice What is used of the ERC-1056 registry.
interface IEthereumDIDRegistry {
    function setAttribute(address identity, bytes32 name, bytes calldata value, uint256 validity) external;
    function revokeAttribute(address identity, bytes32 name, bytes calldata value) external;
    function changeOwner(address identity, address newOwner) external;
}

/// @title The machine's DID, `did:ethr:<chain>:<account>`, says which key speaks for the machine
/// @notice Anyone may have it follow the machine registry; nobody, the owner included, can have it say anything else.
abstract contract DidPublisher {
    /// @dev ethr-did-resolver makes of it a verification method of that type with `publicKeyHex`, the compressed point.
    bytes32 private constant P256_ATTRIBUTE = "did/pub/Multikey/veriKey/hex";
    bytes32 private constant SECP256K1_ATTRIBUTE = "did/pub/Secp256k1/veriKey/hex";
    /// @dev The registry knows no "until revoked".
    uint256 private constant VALIDITY = 100 * 365 days;

    /// @notice The ERC-1056 registry that keeps the DID.
    IEthereumDIDRegistry public immutable didRegistry;

    struct Published {
        bytes32 x;
        bytes1 prefix;
        uint8 curve;
        bool deactivated;
    }

    Published private _published;

    event KeyPublished(uint256 indexed machineId, uint8 curve, bytes point);
    event KeyWithdrawn(uint256 indexed machineId, uint8 curve, bytes point);
    event DidDeactivated(uint256 indexed machineId);

    constructor(IEthereumDIDRegistry didRegistry_) {
        didRegistry = didRegistry_;
    }

    /// @dev Answers whether there was anything to do.
    function _publishKey(MachineRegistry registry, uint256 machineId) internal returns (bool changed) {
        Published memory old = _published;
        if (old.deactivated) return false;
        bool isOver = registry.stateOf(machineId) == State.Decommissioned;
        Published memory now_;
        if (!isOver) now_ = _speaking(registry, machineId);
        now_.deactivated = isOver;
        if (now_.curve == old.curve && now_.x == old.x && now_.prefix == old.prefix && !isOver) return false;

        _published = now_;
        if (old.curve != 0) {
            didRegistry.revokeAttribute(address(this), _attribute(old.curve), _point(old));
            emit KeyWithdrawn(machineId, old.curve, _point(old));
        }
        if (now_.curve != 0) {
            didRegistry.setAttribute(address(this), _attribute(now_.curve), _point(now_), VALIDITY);
            emit KeyPublished(machineId, now_.curve, _point(now_));
        }
        if (isOver) {
            didRegistry.changeOwner(address(this), address(0));
            emit DidDeactivated(machineId);
        }
        return true;
    }

    /// @dev The key that speaks for the machine: its own, or its controller's while that one is in service.
    function _speaking(MachineRegistry registry, uint256 machineId) private view returns (Published memory published) {
        uint256 controller = registry.controllerOf(machineId);
        if (controller != 0 && registry.stateOf(controller) == State.Decommissioned) return published;
        Key memory key = registry.keyOf(controller == 0 ? machineId : controller);
        published.curve = key.curve;
        published.x = key.x;
        if (key.curve != 0) published.prefix = uint256(key.y) & 1 == 0 ? bytes1(0x02) : bytes1(0x03);
    }

    function _attribute(uint8 curve) private pure returns (bytes32) {
        return curve == CURVE_P256 ? P256_ATTRIBUTE : SECP256K1_ATTRIBUTE;
    }

    /// @dev SEC 1, compressed: 33 bytes.
    function _point(Published memory key) private pure returns (bytes memory) {
        return abi.encodePacked(key.prefix, key.x);
    }
}
