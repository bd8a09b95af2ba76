// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Meter, Terms} from "./Terms.sol";

/// @title Which open agreement meters which stream
/// @notice Two open agreements meter one stream only if both say `shared`. One agreement may meter a stream twice.
abstract contract StreamClaims {
    struct Claim {
        bytes32 exclusive;
        uint256 sharedCount;
    }

    mapping(bytes32 streamKey => Claim) private _claims;

    error StreamTaken(uint256 machineId, string stream, bytes32 agreementId);

    function _claimStreams(bytes32 agreementId, Terms memory terms) internal {
        for (uint256 i = 0; i < terms.meters.length; ++i) {
            Claim storage claim = _claims[_streamKey(terms.machineId, terms.meters[i])];
            bytes32 holder = claim.exclusive;
            bool free = terms.shared ? holder == 0 : claim.sharedCount == 0 && (holder == 0 || holder == agreementId);
            if (!free) revert StreamTaken(terms.machineId, terms.meters[i].stream, holder);
            if (terms.shared) claim.sharedCount += 1;
            else claim.exclusive = agreementId;
        }
    }

    function _releaseStreams(Terms memory terms) internal {
        for (uint256 i = 0; i < terms.meters.length; ++i) {
            Claim storage claim = _claims[_streamKey(terms.machineId, terms.meters[i])];
            if (terms.shared) claim.sharedCount -= 1;
            else claim.exclusive = 0;
        }
    }

    function _streamKey(uint256 machineId, Meter memory meter) private pure returns (bytes32) {
        return keccak256(abi.encode(machineId, meter.stream));
    }
}
