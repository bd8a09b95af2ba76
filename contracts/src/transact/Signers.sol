// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MachineRegistry} from "../trust/MachineRegistry.sol";
import {QuorumVerifier} from "../trust/QuorumVerifier.sol";
import {BoundedCall} from "./BoundedCall.sol";
import {SIGNER_ACCOUNT, SIGNER_MACHINE, SIGNER_QUORUM} from "./Terms.sol";

/// @title Whose signature counts: a machine's current key, an account's, or k of n. Never ERC-1271.
abstract contract Signers {
    /// @dev Sixteen P-256 signatures need two thirds of it.
    uint256 private constant QUORUM_GAS = 300_000;

    /// @notice Where machine ids are resolved.
    MachineRegistry public immutable registry;
    QuorumVerifier private immutable _quorums;

    constructor(MachineRegistry registry_) {
        registry = registry_;
        _quorums = new QuorumVerifier(registry_);
    }

    /// @dev False for an unknown kind, and for nobody.
    function _hasSigned(
        uint256 kind,
        bytes32 signer,
        bytes32 digest,
        bytes calldata signature
    ) internal view returns (bool) {
        if (kind == SIGNER_MACHINE) return registry.verify(uint256(signer), digest, signature);
        if (kind == SIGNER_ACCOUNT) {
            (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
            return failure == ECDSA.RecoverError.NoError && recovered == address(uint160(uint256(signer)));
        }
        if (kind != SIGNER_QUORUM) return false;
        (bool ok, uint256 verdict) = BoundedCall.word(
            address(_quorums), QUORUM_GAS, abi.encodeCall(QuorumVerifier.verify, (signer, digest, signature))
        );
        return ok && verdict == 1;
    }
}
