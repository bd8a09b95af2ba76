// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EncodedTerms} from "./TermsCode.sol";

/// @title Which open agreement meters which stream
/// @notice Two open agreements meter one stream only if both say `shared`. One agreement may meter a stream twice.
abstract contract StreamClaims {
    struct Claim {
        bytes32 exclusive;
        uint256 sharedCount;
    }

    mapping(bytes32 streamKey => Claim) private _claims;

    error StreamTaken(uint256 machineId, string stream, bytes32 agreementId);

    function _claimStreams(bytes32 agreementId, EncodedTerms terms) internal {
        bool shared = terms.isShared();
        uint256 count = terms.meterCount();
        for (uint256 i = 0; i < count; ++i) {
            Claim storage claim = _claimOf(terms, i);
            bytes32 holder = claim.exclusive;
            bool free = shared ? holder == 0 : claim.sharedCount == 0 && (holder == 0 || holder == agreementId);
            if (!free) revert StreamTaken(terms.machineId(), string(terms.stream(i)), holder);
            if (shared) claim.sharedCount += 1;
            else claim.exclusive = agreementId;
        }
    }

    function _releaseStreams(EncodedTerms terms) internal {
        bool shared = terms.isShared();
        uint256 count = terms.meterCount();
        for (uint256 i = 0; i < count; ++i) {
            Claim storage claim = _claimOf(terms, i);
            if (shared) claim.sharedCount -= 1;
            else claim.exclusive = 0;
        }
    }

    function _claimOf(EncodedTerms terms, uint256 index) private view returns (Claim storage) {
        return _claims[keccak256(abi.encode(terms.machineId(), keccak256(terms.stream(index))))];
    }
}
