// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7913SignatureVerifier} from "@openzeppelin/contracts/interfaces/IERC7913.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MachineRegistry} from "./MachineRegistry.sol";

/// @title k of n signatures
/// @notice A quorum is `keccak256(abi.encode(uint8 threshold, bytes[] signers))`. A signer is an account (20 bytes, checked by
/// ECDSA recovery and never by ERC-1271, which a contract may change its mind about) or one of the registry's P-256 verifiers
/// with a point (84 bytes). Rules: docs/protocol/agreement.md. Without any state; call it with a gas cap: malformed data reverts.
contract QuorumVerifier {
    /// @notice A quorum has at most this many signers.
    uint256 public constant MAX_SIGNERS = 16;

    address private immutable _p256Sha256Verifier;
    address private immutable _p256RawVerifier;

    constructor(MachineRegistry registry) {
        _p256Sha256Verifier = registry.p256Sha256Verifier();
        _p256RawVerifier = registry.p256RawVerifier();
    }

    /// @notice True if enough of the quorum have signed `digest`, and nobody has signed badly.
    /// @param signature abi.encode(uint8 threshold, bytes[] signers, bytes[] signatures), signers in strictly ascending order of
    /// their keccak256, one signature each, empty for who did not sign
    function verify(bytes32 quorum, bytes32 digest, bytes calldata signature) external view returns (bool) {
        (uint8 threshold, bytes[] memory signers, bytes[] memory signatures) =
            abi.decode(signature, (uint8, bytes[], bytes[]));
        uint256 count = signers.length;
        if (threshold == 0 || threshold > count || count > MAX_SIGNERS || signatures.length != count) return false;
        if (keccak256(abi.encode(threshold, signers)) != quorum) return false;
        uint256 signed = 0;
        bytes32 previous = 0;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 place = keccak256(signers[i]);
            if (place <= previous || !_isSigner(signers[i])) return false;
            previous = place;
            if (signatures[i].length == 0) continue;
            if (!_hasSigned(signers[i], digest, signatures[i])) return false;
            signed += 1;
        }
        return signed >= threshold;
    }

    function _isSigner(bytes memory signer) private view returns (bool) {
        if (signer.length == 20) return true;
        address verifier = address(bytes20(signer));
        return signer.length == 84 && (verifier == _p256Sha256Verifier || verifier == _p256RawVerifier);
    }

    function _hasSigned(bytes memory signer, bytes32 digest, bytes memory signature) private view returns (bool) {
        address first = address(bytes20(signer));
        if (signer.length == 20) {
            (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, signature);
            return failure == ECDSA.RecoverError.NoError && recovered == first;
        }
        if (signature.length != 64) return false;
        bytes memory point = new bytes(64);
        assembly ("memory-safe") {
            mcopy(add(point, 0x20), add(signer, 0x34), 0x40)
        }
        return IERC7913SignatureVerifier(first).verify(point, digest, signature)
            == IERC7913SignatureVerifier.verify.selector;
    }
}
