// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// @dev P-256 (secp256r1), the curve of secure elements and TPMs.
uint8 constant CURVE_P256 = 1;
/// @dev secp256k1, the curve of EVM accounts.
uint8 constant CURVE_SECP256K1 = 2;

/// @notice A machine's public key: curve, verifier (zero for secp256k1) and affine coordinates, big-endian.
struct Key {
    uint8 curve;
    address verifier;
    bytes32 x;
    bytes32 y;
}

/// @title What can be said about a key without knowing whose it is
library Keys {
    uint256 private constant SECP256K1_P = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F;

    /// @notice keccak256(abi.encode(curve, x, y)). The verifier is no part of it: one hardware key is one machine, ever.
    function id(Key memory key) internal pure returns (bytes32) {
        return keccak256(abi.encode(key.curve, key.x, key.y));
    }

    /// @notice True if the point lies on the key's curve. Infinity, coordinates above the field and unknown curves do not.
    function isOnCurve(Key memory key) internal pure returns (bool) {
        if (key.curve == CURVE_P256) return P256.isValidPublicKey(key.x, key.y);
        if (key.curve != CURVE_SECP256K1) return false;
        uint256 x = uint256(key.x);
        uint256 y = uint256(key.y);
        if (x >= SECP256K1_P || y >= SECP256K1_P) return false;
        uint256 cube = mulmod(x, mulmod(x, x, SECP256K1_P), SECP256K1_P);
        return mulmod(y, y, SECP256K1_P) == addmod(cube, 7, SECP256K1_P);
    }

    /// @notice The EVM account that a secp256k1 point stands for.
    function toAddress(bytes32 x, bytes32 y) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(x, y)))));
    }
}
