// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20Upgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC20/ERC20Upgradeable.sol";
import {ERC20PermitUpgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20PermitUpgradeable.sol";
import {ERC20VotesUpgradeable} from "@openzeppelin/contracts-upgradeable/token/ERC20/extensions/ERC20VotesUpgradeable.sol";
import {NoncesUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/NoncesUpgradeable.sol";
import {ICompliance} from "./ICompliance.sol";
import {Phase} from "./VaultSetup.sol";

/// @title Shares of a vault: ERC-20 with votes (ERC-5805) and permit (ERC-2612), whole ones only
/// @notice Votes are counted by the clock (ERC-6372), since a ledger without work makes no blocks. Who gets his first share votes for
/// himself until he delegates.
abstract contract VaultShares is ERC20PermitUpgradeable, ERC20VotesUpgradeable {
    /// @notice Where the vault is in its life.
    Phase public phase;
    /// @notice Who may hold shares; zero: everybody.
    ICompliance public compliance;

    event PhaseChanged(Phase from, Phase to);
    event ComplianceSet(address compliance);

    error PhaseRefused(Phase have, Phase needed);
    /// @dev Shares do not move in this phase.
    error SharesLocked(Phase phase);
    error TransferNotCompliant(address from, address to, uint256 amount);

    /// @notice Shares are whole.
    function decimals() public pure override returns (uint8) {
        return 0;
    }

    /// @notice Seconds since 1970.
    function clock() public view override returns (uint48) {
        return uint48(block.timestamp);
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @inheritdoc ERC20PermitUpgradeable
    function nonces(address owner) public view override(ERC20PermitUpgradeable, NoncesUpgradeable) returns (uint256) {
        return super.nonces(owner);
    }

    function _requirePhase(Phase needed) internal view {
        if (phase != needed) revert PhaseRefused(phase, needed);
    }

    function _setPhase(Phase to) internal {
        emit PhaseChanged(phase, to);
        phase = to;
    }

    function _setCompliance(address compliance_) internal {
        compliance = ICompliance(compliance_);
        emit ComplianceSet(compliance_);
    }

    /// @dev Income up to now is settled before shares move.
    function _beforeShares(address from, address to, uint256 amount) internal virtual;

    function _update(address from, address to, uint256 amount)
        internal
        override(ERC20Upgradeable, ERC20VotesUpgradeable)
    {
        if (from != address(0) && to != address(0) && phase == Phase.Selling) revert SharesLocked(phase);
        if (to != address(0) && address(compliance) != address(0) && !compliance.canTransfer(from, to, amount)) {
            revert TransferNotCompliant(from, to, amount);
        }
        _beforeShares(from, to, amount);
        super._update(from, to, amount);
        if (to != address(0) && delegates(to) == address(0)) _delegate(to, to);
    }
}
