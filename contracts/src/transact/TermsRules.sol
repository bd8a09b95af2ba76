// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MachineRegistry, State} from "../trust/MachineRegistry.sol";
import {ITariff} from "./ITariff.sol";
import {SIGNER_ACCOUNT, SIGNER_MACHINE, SIGNER_NOBODY, SIGNER_QUORUM, Terms} from "./Terms.sol";
import {TermsHash} from "./TermsHash.sol";

/// @notice Why terms are refused. The clearing house passes these on, so they are in its ABI too.
interface ITermsRefusals {
    error PartyZero(address payer, address payee);
    error AssetHasNoCode(address asset);
    error RegisterCountRefused(uint256 meters, uint256 limits, uint256 maximum);
    error PeriodsRefused(uint32 periodSeconds, uint32 periods);
    error SignerRefused(uint8 signerKind, bytes32 signer);
    error MachineOwnerNotParty(uint256 machineId, address owner);
    error TariffRefused(address tariff, bytes tariffData);
    error AmountTooLarge(uint256 have, uint256 maximum);
}

/// @title What terms must be like to be opened
/// @notice Created by the clearing house and without any state: it only keeps the house's code within the limit.
contract TermsRules is ITermsRefusals {
    /// @notice An agreement has at most this many registers.
    uint256 public constant MAX_REGISTERS = 32;
    /// @notice All periods together last at most this many seconds: 20 years.
    uint256 public constant MAX_SECONDS = 631_152_000;

    MachineRegistry private immutable _registry;

    constructor(MachineRegistry registry) {
        _registry = registry;
    }

    /// @notice The EIP-712 struct hash of the terms.
    function hash(Terms memory terms) external pure returns (bytes32) {
        return TermsHash.hashTerms(terms);
    }

    /// @notice Reverts unless the terms can be kept.
    function requireSound(Terms calldata terms) external view {
        if (terms.payer == address(0) || terms.payee == address(0)) revert PartyZero(terms.payer, terms.payee);
        if (terms.asset.code.length == 0) revert AssetHasNoCode(terms.asset);
        if (terms.capMinor > type(uint96).max) revert AmountTooLarge(terms.capMinor, type(uint96).max);
        uint256 length = uint256(terms.periodSeconds) * terms.periods;
        if (length == 0 || length > MAX_SECONDS) revert PeriodsRefused(terms.periodSeconds, terms.periods);
        uint256 count = terms.limits.length;
        if (count > MAX_REGISTERS || (terms.meters.length != 0 && terms.meters.length != count)) {
            revert RegisterCountRefused(terms.meters.length, count, MAX_REGISTERS);
        }
        if (!_isSigner(terms.signerKind, terms.signer)) revert SignerRefused(terms.signerKind, terms.signer);
        if (terms.signerKind == SIGNER_NOBODY && count != 0) revert RegisterCountRefused(terms.meters.length, count, 0);
        if (terms.meters.length != 0) _requireEntitled(terms);
        try ITariff(terms.tariff).validate(terms.tariffData, count) returns (bool accepted) {
            if (!accepted) revert TariffRefused(terms.tariff, terms.tariffData);
        } catch {
            revert TariffRefused(terms.tariff, terms.tariffData);
        }
    }

    /// @dev Whoever meters a machine has its owner's word: he, or the machine's own account, is a party.
    function _requireEntitled(Terms calldata terms) private view {
        address owner = _registry.ownerOf(terms.machineId);
        if (owner == terms.payer || owner == terms.payee) return;
        address account = _registry.accountOf(terms.machineId);
        if (account == terms.payer || account == terms.payee) return;
        revert MachineOwnerNotParty(terms.machineId, owner);
    }

    function _isSigner(uint8 kind, bytes32 signer) private view returns (bool) {
        if (kind == SIGNER_MACHINE) return _registry.stateOf(uint256(signer)) != State.None;
        if (kind == SIGNER_ACCOUNT) return signer != 0 && uint256(signer) <= type(uint160).max;
        if (kind == SIGNER_QUORUM) return signer != 0;
        return kind == SIGNER_NOBODY && signer == 0;
    }
}
