// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";
import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// @title ERC-7913 verifier of P-256 keys that always hash
/// @notice node:crypto, WebCrypto and restricted TPM keys sign SHA-256 of what they are given. This verifier applies that
/// SHA-256 to the 32-byte digest before it checks the signature. Key is `x || y`, signature `r || s`, 64 bytes each, low `s`.
contract P256Sha256Verifier is IERC7913SignatureVerifier {
    /// @inheritdoc IERC7913SignatureVerifier
    function verify(bytes calldata key, bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (key.length != 64 || signature.length != 64) return 0xffffffff;
        bool valid = P256.verify(
            sha256(abi.encodePacked(hash)),
            bytes32(signature[0:32]),
            bytes32(signature[32:64]),
            bytes32(key[0:32]),
            bytes32(key[32:64])
        );
        return valid ? IERC7913SignatureVerifier.verify.selector : bytes4(0xffffffff);
    }
}
