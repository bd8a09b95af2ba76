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

    /// @dev keccak256(abi.encode(METER_VALUE_TYPEHASH, agreementId, period, asOf, keccak256(abi.encodePacked(registers)),
    /// evidenceHead)), for a third of the gas: the fields lie in memory as they are hashed, but for the registers.
    function ofMeterValue(MeterValue memory value) internal pure returns (bytes32 hash) {
        bytes32 typeHash = METER_VALUE_TYPEHASH;
        uint256[] memory registers = value.registers;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            mcopy(add(free, 0x20), value, 0xa0)
            mstore(add(free, 0x80), keccak256(add(registers, 0x20), shl(5, mload(registers))))
            hash := keccak256(free, 0xc0)
        }
    }

    /// @param hashes of each value
    function ofMeterValues(bytes32[] memory hashes) internal pure returns (bytes32) {
        return keccak256(abi.encode(METER_VALUES_TYPEHASH, keccak256(abi.encodePacked(hashes))));
    }

    function ofAdjustment(Adjustment calldata a) internal pure returns (bytes32) {
        return keccak256(abi.encode(ADJUSTMENT_TYPEHASH, a.agreementId, a.period, a.amount, a.evidenceHead));
    }

    function ofFunding(Funding calldata f) internal pure returns (bytes32) {
        return keccak256(abi.encode(FUNDING_TYPEHASH, f.agreementId, f.from, f.amount, f.salt, f.deadline));
    }
}
