// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Limit, Meter, Terms} from "./Terms.sol";

/// @title EIP-712 struct hash of terms
library TermsHash {
    bytes32 private constant METER_TYPEHASH = keccak256("Meter(string stream,bytes32 ruleHash,bytes32 startHead)");
    bytes32 private constant LIMIT_TYPEHASH = keccak256("Limit(uint256 burst,uint256 perHour)");
    bytes32 private constant TERMS_TYPEHASH = keccak256(
        "Terms(address payer,address payee,address asset,uint256 machineId,Meter[] meters,uint8 signerKind,bytes32 signer,"
        "address tariff,bytes tariffData,Limit[] limits,uint256 capMinor,uint64 start,uint32 periodSeconds,uint32 periods,"
        "uint32 backfillSeconds,uint32 lateSeconds,uint32 gapTimeoutSeconds,uint32 settleSeconds,bool shared,uint64 openBy,"
        "bytes32 salt)Limit(uint256 burst,uint256 perHour)Meter(string stream,bytes32 ruleHash,bytes32 startHead)"
    );

    function hashTerms(Terms memory t) internal pure returns (bytes32) {
        // Two halves, since one abi.encode of all 22 words is too deep for the stack without IR (as coverage compiles).
        bytes memory head = abi.encode(
            TERMS_TYPEHASH,
            t.payer,
            t.payee,
            t.asset,
            t.machineId,
            _hashMeters(t.meters),
            t.signerKind,
            t.signer,
            t.tariff,
            keccak256(t.tariffData),
            _hashLimits(t.limits)
        );
        bytes memory tail = abi.encode(
            t.capMinor,
            t.start,
            t.periodSeconds,
            t.periods,
            t.backfillSeconds,
            t.lateSeconds,
            t.gapTimeoutSeconds,
            t.settleSeconds,
            t.shared,
            t.openBy,
            t.salt
        );
        return keccak256(bytes.concat(head, tail));
    }

    function _hashMeters(Meter[] memory meters) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](meters.length);
        for (uint256 i = 0; i < meters.length; ++i) {
            hashes[i] = keccak256(
                abi.encode(
                    METER_TYPEHASH, keccak256(bytes(meters[i].stream)), meters[i].ruleHash, meters[i].startHead
                )
            );
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function _hashLimits(Limit[] memory limits) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](limits.length);
        for (uint256 i = 0; i < limits.length; ++i) {
            hashes[i] = keccak256(abi.encode(LIMIT_TYPEHASH, limits[i].burst, limits[i].perHour));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
