// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Accounts} from "./Accounts.sol";
import {MessageHash} from "./MessageHash.sol";
import {Signers} from "./Signers.sol";
import {TariffCall} from "./TariffCall.sol";
import {
    Adjustment,
    MeterValue,
    SIGNER_ACCOUNT,
    SIGNER_MACHINE,
    SIGNER_NOBODY,
    SkipReason,
    Status
} from "./Terms.sol";
import {EncodedTerms, TermsCode} from "./TermsCode.sol";

/// @title Where a signed meter value is the payment
/// @notice Any order and any repetition of values end the same.
abstract contract Settlement is Accounts, Signers, EIP712 {
    /// @dev No reason to skip.
    uint256 private constant NONE = type(uint256).max;

    event Settled(
        bytes32 indexed agreementId,
        uint32 indexed period,
        uint64 asOf,
        uint256[] registers,
        bytes32 evidenceHead,
        uint256 owed,
        uint256 paid,
        uint256 paidTotal
    );
    event Skipped(bytes32 indexed agreementId, uint32 period, uint8 reason);
    event Adjusted(
        bytes32 indexed agreementId,
        uint32 indexed period,
        uint256 amount,
        bytes32 evidenceHead,
        uint256 paid,
        uint256 paidTotal
    );

    error LengthsDiffer(uint256 values, uint256 signatures);
    error AttestationInvalid(uint8 signerKind, bytes32 signer, bytes32 digest);
    error PeriodUnknown(bytes32 agreementId, uint32 period, uint256 periods);
    error AdjustTooEarly(bytes32 agreementId, uint32 period, uint256 blockTimestamp, uint256 needed);
    error AdjustmentExists(bytes32 agreementId, uint32 period);
    error AdjustmentZero(bytes32 agreementId, uint32 period);
    error AdjustmentTooLarge(bytes32 agreementId, uint32 period, uint256 have, uint256 maximum);
    error AdjustmentNotSigned(bytes32 agreementId, bytes32 digest);

    /// @notice Pays what signed meter values prove. A bad item is skipped, with its reason, and holds up no other. Reverts only if
    /// gas is too low to judge an item.
    function settle(MeterValue[] calldata values, bytes[] calldata signatures) external {
        if (values.length != signatures.length) revert LengthsDiffer(values.length, signatures.length);
        for (uint256 i = 0; i < values.length; ++i) {
            uint256 free = _markMemory();
            _settleSigned(_read(values[i]), signatures[i]);
            _releaseMemory(free);
        }
    }

    /// @notice Pays what meter values prove that one attestor, a machine or an account, has signed all together. An item whose
    /// terms name another signer is skipped.
    /// @param signature over the EIP-712 digest of `MeterValues(MeterValue[] values)`
    function settleAttested(
        MeterValue[] calldata values,
        uint8 signerKind,
        bytes32 signer,
        bytes calldata signature
    ) external {
        bytes32 digest = _digestOf(values);
        bool canAttest = signerKind == SIGNER_MACHINE || signerKind == SIGNER_ACCOUNT;
        if (!canAttest || !_hasSigned(signerKind, signer, digest, signature)) {
            revert AttestationInvalid(signerKind, signer, digest);
        }
        for (uint256 i = 0; i < values.length; ++i) {
            uint256 free = _markMemory();
            _settleAttested(_read(values[i]), signerKind, signer);
            _releaseMemory(free);
        }
    }

    /// @notice Adds to a final period what late evidence has shown. Once a period, signed by the agreement's signer, and no more
    /// than the period could have cost.
    function adjust(Adjustment calldata a, bytes calldata signature) external {
        _requireOpen(a.agreementId);
        EncodedTerms terms = TermsCode.load(a.agreementId);
        _requireAdjustable(terms, a);
        bytes32 digest = _hashTypedDataV4(MessageHash.ofAdjustment(a));
        if (!_hasSigned(terms.signerKind(), terms.signer(), digest, signature)) {
            revert AdjustmentNotSigned(a.agreementId, digest);
        }
        Account memory account = _readAccount(a.agreementId);
        Period memory state = _readPeriod(a.agreementId, account, a.period);
        uint256 most = _mostOf(terms);
        if (a.amount > most || state.proven + a.amount > most) {
            revert AdjustmentTooLarge(a.agreementId, a.period, a.amount, most - Math.min(most, state.proven));
        }
        state.adjusted = true;
        _adjustments[a.agreementId][a.period] = a.amount;
        (uint256 paid, uint256 short) = _pay(a.agreementId, account, a.period, state, state.proven + a.amount);
        // Whatever was paid, the record of the period must be found by the next value of it.
        if (a.period == account.period) {
            account.recorded = true;
            _periods[a.agreementId][a.period] = state;
        }
        _writeAccount(a.agreementId, account);
        emit Adjusted(a.agreementId, a.period, a.amount, a.evidenceHead, paid, state.paid);
        if (short != 0) emit EscrowShort(a.agreementId, a.period, short);
    }

    function _digestOf(MeterValue[] calldata values) private view returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](values.length);
        for (uint256 i = 0; i < values.length; ++i) {
            uint256 free = _markMemory();
            hashes[i] = MessageHash.ofMeterValue(_read(values[i]));
            _releaseMemory(free);
        }
        return _hashTypedDataV4(MessageHash.ofMeterValues(hashes));
    }

    /// @dev `value = item`, for half the gas.
    function _read(MeterValue calldata item) private pure returns (MeterValue memory value) {
        uint256[] calldata registers = item.registers;
        assembly ("memory-safe") {
            value := mload(0x40)
            calldatacopy(value, item, 0xa0)
            let copied := add(value, 0xa0)
            let size := shl(5, registers.length)
            mstore(add(value, 0x60), copied)
            mstore(copied, registers.length)
            calldatacopy(add(copied, 0x20), registers.offset, size)
            mstore(0x40, add(copied, add(0x20, size)))
            // The compiler refuses integers above their type, and so must this.
            if or(shr(32, mload(add(value, 0x20))), shr(64, mload(add(value, 0x40)))) { revert(0, 0) }
        }
    }

    /// @dev Nothing that an item puts into memory outlives it, and memory that only grows costs the square of its size.
    function _markMemory() private pure returns (uint256 free) {
        assembly ("memory-safe") {
            free := mload(0x40)
        }
    }

    function _releaseMemory(uint256 free) private pure {
        assembly ("memory-safe") {
            mstore(0x40, free)
        }
    }

    function _settleSigned(MeterValue memory value, bytes calldata signature) private {
        Account memory account = _readAccount(value.agreementId);
        (uint256 skip, EncodedTerms terms, uint256 elapsed) = _measure(account, value);
        if (skip == NONE) skip = _checkSignature(terms, value, signature);
        _conclude(skip, terms, account, value, elapsed);
    }

    function _settleAttested(MeterValue memory value, uint256 signerKind, bytes32 signer) private {
        Account memory account = _readAccount(value.agreementId);
        (uint256 skip, EncodedTerms terms, uint256 elapsed) = _measure(account, value);
        if (skip == NONE && (terms.signerKind() != signerKind || terms.signer() != signer)) {
            skip = uint256(SkipReason.SIGNER_DIFFERS);
        }
        _conclude(skip, terms, account, value, elapsed);
    }

    /// @dev Checks whatever needs no stranger, cheapest first.
    /// @return skip why the item does not pay, NONE if it may
    function _measure(
        Account memory account,
        MeterValue memory value
    ) private view returns (uint256 skip, EncodedTerms terms, uint256 elapsed) {
        if (account.status != Status.Open) return (uint256(SkipReason.NOT_OPEN), terms, 0);
        terms = TermsCode.load(value.agreementId);
        if (value.period >= terms.periods()) return (uint256(SkipReason.PERIOD_UNKNOWN), terms, 0);
        unchecked {
            // start, period and its length are below 2^64, 2^32 and 2^32
            uint256 periodStart = terms.start() + value.period * terms.periodSeconds();
            elapsed = value.asOf - periodStart;
            if (value.asOf < periodStart || elapsed > terms.periodSeconds()) {
                return (uint256(SkipReason.AS_OF_OUTSIDE_PERIOD), terms, 0);
            }
        }
        if (value.asOf > block.timestamp) return (uint256(SkipReason.AS_OF_IN_FUTURE), terms, 0);
        if (value.registers.length != terms.limitCount()) return (uint256(SkipReason.REGISTER_COUNT), terms, 0);
        if (!_withinLimits(terms, value.registers, elapsed)) return (uint256(SkipReason.RATE_BOUND), terms, 0);
        return (NONE, terms, elapsed);
    }

    function _withinLimits(
        EncodedTerms terms,
        uint256[] memory registers,
        uint256 elapsed
    ) private pure returns (bool) {
        uint256 count = registers.length;
        for (uint256 i = 0; i < count; ++i) {
            (uint256 burst, uint256 perHour) = terms.limit(i);
            uint256 register = registers[i];
            if (register > burst && register > _most(burst, perHour, elapsed)) return false;
        }
        return true;
    }

    /// @dev Saturating, so that no limit of the terms overflows and blocks its own agreement.
    function _most(uint256 burst, uint256 perHour, uint256 elapsed) private pure returns (uint256) {
        return Math.saturatingAdd(burst, Math.saturatingMul(perHour, elapsed) / 3600);
    }

    function _checkSignature(
        EncodedTerms terms,
        MeterValue memory value,
        bytes calldata signature
    ) private view returns (uint256 skip) {
        uint256 kind = terms.signerKind();
        if (kind == SIGNER_NOBODY) {
            bool empty = signature.length == 0 && value.evidenceHead == 0;
            return empty ? NONE : uint256(SkipReason.SIGNATURE_INVALID);
        }
        bytes32 signer = terms.signer();
        if (_hasSigned(kind, signer, _hashTypedDataV4(MessageHash.ofMeterValue(value)), signature)) return NONE;
        bool active = kind != SIGNER_MACHINE || registry.isActive(uint256(signer));
        return uint256(active ? SkipReason.SIGNATURE_INVALID : SkipReason.SIGNER_NOT_ACTIVE);
    }

    /// @dev Asks the tariff, and pays or says why not.
    function _conclude(
        uint256 skip,
        EncodedTerms terms,
        Account memory account,
        MeterValue memory value,
        uint256 elapsed
    ) private {
        if (skip == NONE) {
            (bool ok, uint256 owed) = TariffCall.owed(terms, value.registers, elapsed);
            if (ok && owed <= type(uint96).max) {
                _settle(terms, account, value, owed);
                return;
            }
            skip = uint256(ok ? SkipReason.AMOUNT_TOO_LARGE : SkipReason.TARIFF_FAILED);
        }
        emit Skipped(value.agreementId, value.period, uint8(skip));
    }

    function _settle(EncodedTerms terms, Account memory account, MeterValue memory value, uint256 owed) private {
        uint256 due = Math.min(owed, terms.capMinor());
        (bool done, uint256 sum) = _payUsual(account, value.period, due);
        if (done) {
            if (sum != 0) _writeAccount(value.agreementId, account);
            _emitSettled(value, owed, sum, account.paid);
            return;
        }
        Period memory state = _readPeriod(value.agreementId, account, value.period);
        if (state.adjusted) due = Math.min(due + _adjustments[value.agreementId][value.period], _mostOf(terms));
        (uint256 paid, uint256 short) = _pay(value.agreementId, account, value.period, state, due);
        if (paid != 0 || short != 0) _writeAccount(value.agreementId, account);
        _emitSettled(value, owed, paid, state.paid);
        if (short != 0) emit EscrowShort(value.agreementId, value.period, short);
    }

    /// @dev emit Settled(agreementId, period, asOf, registers, evidenceHead, owed, paid, paidTotal), for less gas.
    function _emitSettled(MeterValue memory value, uint256 owed, uint256 paid, uint256 paidTotal) private {
        bytes32 topic = Settled.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            let registers := mload(add(value, 0x60))
            let size := add(0x20, shl(5, mload(registers)))
            mstore(data, mload(add(value, 0x40)))
            mstore(add(data, 0x20), 0xc0)
            mstore(add(data, 0x40), mload(add(value, 0x80)))
            mstore(add(data, 0x60), owed)
            mstore(add(data, 0x80), paid)
            mstore(add(data, 0xa0), paidTotal)
            mcopy(add(data, 0xc0), registers, size)
            log3(data, add(0xc0, size), topic, mload(value), mload(add(value, 0x20)))
        }
    }

    function _requireAdjustable(EncodedTerms terms, Adjustment calldata a) private view {
        if (a.period >= terms.periods()) revert PeriodUnknown(a.agreementId, a.period, terms.periods());
        uint256 last = terms.start() + (uint256(a.period) + 1) * terms.periodSeconds() + terms.lateSeconds();
        if (block.timestamp <= last) revert AdjustTooEarly(a.agreementId, a.period, block.timestamp, last);
        if (a.amount == 0) revert AdjustmentZero(a.agreementId, a.period);
        if (_adjustments[a.agreementId][a.period] != 0) revert AdjustmentExists(a.agreementId, a.period);
    }

    /// @dev The most that a whole period can cost: its cap, and what the tariff says to registers at their limits, if it can.
    function _mostOf(EncodedTerms terms) private view returns (uint256) {
        uint256[] memory registers = new uint256[](terms.limitCount());
        for (uint256 i = 0; i < registers.length; ++i) {
            (uint256 burst, uint256 perHour) = terms.limit(i);
            registers[i] = _most(burst, perHour, terms.periodSeconds());
        }
        (bool ok, uint256 owed) = TariffCall.owed(terms, registers, terms.periodSeconds());
        return ok ? Math.min(owed, terms.capMinor()) : terms.capMinor();
    }
}
