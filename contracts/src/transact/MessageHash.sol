// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Adjustment, Funding, MeterValue} from "./Terms.sol";

/// @title EIP-712 struct hashes of what is signed about an agreement after it is open
library MessageHash {
    bytes32 private constant METER_VALUE_TYPEHASH = keccak256(
        "MeterValue(bytes32 agreementId,uint32 period,uint64 asOf,uint256[] registers,bytes32 evidenceHead)"
    );
    bytes32 private constant METER_VALUES_TYPEHASH = keccak256(
        "MeterValues(MeterValue[] values)"
        "MeterValue(bytes32 agreementId,uint32 period,uint64 asOf,uint256[] registers,bytes32 evidenceHead)"
    );
    bytes32 private constant ADJUSTMENT_TYPEHASH =
        keccak256("Adjustment(bytes32 agreementId,uint32 period,uint256 amount,bytes32 evidenceHead)");
    bytes32 private constant FUNDING_TYPEHASH =
        keccak256("Funding(bytes32 agreementId,address from,uint256 amount,bytes32 salt,uint256 deadline)");

    function ofMeterValue(MeterValue calldata v) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                METER_VALUE_TYPEHASH,
                v.agreementId,
                v.period,
                v.asOf,
                keccak256(abi.encodePacked(v.registers)),
                v.evidenceHead
            )
        );
    }

    function ofMeterValues(MeterValue[] calldata values) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](values.length);
        for (uint256 i = 0; i < values.length; ++i) {
            hashes[i] = ofMeterValue(values[i]);
        }
        return keccak256(abi.encode(METER_VALUES_TYPEHASH, keccak256(abi.encodePacked(hashes))));
    }

    function ofAdjustment(Adjustment calldata a) internal pure returns (bytes32) {
        return keccak256(abi.encode(ADJUSTMENT_TYPEHASH, a.agreementId, a.period, a.amount, a.evidenceHead));
    }

    function ofFunding(Funding calldata f) internal pure returns (bytes32) {
        return keccak256(abi.encode(FUNDING_TYPEHASH, f.agreementId, f.from, f.amount, f.salt, f.deadline));
    }
}
